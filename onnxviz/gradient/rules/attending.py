"""Attention written as one operator, and the rotation of its queries and keys.

With scores `s = scale * q k^T`, weights `p = softmax(s)` and `y = p v`:

    to v: p^T g       to p: g v^T       to s: p (dp - sum(dp p))       to q: scale * ds k       to k: scale * ds^T q
"""

from __future__ import annotations

import numpy as np

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule
from onnxviz.gradient.rules.linear_algebra import swapped

_NEVER = -1e30


class _Sides:
    """Queries, keys and values of an Attention of ONNX as `(N, heads, T, C)`, keys and values as often as needed."""

    def __init__(self, at: Adjoint) -> None:
        self.at = at
        self.is_flat = at.rank() == 3
        self.heads = self._heads("q_num_heads", 0), self._heads("kv_num_heads", 1)
        if self.heads[0] % self.heads[1]:
            raise ValueError(f"{self.heads[0]} heads do not share {self.heads[1]}")
        self.repeats = self.heads[0] // self.heads[1]
        self.q = self._parted(0, self.heads[0])
        self.k, self.v = (self._repeated(self._with_past(place, past)) for place, past in ((1, 4), (2, 5)))

    def _heads(self, attribute: str, place: int) -> int:
        found = self.at.node.integer(attribute, 0) if self.is_flat else self.at.shape(place)[1]
        if not isinstance(found, int) or found < 1:
            self.at.refuse("how many heads it has is not known before a run")
        return found

    def _parted(self, place: int, heads: int) -> Signal:
        return self.split(self.at.x(place), heads) if self.is_flat else self.at.x(place)

    def split(self, flat: Signal, heads: int) -> Signal:
        """Return `(N, T, heads * C)` as `(N, heads, T, C)`."""
        return flat.reshape([0, 0, heads, -1]).transpose([0, 2, 1, 3])

    def joined(self, parted: Signal, place: int) -> Signal:
        """Return `(N, heads, T, C)` as the operand at a place has it."""
        return self.at.like(parted.transpose([0, 2, 1, 3]), place) if self.is_flat else parted

    def _with_past(self, place: int, past: int) -> Signal:
        own = self._parted(place, self.heads[1])
        return self.at.emit.concat([self.at.x(past), own], axis=2) if self.at.has(past) else own

    def _repeated(self, parted: Signal) -> Signal:
        if self.repeats == 1:
            return parted
        emit, sizes = self.at.emit, parted.sizes()
        lead, rest = sizes.slice(0, 2), sizes.slice(2, None)
        wide = emit.op("Expand", parted.unsqueeze([2]), emit.concat([lead, [self.repeats], rest]))
        return wide.reshape(emit.concat([sizes.slice(0, 1), [-1], rest]))

    def own(self, gradient: Signal, place: int, past: int) -> tuple[Signal, Signal | None]:
        """Return the gradients of what a side was given, and of its past."""
        emit = self.at.emit
        if self.repeats > 1:
            sizes = gradient.sizes()
            parted = gradient.reshape(
                emit.concat([sizes.slice(0, 1), [self.heads[1], self.repeats], sizes.slice(2, None)])
            )
            gradient = parted.total([2], keep=False)
        if not self.at.has(past):
            return self.joined(gradient, place), None
        length = self.at.dim(2, past)
        return self.joined(gradient.slice(length, None, 2), place), gradient.slice(emit.ints([0]), length, 2)


@rule("Attention", outputs=True)
def _attention(at: Adjoint) -> Gradients:
    """Inputs: q, k, v, mask, past key, past value."""
    if at.node.domain == "com.microsoft":
        at.refuse("onnxruntime's own operator packs its weights")
    if any(gradient is not None for gradient in at.gradients[1:]):
        at.refuse("another output than its first matters to the target")
    if at.has(6) or any(at.node.integer(f"{side}_window_size", -1) >= 0 for side in ("left", "right")):
        at.refuse("its keys are padded, or seen through a window")
    sides = _Sides(at)
    scale = _scale(at, sides)
    raw = at.emit.op("MatMul", sides.q * scale, swapped(sides.k, 4))
    cap = float(at.node.attribute("softcap", 0.0))
    bounded = (raw / cap).map("Tanh") if cap > 0 else None
    weights = _weights(at, raw if bounded is None else bounded * cap)
    g = sides.split(at.g, sides.heads[0]) if sides.is_flat else at.g
    back = at.emit.op("MatMul", g, swapped(sides.v, 4))
    scores = weights * (back - (back * weights).total([3]))
    mask = at.emit.summed_to(scores, scores.sizes(), at.sizes(3)) if at.wants(3) else None
    scores = scores if bounded is None else scores * (1.0 - bounded * bounded)
    q = sides.joined(at.emit.op("MatMul", scores, sides.k) * scale, 0) if at.wants(0) else None
    k, past_k = sides.own(at.emit.op("MatMul", swapped(scores, 4), sides.q * scale), 1, 4)
    v, past_v = sides.own(at.emit.op("MatMul", swapped(weights, 4), g), 2, 5)
    return [q, k, v, mask, past_k, past_v]


def _scale(at: Adjoint, sides: _Sides) -> Signal | float:
    given = at.node.attribute("scale")
    if given is not None:
        return float(given)
    last = at.shape()[-1]
    if isinstance(last, int):
        return float(1 / np.sqrt(last // sides.heads[0] if sides.is_flat else last))
    return 1.0 / sides.q.sizes().slice(3, 4).squeeze([0]).number().map("Sqrt")


def _weights(at: Adjoint, scores: Signal) -> Signal:
    """Return the softmax of scores where the mask and the order of time let them through."""
    emit, allowed = at.emit, None
    if at.has(3):
        mask = at.x(3)
        width = scores.sizes().slice(3, 4)
        missing = width - mask.sizes().slice(at.rank(3) - 1, at.rank(3))
        lead = emit.ints([0] * (2 * at.rank(3) - 1))
        pads = emit.concat([lead, missing])
        if at.forward.dtype(at.node.inputs[3]) == "bool":
            allowed = emit.op("Pad", mask.number(), pads, 0.0) > 0.5
        else:
            scores = scores + emit.op("Pad", mask, pads, _NEVER)
    if at.node.integer("is_causal", 0):
        seen = _causal(at, scores)
        allowed = seen if allowed is None else allowed & seen
    if allowed is None:
        return emit.op("Max", scores, _NEVER).map("Softmax", axis=3)
    held = emit.op("Where", allowed, emit.op("Max", scores, _NEVER), _NEVER)
    return held.map("Softmax", axis=3) * allowed.number()


def _causal(at: Adjoint, scores: Signal) -> Signal:
    """Return where a key does not lie behind its query, `(T, L)`; what is past lies before all of them."""
    emit, sizes = at.emit, scores.sizes()
    zero, one = emit.ints(0), emit.ints(1)
    rows = emit.op("Range", zero, sizes.slice(2, 3).squeeze([0]), one).unsqueeze([1])
    columns = emit.op("Range", zero, sizes.slice(3, 4).squeeze([0]), one).unsqueeze([0])
    offset = at.dim(2, 4) if at.has(4) else emit.ints([0])
    return columns < rows + offset + emit.ints([1])


@rule("RotaryEmbedding")
def _rotary(at: Adjoint) -> Gradients:
    """A rotation of pairs by an angle; back it is the rotation by minus that angle."""
    if at.node.domain == "com.microsoft":
        at.refuse("onnxruntime's own operator has its inputs in another order")
    if at.wants(1) or at.wants(2):
        at.refuse("its angles depend on the input")
    emit, is_flat = at.emit, at.rank() == 3
    g = at.g.reshape([0, 0, at.node.integer("num_heads", 0), -1]) if is_flat else at.g.transpose([0, 2, 1, 3])
    cosine, sine = (_angles(at, place).unsqueeze([2]) for place in (1, 2))
    turned = at.node.integer("rotary_embedding_dim", 0)
    head, rest = (g.slice(0, turned, 3), g.slice(turned, None, 3)) if turned else (g, None)
    if at.node.integer("interleaved", 0):
        pairs = head.reshape([0, 0, 0, -1, 2])
        first, second = (pairs.slice(k, k + 1, 4).squeeze([4]) for k in (0, 1))
        both = [each.unsqueeze([4]) for each in _turned_back(first, second, cosine, sine)]
        found = emit.concat(both, axis=4).reshape([0, 0, 0, -1])
    else:
        half = head.sizes().slice(3, 4) / emit.ints([2])
        first, second = head.slice(emit.ints([0]), half, 3), head.slice(half, None, 3)
        found = emit.concat(_turned_back(first, second, cosine, sine), axis=3)
    found = found if rest is None else emit.concat([found, rest], axis=3)
    return at.like(found) if is_flat else found.transpose([0, 2, 1, 3])


def _turned_back(first: Signal, second: Signal, cosine: Signal, sine: Signal) -> list[Signal]:
    return [first * cosine + second * sine, second * cosine - first * sine]


def _angles(at: Adjoint, place: int) -> Signal:
    return at.emit.op("Gather", at.x(place), at.x(3), axis=0) if at.has(3) else at.x(place)
