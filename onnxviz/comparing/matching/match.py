"""`match`: which layer of one model is which of another, whatever both are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from onnxviz.comparing.matching.by_names import misnamed, pair_by_names, pair_by_scopes, share_a_name
from onnxviz.comparing.matching.by_neighbourhood import pair_by_neighbourhood
from onnxviz.comparing.matching.by_order import pair_by_order
from onnxviz.comparing.matching.by_structure import pair_by_structure
from onnxviz.comparing.matching.by_weights import pair_by_weights
from onnxviz.comparing.matching.canonical import Canonical, canonical
from onnxviz.comparing.matching.compared_stages import Compared, MatchedModel, compared_stages
from onnxviz.comparing.matching.matches import Matches, Pair, Place
from onnxviz.comparing.matching.operation import Operation, Stage
from onnxviz.comparing.matching.pairing import COMMUTING, Pairing, readers_of
from onnxviz.comparing.matching.sketches import BLOCKS, Sketch, Sketcher
from onnxviz.comparing.matching.written_differences import written_differences
from onnxviz.errors import UsageError
from onnxviz.graph.operators.layouts import guess_axes
from onnxviz.graph.operators.table import BLOCKED_DOMAIN
from onnxviz.graph.stored_arrays import StoredArrays
from onnxviz.model import Model
from onnxviz.words import near, quoted

_MOST_REMARKS = 3


def match(a: Model, b: Model, given: Mapping[str, str] | None = None) -> Matches:
    """Return which layer of A is which of B, and which values of a pair can be compared.

    What the user gives counts first, then weights, names that weights do not contradict, modules, structure,
    neighbourhood and order. Weights are read a layer at a time; nothing is run.

    Args:
        a: One model.
        b: The other one.
        given: Layers of B by layers of A, by any name of theirs, which the user knows to be the same.

    Raises:
        UsageError: A name in `given` is not one of its model's, or is given twice.
    """
    sides = MatchedModel(a, canonical(a)), MatchedModel(b, canonical(b))
    pairing = Pairing(sides[0].canonical, sides[1].canonical, _input_pairs(*sides))
    _take_given(pairing, given or {})
    _pair_by_weights(pairing, sides)
    contradicted = tuple(misnamed(pairing))
    if not contradicted:
        pair_by_names(pairing)
        pair_by_scopes(pairing)
    for step in (pair_by_structure, pair_by_neighbourhood, pair_by_structure, pair_by_names, pair_by_scopes):
        step(pairing)
    for step in (pair_by_order, pair_by_structure):
        step(pairing)
    return _MatchesMaker(pairing, *sides).matches(contradicted)


def _pair_by_weights(pairing: Pairing, sides: Sequence[MatchedModel]) -> None:
    """Pair by weights, where one model has them in blocks with the size of block that fits."""
    is_blocked = any(x.node.domain == BLOCKED_DOMAIN for side in sides for x in side.canonical.operations)
    for block in BLOCKS if is_blocked else BLOCKS[:1]:
        sketcher = Sketcher(block)
        pairing.sketches_a, pairing.sketches_b = (_sketches(side, sketcher) for side in sides)
        pair_by_weights(pairing)
        if any(
            side.canonical.operations[number].node.domain == BLOCKED_DOMAIN
            for side, numbers in zip(sides, (pairing.b_of, pairing.a_of), strict=True)
            for number in numbers
        ):
            break


def _sketches(side: MatchedModel, sketcher: Sketcher) -> dict[int, Sketch]:
    arrays = StoredArrays(side.model.flat, side.model.file.folder)
    found = ((operation.number, sketcher.sketch(operation, arrays)) for operation in side.canonical.operations)
    return {number: sketch for number, sketch in found if sketch is not None}


def _input_pairs(a: MatchedModel, b: MatchedModel) -> list[tuple[int, int]]:
    """Return the places of inputs that correspond: those of one name, then the others in order."""
    ours, theirs = a.canonical.inputs, b.canonical.inputs
    pairs = [(ours.index(name), theirs.index(name)) for name in ours if name in theirs]
    left = [place for place, name in enumerate(ours) if name not in theirs]
    return pairs + list(zip(left, [place for place, name in enumerate(theirs) if name not in ours], strict=False))


def _take_given(pairing: Pairing, given: Mapping[str, str]) -> None:
    for one, other in given.items():
        x, y = _called(pairing.a, one, "A"), _called(pairing.b, other, "B")
        if x.number in pairing.b_of or y.number in pairing.a_of:
            raise UsageError(f"{quoted(one)} = {quoted(other)}: one of the two was given another counterpart already")
        pairing.pair(x, y, "given")


def _called(model: Canonical, name: str, which: str) -> Operation:
    found = [operation for operation in model.operations if name == operation.name]
    found = found or [operation for operation in model.operations if name in operation.names]
    if not found:
        names = [known for operation in model.operations for known in (operation.name, *operation.names)]
        raise UsageError(f"{which} has no layer {quoted(name)} to match{near(name, names)}")
    return found[0]


class _MatchesMaker:
    """Puts together what was found."""

    def __init__(self, pairing: Pairing, a: MatchedModel, b: MatchedModel) -> None:
        self._pairing, self._a, self._b = pairing, a, b
        self._differing: list[str] = []

    def matches(self, contradicted: Sequence[str]) -> Matches:
        pairs = tuple(self._pair(x) for x in self._pairing.a.operations if x.number in self._pairing.b_of)
        xs, ys = self._pairing.free()
        inputs = [(name, self._pairing.counterpart((-1 - n, 0))) for n, name in enumerate(self._pairing.a.inputs)]
        return Matches(
            pairs=pairs,
            only_a=tuple(x.name for x in xs),
            only_b=tuple(y.name for y in ys),
            remarks=(*_shortened(contradicted), *_shortened(self._differing)),
            inputs={name: self._pairing.b.inputs[-1 - found[0]] for name, found in inputs if found is not None},
            outputs=tuple(self._outputs()),
        )

    def _pair(self, x: Operation) -> Pair:
        y = self._pairing.b.operations[self._pairing.b_of[x.number]]
        status, score = self._pairing.status[x.number], self._pairing.likeness(x, y)
        if status == "weights" and share_a_name(x, y):
            status = "name+weights"
        is_loose = any(number not in self._pairing.b_of for number in readers_of(self._pairing.a, x))
        is_loose = is_loose or any(number not in self._pairing.a_of for number in readers_of(self._pairing.b, y))
        compared = compared_stages(x, y, self._a, self._b, is_loose=is_loose)
        if compared.differs:
            self._differing.append(_difference(x, y, compared))
        aligned = self._aligned(x, y) or []
        one = _place(x, compared.a, self._a, [left for left, _ in aligned])
        other = _place(y, compared.b, self._b, [right for _, right in aligned])
        fewest = min((place.channels for place in (one, other) if place.channels is not None), default=None)
        if any(
            compared_stage.value in side.blocked
            for compared_stage, side in ((compared.a, self._a), (compared.b, self._b))
        ):
            one, other = replace(one, channels=fewest), replace(other, channels=fewest)
        return Pair(one, other, status, score, compared.reason, written_differences(x, y))

    def _aligned(self, x: Operation, y: Operation) -> list[tuple[str, str]] | None:
        """Return the values that two layers read, those that correspond together; None where they do not."""
        order = self._order(x, y)
        found: list[tuple[str, str]] = []
        for place, (source, read) in enumerate(zip(y.inputs, y.reads, strict=True)):
            if order is None:
                return None
            own, own_read = x.inputs[order[place]], x.reads[order[place]]
            if read and own_read:
                found.append((own_read, read))
                continue
            if own[0] < 0 or self._pairing.b_of.get(own[0]) != source[0]:
                return None
            inner = self._aligned(self._pairing.a.operations[own[0]], self._pairing.b.operations[source[0]])
            if inner is None:
                return None
            found += inner
        return found

    def _order(self, x: Operation, y: Operation) -> list[int] | None:
        """Return which input of x corresponds to each of y."""
        if len(x.inputs) != len(y.inputs):
            return None
        wanted = [self._pairing.counterpart(source) for source in x.inputs]
        if (
            x.operator not in COMMUTING
            or wanted == list(y.inputs)
            or sorted(map(str, wanted)) != sorted(map(str, y.inputs))
        ):
            return list(range(len(x.inputs)))
        return [wanted.index(source) for source in y.inputs]

    def _outputs(self) -> Iterator[tuple[str, str]]:
        """Give the outputs of both models that correspond: those of one name, else what their layers say."""
        theirs = {spec.name for spec in self._b.model.flat.outputs}
        by_source = {self._b.canonical.sources.get(name): name for name in theirs}
        for spec in self._a.model.flat.outputs:
            source = self._a.canonical.sources.get(spec.name)
            found = None if source is None else by_source.get(self._pairing.counterpart(source))
            other = spec.name if spec.name in theirs else found
            if other is None and len(self._a.model.flat.outputs) == len(theirs) == 1:
                (other,) = theirs
            if other is not None:
                yield spec.name, other


def _place(operation: Operation, stage: Stage, side: MatchedModel, inputs: Sequence[str]) -> Place:
    layer, model = operation.layer, side.model
    if stage.value == layer.act:
        layout = layer.layout
    else:
        axes = model.families.axes.get(stage.value) or guess_axes(model.types.get(stage.value))
        layout = None if axes is None else axes.layout
    return Place(
        layer=operation.name,
        kind=operation.kind,
        operator=operation.operator,
        value=stage.value,
        layout=layout,
        stage=stage.steps,
        inputs=tuple(inputs),
        channels=side.blocked.get(stage.value) or layer.channels,
    )


def _difference(x: Operation, y: Operation, compared: Compared) -> str:
    ends = [" and ".join(stage.steps) or "nothing" for stage in (compared.a, compared.b)]
    return f"{quoted(x.name)} ends with {ends[0]} in A, with {ends[1]} in B ({quoted(y.name)})"


def _shortened(sentences: Sequence[str]) -> list[str]:
    more = len(sentences) - _MOST_REMARKS
    return [*sentences[:_MOST_REMARKS], *([f"the same holds of {more:,} more layers"] if more > 0 else [])]
