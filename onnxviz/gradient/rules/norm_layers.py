"""Softmax, and the layers that scale by a mean and a variance.

Of `y = (x - mean) / deviation` the gradient is `(g - mean(g) - y mean(g y)) / deviation`, means over the same axes.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule


@rule("Softmax LogSoftmax")
def _softmax(at: Adjoint) -> Gradients:
    axis = at.axis(-1 if at.opset >= 13 else 1)
    is_flat = at.opset < 13 and axis != at.rank() - 1
    g, y = at.g, at.y()
    if is_flat:  # before opset 13 all axes from this one on are one
        g, y, axis = g.map("Flatten", axis=axis), y.map("Flatten", axis=axis), 1
    is_log = at.node.op == "LogSoftmax"
    found = g - y.map("Exp") * g.total([axis]) if is_log else y * (g - (g * y).total([axis]))
    return at.like(found) if is_flat else found


@rule("BatchNormalization")
def _batch_norm(at: Adjoint) -> Gradients:
    """Of the running mean and variance, which are weights: a scale for each channel."""
    if at.node.integer("training_mode", 0) or (at.opset < 7 and not at.node.integer("is_test", 0)):
        at.refuse("it is in training mode")
    deviation = (at.x(4) + float(at.node.attribute("epsilon", 1e-5))).map("Sqrt")
    scale, axes = at.x(1) / deviation, [axis for axis in range(at.rank()) if axis != 1]
    found: list[Signal | None] = [at.g * _along_channels(at, scale) if at.wants(0) else None]
    if at.wants(1):
        normal = (at.x() - _along_channels(at, at.x(3))) / _along_channels(at, deviation)
        found.append((at.g * normal).total(axes, keep=False))
    if at.wants(2):
        found += [None] * (2 - len(found)) + [at.g.total(axes, keep=False)]
    if at.wants(3) or at.wants(4):
        at.refuse("its mean or variance depends on the input")
    return found


def _along_channels(at: Adjoint, vector: Signal) -> Signal:
    return vector.reshape([1, -1, *(1,) * (at.rank() - 2)]) if at.rank() > 2 else vector


def normalised(x: Signal, axes: Sequence[int], epsilon: float, *, centred: bool = True) -> tuple[Signal, Signal]:
    """Return x normalised over axes, and one over its deviation there."""
    moved = x - x.reduce("Mean", axes) if centred else x
    inverse = 1.0 / ((moved * moved).reduce("Mean", axes) + epsilon).map("Sqrt")
    return moved * inverse, inverse


def through_norm(g: Signal, normal: Signal, inverse: Signal, axes: Sequence[int], *, centred: bool = True) -> Signal:
    """Return the gradient to what was normalised."""
    scaled = normal * (g * normal).reduce("Mean", axes)
    return inverse * ((g - g.reduce("Mean", axes) if centred else g) - scaled)


@rule("LayerNormalization RMSNormalization SimplifiedLayerNormalization")
def _layer_norm(at: Adjoint) -> Gradients:
    axis, centred = at.axis(-1), at.node.op == "LayerNormalization"
    axes, lead = list(range(axis, at.rank())), list(range(axis))
    normal, inverse = normalised(at.x(), axes, float(at.node.attribute("epsilon", 1e-5)), centred=centred)
    through = at.g * at.x(1) if at.has(1) else at.g
    return [
        through_norm(through, normal, inverse, axes, centred=centred) if at.wants(0) else None,
        _to_scale(at, at.g * normal, lead, 1),
        _to_scale(at, at.g, lead, 2),
    ]


def _to_scale(at: Adjoint, gradient: Signal, lead: Sequence[int], place: int) -> Signal | None:
    return at.like(gradient.total(lead, keep=False), place) if at.wants(place) else None


@rule("SkipLayerNormalization SkipSimplifiedLayerNormalization", outputs=True)
def _skip_norm(at: Adjoint) -> Gradients:
    """The norm of input + skip + bias; its fourth output is that sum."""
    centred = at.node.op == "SkipLayerNormalization"
    bias = 4 if centred else 3
    if any(gradient is not None for gradient in at.gradients[1:3]):
        at.refuse("its mean or deviation matters to the target")
    total = at.x() + at.x(1)
    total = total + at.x(bias) if at.has(bias) else total
    axes = [at.rank() - 1]
    normal, inverse = normalised(total, axes, float(at.node.attribute("epsilon", 1e-5)), centred=centred)
    through = None
    if at.gradients[0] is not None:
        through = through_norm(at.g * at.x(2), normal, inverse, axes, centred=centred)
    direct = at.gradients[3] if len(at.gradients) > 3 else None
    both = [each for each in (through, direct) if each is not None]
    summed = both[0] if len(both) == 1 else both[0] + both[1]
    found: list[Signal | None] = [None, None]
    found[0] = summed if at.wants(0) else None
    found[1] = at.emit.unbroadcast(summed, at.node.inputs[0], at.node.inputs[1]) if at.wants(1) else None
    if at.wants(2) or (centred and at.wants(3)) or at.wants(bias):
        at.refuse("its scale or bias depends on the input")
    return found


@rule("InstanceNormalization")
def _instance_norm(at: Adjoint) -> Gradients:
    axes = list(range(2, at.rank()))
    normal, inverse = normalised(at.x(), axes, float(at.node.attribute("epsilon", 1e-5)))
    through = through_norm(at.g * _along_channels(at, at.x(1)), normal, inverse, axes)
    scale = (at.g * normal).total([0, *axes], keep=False) if at.wants(1) else None
    return [through, scale, at.g.total([0, *axes], keep=False) if at.wants(2) else None]


@rule("GroupNormalization")
def _group_norm(at: Adjoint) -> Gradients:
    """As one map a group; before opset 21 there is a scale for each group, then one for each channel."""
    groups = at.node.integer("num_groups", 1)
    if at.wants(1) or at.wants(2):
        at.refuse("its scale depends on the input")
    parted = [0, groups, -1]
    if at.opset >= 21:
        g = (at.g * _along_channels(at, at.x(1))).reshape(parted)
    else:
        g = at.g.reshape(parted) * at.x(1).reshape([1, -1, 1])
    normal, inverse = normalised(at.x().reshape(parted), [2], float(at.node.attribute("epsilon", 1e-5)))
    return at.like(through_norm(g, normal, inverse, [2]))


@rule("MeanVarianceNormalization")
def _mean_variance_norm(at: Adjoint) -> Gradients:
    axes = [at.counted(axis) for axis in at.node.integers("axes") or (0, 2, 3)]
    normal, inverse = normalised(at.x(), axes, 1e-9)
    return through_norm(at.g, normal, inverse, axes)


@rule("LRN")
def _local_response_norm(at: Adjoint) -> Gradients:
    """y = x d^-beta with d = bias + alpha * mean of x^2 over a window of channels: that window is mirrored back."""
    size = at.node.integer("size", 1)
    alpha, beta = float(at.node.attribute("alpha", 1e-4)), float(at.node.attribute("beta", 0.75))
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    x = at.x()
    base = _channel_mean(at, x * x, size, before, after) * alpha + float(at.node.attribute("bias", 1.0))
    direct = at.g * at.emit.op("Pow", base, -beta)
    back = _channel_mean(at, direct * x / base, size, after, before)
    return direct - x * back * (2 * alpha * beta)


def _channel_mean(at: Adjoint, values: Signal, size: int, before: int, after: int) -> Signal:
    """Return the sum over a window of channels, divided by the window's size, of values `(N, C, ...)`."""
    lines = values.reshape(at.emit.concat([[0, 1], at.dim(1), [-1]]))
    pads = [before, 0, after, 0]
    return at.like(lines.map("AveragePool", kernel_shape=[size, 1], pads=pads, count_include_pad=1))


@rule("LpNormalization")
def _lp_norm(at: Adjoint) -> Gradients:
    """y = x / n: (g - dn/dx * sum(g y)) / n, with dn/dx = y for p = 2 and the sign of x for p = 1."""
    axes, power = [at.axis(-1)], at.node.integer("p", 2)
    y = at.y()
    length = at.x().reduce(f"L{power}", axes)
    slope = y if power == 2 else at.x().map("Sign")
    return (at.g - slope * (at.g * y).total(axes)) / length
