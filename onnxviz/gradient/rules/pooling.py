"""Pooling over windows and over whole maps."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule
from onnxviz.gradient.rules.window_sizes import WindowSizes, begin_pads, cut_to_map, window_sizes

_STEEP = 1e38


@rule("MaxPool")
def _max_pool(at: Adjoint) -> Gradients:
    """Where windows do not overlap and a Relu lies below, the greatest are found by comparing, else by their places.

    To compare finds all of equal numbers, as on a flat part of a picture: they share the gradient. Behind a Relu most
    are zeros, whose gradient the Relu takes away; unless what is asked for is the gradient of just this map.
    """
    windows = window_sizes(at, _kernel(at))
    if _is_behind_relu(at) and _tiles(windows) and not at.node.integer("ceil_mode", 0):
        return _by_comparing(at, windows)
    return exact_max_pool(at)


def exact_max_pool(at: Adjoint) -> Signal:
    """Return the gradient by the places of the greatest, computed anew: the forward keeps its node and its fusions."""
    windows = window_sizes(at, _kernel(at))
    pads = at.node.integers("pads") if at.node.text("auto_pad", "NOTSET") == "NOTSET" else None
    attributes = {
        "kernel_shape": windows.kernel,
        "strides": windows.strides,
        "dilations": windows.dilations,
        "auto_pad": at.node.text("auto_pad", "NOTSET"),
        "ceil_mode": at.node.integer("ceil_mode", 0),
        "pads": pads,
    }
    _, places = at.emit.ops("MaxPool", at.x(), outputs=2, **attributes)
    apart = all(size <= step for size, step in zip(windows.kernel, windows.strides, strict=True))
    if apart and set(windows.dilations) == {1} and not attributes["ceil_mode"]:
        kept = {"kernel_shape": windows.kernel, "strides": windows.strides, "pads": pads}
        return at.emit.op("MaxUnpool", at.g, places, at.sizes(), **kept)
    count = at.sizes().reduce("Prod", [0])
    flat = at.emit.op(
        "ScatterElements", at.emit.zeros(count), places.reshape([-1]), at.g.reshape([-1]), axis=0, reduction="add"
    )
    return at.like(flat)


def _kernel(at: Adjoint) -> tuple[int, ...]:
    kernel = at.node.integers("kernel_shape")
    if not kernel or min(kernel) < 1:
        raise ValueError("it has no kernel_shape")
    return kernel


def _is_behind_relu(at: Adjoint) -> bool:
    value = at.node.inputs[0]
    maker = at.forward.graph.producers.get(value)
    return maker is not None and maker.operator == "Relu" and value not in at.kept


def _tiles(windows: WindowSizes) -> bool:
    """Return whether windows of two axes cover a map of known size with nothing between them and nothing left."""
    sizes = windows.known_sizes
    if len(windows.kernel) != 2 or windows.kernel != windows.strides or not windows.is_plain or sizes is None:
        return False
    return all(size % step == 0 for size, step in zip(sizes, windows.strides, strict=True))


def _by_comparing(at: Adjoint, windows: WindowSizes) -> Signal:
    """Return the gradient spread over each window, kept where the map is the window's greatest, shared among equals."""
    below = at.x() - _spread(at.y(), windows)
    greatest = below.map("HardSigmoid", alpha=_STEEP, beta=1.0)
    share = greatest.map("AveragePool", kernel_shape=windows.kernel, strides=windows.strides)
    return _spread(at.g / (share * float(math.prod(windows.kernel))), windows) * greatest


def _spread(signal: Signal, windows: WindowSizes) -> Signal:
    """Return each value as often as its window has positions."""
    scales = np.array([1, 1, *windows.kernel], np.float32)
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return signal.emit.op("Resize", signal, None, scales, **nearest)


@rule("AveragePool")
def _average_pool(at: Adjoint) -> Gradients:
    windows = window_sizes(at, _kernel(at))
    mean = at.g / _counts(at, windows)
    if _tiles(windows) and not at.node.integer("ceil_mode", 0):
        return _spread(mean, windows)
    return spread_sum(at, mean, windows)


def _counts(at: Adjoint, windows: WindowSizes) -> Signal | float:
    """Return by how many positions each window divides: those on the map, or with count_include_pad on the pads too."""
    rounds_up, with_pads = at.node.integer("ceil_mode", 0), at.node.integer("count_include_pad", 0)
    full = float(math.prod(windows.kernel))
    if (windows.is_plain and not rounds_up) or (with_pads and not rounds_up):
        return full
    sizes = windows.known_sizes
    if sizes is not None and windows.before is not None:
        return at.emit.constant(_known_counts(windows, sizes, with_pads=bool(with_pads), rounds_up=bool(rounds_up)))
    return _computed_counts(at, windows) * full


def _computed_counts(at: Adjoint, windows: WindowSizes) -> Signal:
    """Return for each window the share of its positions that count, by pooling ones over zeros."""
    emit, count = at.emit, len(windows.kernel)
    ones = emit.filled(emit.concat([[1, 1], at.sizes().slice(2, 2 + count)]), 1)
    pads = at.node.integers("pads") or (0,) * 2 * count
    if at.node.integer("ceil_mode", 0) and at.node.integer("count_include_pad", 0):
        at.refuse("ceil_mode with count_include_pad needs sizes that only a run tells")
    if at.node.integer("ceil_mode", 0):
        more = [step - 1 for step in windows.strides]
        pads = (*pads[:count], *(pad + extra for pad, extra in zip(pads[count:], more, strict=True)))
    attributes = {
        "kernel_shape": windows.kernel,
        "strides": windows.strides,
        "dilations": windows.dilations if set(windows.dilations) != {1} else None,
        "auto_pad": windows.same or None,
        "pads": None if windows.same else pads,
    }
    if attributes["dilations"] is not None:
        at.refuse("dilations with sizes that only a run tells")
    shares = emit.op("AveragePool", ones, count_include_pad=1, **attributes)
    made = at.g.sizes()
    for axis in windows.dimensions:
        shares = shares.slice(0, made.slice(axis + 2, axis + 3), axis + 2)
    return shares


def _known_counts(
    windows: WindowSizes, sizes: tuple[int, ...], *, with_pads: bool, rounds_up: bool
) -> npt.NDArray[np.float64]:
    """Return the count of each window, `(1, 1, ...)`: a product of one count an axis."""
    found = np.ones((1, 1, *(1,) * len(sizes)))
    before, after = windows.before or (), windows.after or ()
    for axis, size in enumerate(sizes):
        step, room = windows.strides[axis], size + before[axis] + after[axis] - windows.extents[axis]
        number = (-(-room // step) if rounds_up else room // step) + 1
        if rounds_up and (number - 1) * step >= size + before[axis]:
            number -= 1
        taps = np.arange(windows.kernel[axis]) * windows.dilations[axis] - before[axis]
        places = np.arange(number)[:, None] * step + taps
        low, high = (-before[axis], size + after[axis]) if with_pads else (0, size)
        counts = ((places >= low) & (places < high)).sum(axis=1)
        along = [1] * found.ndim
        along[axis + 2] = number
        found = found * counts.reshape(along)
    return found


def spread_sum(at: Adjoint, g: Signal, windows: WindowSizes) -> Signal:
    """Return the adjoint of the sum over windows: each value is added to all positions of its window.

    A ConvTranspose by ones, with the channels as batch, so that their number may be any.
    """
    emit, count = at.emit, len(windows.kernel)
    lines = g.reshape(emit.concat([[-1, 1], g.sizes().slice(2, 2 + count)]))
    ones = emit.constant(np.ones((1, 1, *windows.kernel)))
    full = emit.op("ConvTranspose", lines, ones, strides=windows.strides, dilations=windows.dilations)
    return at.like(cut_to_map(at, full, begin_pads(at, windows), count))


@rule("LpPool")
def _lp_pool(at: Adjoint) -> Gradients:
    """Of the p-norm y of a window: sign(x) * |x|^(p-1) / y^(p-1); 0 where the window is 0."""
    windows = window_sizes(at, _kernel(at))
    spread = spread_sum(at, _over_norm(at, at.y()), windows)
    return spread * _power(at)


@rule("GlobalLpPool")
def _global_lp_pool(at: Adjoint) -> Gradients:
    return _over_norm(at, at.y()) * _power(at)


def _over_norm(at: Adjoint, norm: Signal) -> Signal:
    """Return g / y^(p-1), 0 where y is 0."""
    power = float(at.node.attribute("p", 2)) - 1.0
    positive = norm > 0.0
    safe = at.emit.op("Where", positive, norm, 1.0)
    return (at.g / (safe if power == 1 else at.emit.op("Pow", safe, power))).where(positive)


def _power(at: Adjoint) -> Signal:
    """Return sign(x) * |x|^(p-1)."""
    power = float(at.node.attribute("p", 2)) - 1.0
    return at.x() if power == 1 else at.x().map("Sign") * at.emit.op("Pow", at.x().map("Abs"), power)


@rule("GlobalAveragePool")
def _global_average_pool(at: Adjoint) -> Gradients:
    space = list(range(2, at.rank()))
    return at.emit.op("Expand", at.g / at.emit.count(at.node.inputs[0], space), at.sizes())


@rule("GlobalMaxPool")
def _global_max_pool(at: Adjoint) -> Gradients:
    """All that are the greatest share the gradient evenly."""
    same = at.x().equals(at.y()).number()
    return same * (at.g / same.total(list(range(2, at.rank()))))


@rule("MaxUnpool")
def _max_unpool(at: Adjoint) -> Gradients:
    """The gradient is picked from the places to which the values went."""
    if at.has(2):
        at.refuse("its output_shape shifts the places")
    places = at.x(1).reshape([-1])
    return at.emit.op("Gather", at.g.reshape([-1]), places, axis=0).reshape(at.sizes())
