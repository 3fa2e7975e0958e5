"""Quantised operators, straight through: the gradient is that of the numbers which codes stand for, as if none of them
were rounded. What was cut off at the ends of the codes' range gets none.

A gradient to codes is to them as numbers: where `x = (codes - zero point) * scale`, it is `scale` times that to x.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule
from onnxviz.gradient.rules.convolution import conv_to_input
from onnxviz.gradient.rules.linear_algebra import swapped
from onnxviz.gradient.rules.window_sizes import window_sizes

_ENDS: Mapping[str, tuple[int, int]] = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
}


def _inside(at: Adjoint) -> Signal:
    """Return where a node's codes are not at an end of their range."""
    dtype = at.forward.dtype(at.node.outputs[0]) or "uint8"
    if dtype not in _ENDS:
        at.refuse(f"its codes are {dtype}")
    low, high = _ENDS[dtype]
    codes = at.y().number()
    return (codes > float(low)) & (codes < float(high))


def _along_axis(at: Adjoint, place: int, axis: int) -> Signal:
    """Return the scale at a place, along an axis of the first input where it is a vector."""
    scale = at.x(place)
    if at.shape(place) in ((), (1,)):
        return scale.reshape([])
    if len(at.shape(place)) > 1:
        at.refuse("its scales are of blocks")
    counted = at.counted(axis)
    return scale.reshape([-1 if each == counted else 1 for each in range(at.rank())])


@rule("QuantizeLinear")
def _quantize(at: Adjoint) -> Gradients:
    return (at.g / _along_axis(at, 1, at.node.integer("axis", 1))).where(_inside(at))


@rule("DequantizeLinear")
def _dequantize(at: Adjoint) -> Gradients:
    return at.g * _along_axis(at, 1, at.node.integer("axis", 1))


@rule("DynamicQuantizeLinear", outputs=True)
def _dynamic_quantize(at: Adjoint) -> Gradients:
    """The scale counts as a constant: it follows two numbers of the input alone."""
    return None if at.gradients[0] is None else at.g / at.y(1)


def _number(at: Adjoint, codes: int, zero: int) -> Signal:
    """Return codes less their zero point, in the dtype of gradients."""
    numbers = at.x(codes).number()
    return numbers - at.x(zero).number() if at.has(zero) else numbers


@rule("MatMulInteger")
def _mat_mul_integer(at: Adjoint) -> Gradients:
    _check_matrices(at, 0, 1)
    left = _batched(at, at.emit.op("MatMul", at.g, swapped(_right(at, 1, 3), at.rank(1))), 0) if at.wants(0) else None
    right = _batched(at, at.emit.op("MatMul", swapped(_number(at, 0, 2), at.rank(0)), at.g), 1) if at.wants(1) else None
    return [left, right]


def _check_matrices(at: Adjoint, left: int, right: int) -> None:
    if min(at.rank(left), at.rank(right)) < 2:
        at.refuse("a side of the product is a vector")


def _right(at: Adjoint, codes: int, zero: int) -> Signal:
    """Return the right side less its zero point, one number or one for each column."""
    numbers = at.x(codes).number()
    if not at.has(zero):
        return numbers
    return numbers - at.x(zero).number()


def _batched(at: Adjoint, gradient: Signal, place: int) -> Signal:
    """Return a gradient of matrices summed over the batches along which they were repeated."""
    rank = max(at.rank(0), at.rank(1) if place < 2 else at.rank(place))
    if at.rank(place) == rank:
        return gradient
    return gradient.total(list(range(rank - at.rank(place))), keep=False)


@rule("ConvInteger")
def _conv_integer(at: Adjoint) -> Gradients:
    if at.wants(1):
        at.refuse("its weights depend on the input")
    weights = at.x(1).number()
    if at.has(3):
        zero = at.x(3).number()
        weights = weights - (zero if at.shape(3) in ((), (1,)) else zero.reshape([-1, *(1,) * (at.rank() - 1)]))
    return conv_to_input(at, at.g, weights, window_sizes(at, _kernel_sizes(at, 1)))


def _kernel_sizes(at: Adjoint, place: int) -> tuple[int, ...]:
    sizes = at.forward.sizes(at.node.inputs[place])
    if sizes is None:
        at.refuse("the size of its kernel is not known before a run")
    return sizes[2:]


@rule("QLinearConv")
def _q_linear_conv(at: Adjoint) -> Gradients:
    """x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias."""
    if at.wants(3):
        at.refuse("its weights depend on the input")
    rank = at.rank()
    scale, zero = at.x(4), at.x(5).number()
    if at.shape(4) not in ((), (1,)):
        scale = scale.reshape([-1, *(1,) * (rank - 1)])
        zero = zero if at.shape(5) in ((), (1,)) else zero.reshape([-1, *(1,) * (rank - 1)])
    else:
        scale, zero = scale.reshape([]), zero.reshape([])
    weights = (at.x(3).number() - zero) * scale
    g = _to_results(at, 6) * at.x(1).reshape([])
    return conv_to_input(at, g, weights, window_sizes(at, _kernel_sizes(at, 3)), place=3)


def _to_results(at: Adjoint, scale: int) -> Signal:
    """Return the gradient to the numbers that the codes of a result stand for."""
    return at.g.where(_inside(at)) / at.x(scale).reshape([])


@rule("QLinearMatMul")
def _q_linear_mat_mul(at: Adjoint) -> Gradients:
    """a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero."""
    if any(at.shape(place) not in ((), (1,)) for place in (1, 4, 6)):
        at.refuse("its scales are vectors")
    _check_matrices(at, 0, 3)
    g = _to_results(at, 6) * (at.x(1) * at.x(4)).reshape([])
    found: list[Signal | None] = [None] * 4
    ranks = at.rank(0), at.rank(3)
    if at.wants(0):
        product = at.emit.op("MatMul", g, swapped(_right(at, 3, 5), ranks[1]))
        found[0] = product.total(list(range(max(ranks) - ranks[0])), keep=False)
    if at.wants(3):
        product = at.emit.op("MatMul", swapped(_number(at, 0, 2), ranks[0]), g)
        found[3] = product.total(list(range(max(ranks) - ranks[1])), keep=False)
    return found


@rule("QLinearAdd QLinearMul")
def _q_linear_pair(at: Adjoint) -> Gradients:
    """a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero."""
    g = _to_results(at, 6)
    found: list[Signal | None] = [None] * 4
    for place, other in ((0, 3), (3, 0)):
        if at.wants(place):
            scaled = g * at.x(place + 1).reshape([])
            if at.node.op == "QLinearMul":
                scaled = scaled * (_number(at, other, other + 2) * at.x(other + 1).reshape([]))
            found[place] = at.fitted(scaled, place)
    return found


@rule("QLinearConcat")
def _q_linear_concat(at: Adjoint) -> Gradients:
    """y_scale, y_zero, then each operand with its scale and zero point."""
    places = list(range(2, len(at.node.inputs), 3))
    axis = at.node.integer("axis", 0)
    parts = at.emit.concat([at.dim(axis, place) for place in places])
    found: list[Signal | None] = [None] * len(at.node.inputs)
    split = at.emit.ops("Split", _to_results(at, 0), parts, outputs=len(places), axis=axis)
    for place, g in zip(places, split, strict=True):
        found[place] = g * at.x(place + 1).reshape([]) if at.wants(place) else None
    return found


@rule("QLinearGlobalAveragePool")
def _q_linear_global_average_pool(at: Adjoint) -> Gradients:
    """x, x_scale, x_zero, y_scale, y_zero."""
    if at.node.integer("channels_last", 0):
        at.refuse("its channels lie last")
    space = list(range(2, at.rank()))
    g = _to_results(at, 3) * at.x(1).reshape([])
    return at.emit.op("Expand", g / at.emit.count(at.node.inputs[0], space), at.sizes())


@rule("QLinearSigmoid QLinearLeakyRelu")
def _q_linear_activation(at: Adjoint) -> Gradients:
    """x, x_scale, x_zero, y_scale, y_zero; from the numbers that the result's codes stand for."""
    y = (
        (at.y().number() - at.x(4).number()) * at.x(3).reshape([])
        if at.has(4)
        else at.y().number() * at.x(3).reshape([])
    )
    if at.node.op == "QLinearSigmoid":
        slope = y * (1.0 - y)
    else:
        slope = at.emit.op("Where", y > 0.0, 1.0, float(at.node.attribute("alpha", 0.01)))
    return _to_results(at, 3) * at.x(1).reshape([]) * slope


@rule("QGemm")
def _q_gemm(at: Adjoint) -> Gradients:
    """a, a_scale, a_zero, b, b_scale, b_zero, bias, y_scale, y_zero; without y_scale the result is numbers."""
    if at.wants(3) or at.node.integer("transA", 0):
        at.refuse("its weights depend on the input, or its left side is transposed")
    g = _to_results(at, 7) if at.has(7) else at.g
    scale, zero = at.x(4), at.x(5).number()
    if at.shape(4) not in ((), (1,)):
        along = [-1, 1] if at.node.integer("transB", 0) else [1, -1]
        scale, zero = scale.reshape(along), zero.reshape(along)
    else:
        scale, zero = scale.reshape([]), zero.reshape([])
    weights = (at.x(3).number() - zero) * scale
    factor = at.x(1).reshape([]) * float(at.node.attribute("alpha", 1.0))
    return at.emit.op("Gemm", g * factor, weights, transB=1 - at.node.integer("transB", 0))


@rule("MatMulIntegerToFloat")
def _mat_mul_integer_to_float(at: Adjoint) -> Gradients:
    """a, b, a_scale, b_scale, a_zero, b_zero, bias."""
    _check_matrices(at, 0, 1)
    if at.wants(1):
        at.refuse("its weights depend on the input")
    zero = at.x(5).number() if at.has(5) else at.emit.constant(np.zeros(()))
    weights = (at.x(1).number() - zero) * at.x(3)
    g = at.g * at.x(2)
    return at.emit.op("MatMul", g, swapped(weights, at.rank(1)))


@rule("DynamicQuantizeMatMul")
def _dynamic_quantize_mat_mul(at: Adjoint) -> Gradients:
    """a, b, b_scale, b_zero, bias; a in numbers, quantised on the way."""
    if at.wants(1):
        at.refuse("its weights depend on the input")
    zero = at.x(3).number() if at.has(3) else at.emit.constant(np.zeros(()))
    return at.emit.op("MatMul", at.g, swapped((at.x(1).number() - zero) * at.x(2), at.rank(1)))
