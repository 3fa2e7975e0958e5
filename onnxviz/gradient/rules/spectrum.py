"""Fourier transforms: sums over cosines and sines, so that the gradient is the sum the other way.

real part k:  sum over n of  cos(2 pi k n / N) re - s sin(2 pi k n / N) im       s = 1, or -1 of the inverse
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule


def _waves(at: Adjoint, length: Signal, rows: Signal) -> tuple[Signal, Signal]:
    """Return cosine and sine, `(rows, length)`; `k n` is taken modulo N while it is whole, so that nothing rounds."""
    emit = at.emit
    zero, one = emit.ints(0), emit.ints(1)
    places = emit.op("Range", zero, length.squeeze([0]), one)
    turns = emit.op("Mod", emit.op("Range", zero, rows.squeeze([0]), one).unsqueeze([1]) * places, length)
    angles = turns.number() * (2 * math.pi) / length.number()
    return angles.map("Cos"), angles.map("Sin")


@rule("DFT")
def _dft(at: Adjoint) -> Gradients:
    """Inputs: signal `(..., 1 or 2)`, length, and from opset 20 on the axis."""
    emit, rank = at.emit, at.rank()
    axis, inverse = _transformed_axis(at), bool(at.node.integer("inverse", 0))
    parts = at.shape()[-1]
    if parts not in (1, 2) or (inverse and at.node.integer("onesided", 0)):
        at.refuse("whether its signal is complex is not known before a run, or it makes a real signal")
    own = at.dim(axis)
    length = at.x(1).index().reshape([1]) if at.has(1) else own
    rows = emit.dim(at.node.outputs[0], axis)
    cosine, sine = _waves(at, length, rows)
    sine = -sine if inverse else sine
    order = [*(other for other in range(rank - 1) if other != axis), axis]
    real, imaginary = (at.g.slice(k, k + 1, rank - 1).squeeze([rank - 1]).transpose(order) for k in (0, 1))
    found = [emit.op("MatMul", real, cosine) - emit.op("MatMul", imaginary, sine)]
    if parts == 2:
        found.append(emit.op("MatMul", real, sine) + emit.op("MatMul", imaginary, cosine))
    if inverse:
        found = [each / length.number() for each in found]
    zeros = emit.ints([0] * (2 * (rank - 1) - 1))
    fitted = [emit.op("Pad", each, emit.concat([zeros, own - length]), 0.0) for each in found]
    back = [_undone(each, order).unsqueeze([rank - 1]) for each in fitted]
    return emit.concat(back, axis=rank - 1)


def _transformed_axis(at: Adjoint) -> int:
    if at.opset < 20:
        return at.axis(1)
    given = at.known(2) if at.has(2) else None
    return at.counted(given[0] if given else -2)


def _undone(signal: Signal, order: Sequence[int]) -> Signal:
    return signal.transpose([list(order).index(axis) for axis in range(len(order))])


@rule("STFT")
def _stft(at: Adjoint) -> Gradients:
    """Inputs: signal `(N, L, 1)`, step, window, length. Frames come back by a ConvTranspose of the waves."""
    emit = at.emit
    step = at.known(1)
    if step is None or (at.rank() == 3 and at.shape()[-1] != 1):
        at.refuse("its signal is complex, or its step is not known before a run")
    if at.wants(2):
        at.refuse("its window depends on the input")
    length = at.x(3).index().reshape([1]) if at.has(3) else at.dim(0, 2)
    whole = length if not at.node.integer("onesided", 1) else length / emit.ints([2]) + emit.ints([1])
    cosine, sine = _waves(at, length, whole)
    if at.has(2):
        cosine, sine = cosine * at.x(2), sine * at.x(2)
    frames = at.g.transpose([0, 2, 1, 3])
    real, imaginary = (frames.slice(k, k + 1, 3).squeeze([3]) for k in (0, 1))
    stride = [step[0]]
    summed = [
        emit.op("ConvTranspose", part, kernel.unsqueeze([1]), strides=stride)
        for part, kernel in ((real, cosine), (imaginary, sine))
    ]
    found = summed[0] - summed[1]
    missing = at.dim(1) - found.sizes().slice(2, 3)
    return at.like(found.pad(emit.concat([[0, 0, 0, 0, 0], missing])))
