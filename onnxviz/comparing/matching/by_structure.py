"""Pairs by structure: the same operator on inputs that correspond, read by operations that correspond.

Between layers that are known to be the same, the walk forward pairs what reads corresponding values, the walk backward
what is read at corresponding places. Where both agree, or a layer beside is known by its weights or its name, the pair
is sure; else it is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnxviz.comparing.matching.canonical import Canonical
from onnxviz.comparing.matching.operation import Operation, Source
from onnxviz.comparing.matching.pairing import COMMUTING, Pairing, may_pair, readers_of

_ROUNDS = 4
_SURE = frozenset({"given", "name+weights", "weights", "name", "scope"})
_UNLIKE = 0.2
_TELLS, _TELLING_MARGIN, _SAME = 0.3, 0.1, 0.9


def pair_by_structure(pairing: Pairing) -> None:
    """Walk forward and backward until no pair is added."""
    for _ in range(_ROUNDS):
        before = len(pairing.b_of)
        _merge(pairing, _forward(pairing), _backward(pairing))
        if len(pairing.b_of) == before:
            break


def _forward(pairing: Pairing) -> dict[int, int]:
    found: dict[int, int] = {}
    used: set[int] = set()
    for x in pairing.a.operations:
        if x.number in pairing.b_of or not x.inputs:
            continue
        wanted = [_expected(pairing, found, source) for source in x.inputs]
        sources = [source for source in wanted if source is not None]
        if len(sources) < len(wanted):
            continue
        ys = [y for y in _fitting(pairing, x, sources) if y.number not in used]
        ys = _more_alike(pairing, x, ys) if len(ys) > 1 else ys
        if len(ys) == 1 and _is_distinct(pairing, found, x):
            found[x.number] = ys[0].number
            used.add(ys[0].number)
    return found


def _expected(pairing: Pairing, found: dict[int, int], source: Source) -> Source | None:
    known = pairing.counterpart(source)
    return (found[source[0]], source[1]) if known is None and source[0] in found else known


def _fitting(pairing: Pairing, x: Operation, wanted: Sequence[Source]) -> list[Operation]:
    """Return the operations of B that are of x's kind and read what is wanted."""
    candidates = (pairing.b.operations[number] for number in pairing.b.readers.get(wanted[0], ()))
    return [y for y in candidates if y.number not in pairing.a_of and _alike(x, y) and _reads(y, wanted)]


def _reads(y: Operation, wanted: Sequence[Source]) -> bool:
    if y.operator in COMMUTING:
        return sorted(y.inputs) == sorted(wanted)
    return list(y.inputs) == list(wanted)


def _alike(x: Operation, y: Operation) -> bool:
    return may_pair(x, y) and x.settings == y.settings


def _more_alike(pairing: Pairing, x: Operation, ys: list[Operation]) -> list[Operation]:
    """Return which of several is meant, as the shape of weights, weights, and what reads them say."""
    shape = _shape(pairing.sketches_a, x)
    if shape is not None:
        ys = [y for y in ys if _shape(pairing.sketches_b, y) in (shape, None)]
    if len(ys) < 2:
        return ys
    scores = sorted(((pairing.likeness(x, y) or -1.0, y.number) for y in ys), reverse=True)
    if scores[0][0] > _TELLS and scores[1][0] < scores[0][0] - _TELLING_MARGIN:
        return [pairing.b.operations[scores[0][1]]]
    view = _view(pairing.a, x)
    seen = [y for y in ys if _view(pairing.b, y) == view]
    return seen if len(seen) == 1 else ys


def _is_distinct(pairing: Pairing, found: dict[int, int], x: Operation) -> bool:
    """Return whether no other operation of A could as well be meant."""
    others = (pairing.a.operations[number] for number in pairing.a.readers.get(x.inputs[0], ()))
    rivals = [
        other
        for other in others
        if other.number != x.number and other.number not in pairing.b_of and other.number not in found
        if _alike(other, x) and other.inputs == x.inputs
    ]
    if not rivals:
        return True
    own = (_shape(pairing.sketches_a, x), _view(pairing.a, x))
    if all((_shape(pairing.sketches_a, rival), _view(pairing.a, rival)) != own for rival in rivals):
        return True
    sketches = [pairing.sketches_a.get(operation.number) for operation in (x, *rivals)]
    return (
        None not in sketches
        and all(
            float(sketches[0].rows @ other.rows) < _SAME  # type: ignore[union-attr]
            for other in sketches[1:]
            if other.shape == sketches[0].shape  # type: ignore[union-attr]
        )
    )


def _backward(pairing: Pairing) -> dict[int, int]:
    found: dict[int, int] = {}
    used: set[int] = set()
    outputs = pairing.outputs
    for x in reversed(pairing.a.operations):
        if x.number in pairing.b_of:
            continue
        candidates = {outputs[x.number]} if x.number in outputs else set()
        for number in readers_of(pairing.a, x):
            known = pairing.b_of.get(number, found.get(number))
            read = set() if known is None else _read_alike(pairing, x, number, known)
            read = {y for y in read if y not in pairing.a_of and y not in used}
            if read:
                candidates = candidates & read if candidates else read
        candidates = {y for y in candidates if _alike(x, pairing.b.operations[y]) and y not in pairing.a_of}
        if len(candidates) > 1:
            view = _view(pairing.a, x)
            candidates = {y for y in candidates if _view(pairing.b, pairing.b.operations[y]) == view} or candidates
        if len(candidates) == 1:
            found[x.number] = candidates.pop()
            used.add(found[x.number])
    return found


def _read_alike(pairing: Pairing, x: Operation, reader: int, counterpart: int) -> set[int]:
    """Return the operations of x's kind that a reader's counterpart reads where the reader reads x."""
    one, other = pairing.a.operations[reader], pairing.b.operations[counterpart]
    if len(one.inputs) != len(other.inputs):
        return set()
    places = [place for place, (number, _) in enumerate(one.inputs) if number == x.number]
    if one.operator in COMMUTING:
        places = list(range(len(one.inputs)))
    read = {other.inputs[place][0] for place in places}
    return {number for number in read if number >= 0 and _alike(x, pairing.b.operations[number])}


def _merge(pairing: Pairing, forward: dict[int, int], backward: dict[int, int]) -> None:
    """Pair what both walks found, or one of them; `structure` where that is sure, else `assumed`."""
    known = dict(pairing.status)
    for number in sorted({*forward, *backward}):
        x = pairing.a.operations[number]
        one, other = forward.get(number), backward.get(number)
        y = pairing.b.operations[one if one is not None else other]  # type: ignore[index]
        if one is None and not _inputs_fit(pairing, x, y):
            continue
        builds_on_guess = any(pairing.status.get(read) == "assumed" for read, _ in x.inputs)
        is_sure = one == other and not builds_on_guess
        is_sure = is_sure or any(known.get(beside) in _SURE for beside in pairing.around(x))
        likeness = pairing.likeness(x, y)
        is_unlike = likeness is not None and likeness < _UNLIKE
        pairing.pair(x, y, "structure" if is_sure and not is_unlike else "assumed")


def _inputs_fit(pairing: Pairing, x: Operation, y: Operation) -> bool:
    """Return whether what two operations read may be the same: nothing known is read by one alone."""
    if len(x.inputs) != len(y.inputs):
        return False
    wanted = [pairing.counterpart(source) for source in x.inputs]
    known = [source for source in y.inputs if source[0] in pairing.a_of]
    is_elsewhere = bool(known) and not any(source in wanted for source in known)
    return not is_elsewhere and all(source in y.inputs for source in wanted if source is not None)


def _shape(sketches: object, operation: Operation) -> tuple[int, int] | None:
    sketch = sketches.get(operation.number)  # type: ignore[attr-defined]
    return None if sketch is None else sketch.shape


def _view(model: Canonical, operation: Operation) -> tuple[object, ...]:
    """Return what is seen of an operation from one step away."""
    readers = sorted(
        str((model.operations[n].operator, model.operations[n].settings)) for n in readers_of(model, operation)
    )
    read = [model.operations[number].operator if number >= 0 else "input" for number, _ in operation.inputs]
    return (readers, read)
