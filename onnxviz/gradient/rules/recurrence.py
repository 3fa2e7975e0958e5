"""Recurrent layers: LSTM, GRU and RNN, by two Scans for each direction.

The first goes the way of the layer and computes the gates of each step anew, of which a model keeps none. The second
comes back: it carries the gradients of the states, and makes of each step the gradient of what its gates add up, `z`.
Of all steps together the gradient to the input is `dz W`, that to the weights `dz^T x`.

Formulas of the gates are those of ONNX's operators; their derivatives are written beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onnxviz.gradient.emit import Emitter, Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}


@dataclass(frozen=True, slots=True)
class _Direction:
    """One direction of a layer, time first.

    Attributes:
        at: the node.
        backwards: whether it reads the last step first.
        size: of the state.
        sums: `z = x W^T + b` of each step, `(T, N, gates * H)`.
        recurrent: `(gates * H, H)`.
        recurrent_bias: `(gates * H,)`, if any; it is in `sums` already, except where a GRU asks for it apart.
        peepholes: `(3 * H,)` of an LSTM, if any.
        states: what the first step is given.
        g: the gradient of each step's state, `(T, N, H)`.
        g_last: the gradients of the last states.
    """

    at: Adjoint
    backwards: bool
    size: int
    sums: Signal
    recurrent: Signal
    recurrent_bias: Signal | None
    peepholes: Signal | None
    states: tuple[Signal, ...]
    g: Signal
    g_last: tuple[Signal, ...]

    @property
    def emit(self) -> Emitter:
        return self.at.emit

    def parts(self, signal: Signal, count: int, axis: int = -1) -> list[Signal]:
        """Return the parts that gates have of an axis."""
        sizes = self.emit.ints([self.size] * count)
        return self.emit.ops("Split", signal, sizes, outputs=count, axis=axis)


@dataclass(frozen=True, slots=True)
class _Back:
    """What comes back of a direction: the gradient of `z`, those of the first states, and the states before steps."""

    sums: Signal
    states: tuple[Signal, ...]
    before: Signal


@rule("LSTM GRU RNN", outputs=True)
def _recurrent(at: Adjoint) -> Gradients:
    _check(at)
    kind, batch_first = at.node.op, bool(at.node.integer("layout", 0))
    x = at.x().transpose([1, 0, 2]) if batch_first else at.x()
    numbers = range(2 if at.node.text("direction", "forward") == "bidirectional" else 1)
    found = [_come_back(_direction(at, x, number, batch_first), kind) for number in numbers]
    weights = [_of(at, 1, number) for number in numbers]
    results: list[Signal | None] = [None] * 8
    if at.wants(0):
        parts = [at.emit.op("MatMul", back.sums, w) for back, w in zip(found, weights, strict=True)]
        g = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        results[0] = g.transpose([1, 0, 2]) if batch_first else g
    if at.wants(1):
        results[1] = at.emit.concat([_outer(back.sums, x).unsqueeze([0]) for back in found])
    if at.wants(2):
        if kind == "GRU":
            at.refuse("its recurrent weights depend on the input")
        results[2] = at.emit.concat([_outer(back.sums, back.before).unsqueeze([0]) for back in found])
    if at.wants(3):
        if kind == "GRU":
            at.refuse("its bias depends on the input")
        sums = [back.sums.total([0, 1], keep=False).unsqueeze([0]) for back in found]
        results[3] = at.emit.concat([at.emit.concat([each, each], axis=1) for each in sums])
    for number, place in enumerate((5, 6)[: len(found[0].states)]):
        if at.wants(place):
            states = at.emit.concat([back.states[number].unsqueeze([0]) for back in found])
            results[place] = states.transpose([1, 0, 2]) if batch_first else states
    if at.wants(7):
        at.refuse("its peepholes depend on the input")
    return results


def _check(at: Adjoint) -> None:
    kind = at.node.op
    usual = _USUAL[kind]
    given = at.node.attribute("activations") or usual
    allowed = ("Tanh", "Relu", "Sigmoid") if kind == "RNN" else ()
    for place, name in enumerate(given):
        if name.lower() != usual[place % len(usual)].lower() and name not in allowed:
            at.refuse(f"its activation is {name}")
    if at.node.attribute("clip") is not None or at.node.integer("input_forget", 0):
        at.refuse("it clips its gates, or couples two of them")
    lengths, steps = at.numbers(4), at.shape()[1 if at.node.integer("layout", 0) else 0]
    if at.has(4) and (lengths is None or any(length != steps for length in lengths)):
        at.refuse("its sequences have lengths of their own")


def _of(at: Adjoint, place: int, number: int) -> Signal:
    """Return a direction's part of an input."""
    return at.x(place).slice(number, number + 1).squeeze([0])


def _direction(at: Adjoint, x: Signal, number: int, batch_first: bool) -> _Direction:
    emit, kind = at.emit, at.node.op
    recurrent = at.shape(2)
    size, gates = recurrent[2], _GATES[kind]
    if not isinstance(size, int):
        at.refuse("the size of its state is not known before a run")
    backwards = at.node.text("direction", "forward") == "reverse" or number == 1
    sums = emit.op("MatMul", x, _of(at, 1, number).transpose([1, 0]))
    own = None
    if at.has(3):
        bias = _of(at, 3, number)
        given, own = bias.slice(0, gates * size), bias.slice(gates * size, None)
        if kind == "GRU":
            # A GRU multiplies the bias of its last gate by another gate, where `linear_before_reset` says so.
            apart = own.slice(2 * size, None)
            joined = emit.concat([own.slice(0, 2 * size), apart * 0.0])
            sums, own = sums + (given + joined), apart
        else:
            sums = sums + (given + own)
    lead = x.sizes().slice(1, 2)
    zeros = emit.zeros(emit.concat([lead, [size]]))
    count = 2 if kind == "LSTM" else 1
    states = [_state(at, place, number, batch_first) if at.has(place) else zeros for place in (5, 6)[:count]]
    last = [_last(at, place, number, batch_first) or zeros for place in (1, 2)[:count]]
    peepholes = _of(at, 7, number) if kind == "LSTM" and at.has(7) else None
    g = _of_steps(at, number, batch_first)
    if g is None:
        g = emit.zeros(emit.concat([x.sizes().slice(0, 2), [size]]))
    shared = (_of(at, 2, number), own, peepholes)
    return _Direction(at, backwards, size, sums, *shared, tuple(states), g, tuple(last))


def _state(at: Adjoint, place: int, number: int, batch_first: bool) -> Signal:
    state = at.x(place).transpose([1, 0, 2]) if batch_first else at.x(place)
    return state.slice(number, number + 1).squeeze([0])


def _last(at: Adjoint, place: int, number: int, batch_first: bool) -> Signal | None:
    g = at.gradients[place] if place < len(at.gradients) else None
    if g is None:
        return None
    return (g.transpose([1, 0, 2]) if batch_first else g).slice(number, number + 1).squeeze([0])


def _of_steps(at: Adjoint, number: int, batch_first: bool) -> Signal | None:
    """Return the gradient of one direction's states, `(T, N, H)`."""
    g = at.gradients[0]
    if g is None:
        return None
    return (g.transpose([1, 2, 0, 3]) if batch_first else g).slice(number, number + 1, 1).squeeze([1])


def _outer(left: Signal, right: Signal) -> Signal:
    """Return the sum over all steps and items of left times right, `(T, N, A)` and `(T, N, B)` to `(A, B)`."""
    sides = [side.reshape(side.emit.concat([[-1], side.sizes().slice(2, 3)])) for side in (left, right)]
    return left.emit.op("Gemm", *sides, transA=1)


def _come_back(direction: _Direction, kind: str) -> _Back:
    return {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[kind](direction)


def _lstm(way: _Direction) -> _Back:
    """Gates i, o, f and c: c' = f c + i tanh(c gate), h' = o tanh(c')."""
    emit, turned = way.emit, way.recurrent.transpose([1, 0])
    peeps = way.parts(way.peepholes, 3) if way.peepholes is not None else []

    def forth(states: list[Signal], parts: list[Signal]) -> tuple[list[Signal], list[Signal]]:
        h, c = states
        i, o, f, u = way.parts(parts[0] + emit.op("MatMul", h, turned), 4)
        if peeps:
            i, f = i + peeps[0] * c, f + peeps[2] * c
        i, f, u = i.map("Sigmoid"), f.map("Sigmoid"), u.map("Tanh")
        following = f * c + i * u
        o = (o + peeps[1] * following if peeps else o).map("Sigmoid")
        bounded = following.map("Tanh")
        return [o * bounded, following], [h, c, bounded, i, o, f, u]

    _, (before, cells, bounded, i, o, f, u) = emit.scan(way.states, [way.sums], forth, from_the_end=way.backwards)

    def back(states: list[Signal], parts: list[Signal]) -> tuple[list[Signal], list[Signal]]:
        g, c, t, i, o, f, u = parts
        dh = states[0] + g
        do = dh * t * o * (1.0 - o)
        dc = states[1] + dh * o * (1.0 - t * t)
        dc = dc + do * peeps[1] if peeps else dc
        di, df, du = dc * u * i * (1.0 - i), dc * c * f * (1.0 - f), dc * i * (1.0 - u * u)
        dz = emit.concat([di, do, df, du], axis=-1)
        kept = dc * f + (di * peeps[0] + df * peeps[2]) if peeps else dc * f
        return [emit.op("MatMul", dz, way.recurrent), kept], [dz]

    given = [way.g, cells, bounded, i, o, f, u]
    first, (sums,) = emit.scan(way.g_last, given, back, from_the_end=not way.backwards)
    return _Back(sums, tuple(first), before)


def _gru(way: _Direction) -> _Back:
    """Gates z, r and h: h' = (1 - z) n + z h, n = tanh(x + R (r h)), or tanh(x + r (R h + b))."""
    emit, size = way.emit, way.size
    late = bool(way.at.node.integer("linear_before_reset", 0))
    gates, candidate = way.recurrent.slice(0, 2 * size), way.recurrent.slice(2 * size, None)
    turned, candidate_turned = gates.transpose([1, 0]), candidate.transpose([1, 0])

    def added(product: Signal) -> Signal:
        return product if way.recurrent_bias is None else product + way.recurrent_bias

    def forth(states: list[Signal], parts: list[Signal]) -> tuple[list[Signal], list[Signal]]:
        (h,) = states
        zx, rx, nx = way.parts(parts[0], 3)
        zh, rh = way.parts(emit.op("MatMul", h, turned), 2)
        z, r = (zx + zh).map("Sigmoid"), (rx + rh).map("Sigmoid")
        q = added(emit.op("MatMul", h if late else r * h, candidate_turned))
        n = (nx + (r * q if late else q)).map("Tanh")
        return [(1.0 - z) * n + z * h], [h, z, r, n, q]

    _, (before, z, r, n, q) = emit.scan(way.states, [way.sums], forth, from_the_end=way.backwards)

    def back(states: list[Signal], parts: list[Signal]) -> tuple[list[Signal], list[Signal]]:
        g, h, z, r, n, q = parts
        dh = states[0] + g
        dz = dh * (h - n) * z * (1.0 - z)
        dn = dh * (1.0 - z) * (1.0 - n * n)
        through = emit.op("MatMul", dn * r if late else dn, candidate)
        dr = (dn * q if late else through * h) * r * (1.0 - r)
        both = emit.op("MatMul", emit.concat([dz, dr], axis=-1), gates)
        return [dh * z + both + (through if late else through * r)], [emit.concat([dz, dr, dn], axis=-1)]

    first, (sums,) = emit.scan(way.g_last, [way.g, before, z, r, n, q], back, from_the_end=not way.backwards)
    return _Back(sums, tuple(first), before)


_SLOPES: dict[str, Callable[[Signal], Signal]] = {
    "tanh": lambda y: 1.0 - y * y,
    "sigmoid": lambda y: y * (1.0 - y),
    "relu": lambda y: (y > 0.0).number(),
}


def _rnn(way: _Direction) -> _Back:
    """h' = f(x + R h)."""
    emit, turned = way.emit, way.recurrent.transpose([1, 0])
    names: Sequence[str] = way.at.node.attribute("activations") or ("Tanh",)
    name = names[-1 if way.backwards else 0]

    def forth(states: list[Signal], parts: list[Signal]) -> tuple[list[Signal], list[Signal]]:
        following = (parts[0] + emit.op("MatMul", states[0], turned)).map(name)
        return [following], [states[0], following]

    _, (before, made) = emit.scan(way.states, [way.sums], forth, from_the_end=way.backwards)

    def back(states: list[Signal], parts: list[Signal]) -> tuple[list[Signal], list[Signal]]:
        dz = (states[0] + parts[0]) * _SLOPES[name.lower()](parts[1])
        return [emit.op("MatMul", dz, way.recurrent)], [dz]

    first, (sums,) = emit.scan(way.g_last, [way.g, made], back, from_the_end=not way.backwards)
    return _Back(sums, tuple(first), before)
