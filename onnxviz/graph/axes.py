"""Which axis of each value is what, followed through the graph from the operators that fix it.

A convolution fixes the axes of what it reads and makes. From there they are carried in both directions: elementwise
operators keep them, Transpose permutes them, Reshape and Flatten keep, merge or drop them. What only looks right
(the last axis of a MatMul as channels, flattened maps as units) is carried in a second round and marked as assumed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnxviz.graph.attributes import CONTRADICTIONS
from onnxviz.graph.graph import Graph, Node
from onnxviz.layout import SPATIAL, Dimension, TensorSpec, channels_first


@dataclass(frozen=True, slots=True)
class Axes:
    """The layout of a value, such as `NCHW`, and whether it is a guess."""

    layout: str
    assumed: bool = False


def follow_axes(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, Axes]:
    """Return the layout of every value that convolutions and their like, or failing these a likely guess, reach.

    >>> import onnx
    >>> model = onnx.parser.parse_model('''<ir_version: 8, opset_import: ["" : 13]>
    ... g (float[1,8,8,3] x, float[4,3,1,1] w) => (float[1,4,8,8] y) {
    ...     t = Transpose <perm = [0, 3, 1, 2]> (x)
    ...     y = Conv (t, w)
    ... }''')
    >>> graph = Graph.from_proto(model)
    >>> follow_axes(graph, {spec.name: spec for spec in graph.inputs})["x"].layout
    'NHWC'
    """
    follower = _Follower(graph, types)
    for round_of_seeds in (_FIXED, _LIKELY):
        for node in graph.nodes:
            seed = round_of_seeds.get(node.op)
            if seed is not None:
                follower.apply(seed, node)
        follower.spread()
    return follower.found


def guess_axes(spec: TensorSpec | None) -> Axes | None:
    """Return the layout that a value of this rank most often has in ONNX, always as a guess."""
    layout = channels_first(len(spec.shape)) if spec is not None and spec.shape is not None else None
    return None if layout is None else Axes(layout, assumed=True)


Found = Iterable[tuple[str, Axes | None]]


class _Follower:
    """Layouts found so far and the values whose neighbours are still to be looked at."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        self.graph = graph
        self.types = types
        self.found: dict[str, Axes] = {}
        self._waiting: deque[str] = deque()

    def shape(self, value: str) -> tuple[Dimension, ...] | None:
        spec = self.types.get(value)
        return spec.shape if spec is not None and spec.shape is not None else self.graph.dims(value)

    def rank(self, value: str) -> int | None:
        shape = self.shape(value)
        return None if shape is None else len(shape)

    def integers(self, node: Node, attribute: str, place: int) -> tuple[int, ...] | None:
        """Return a list of integers that older opsets keep in an attribute and newer ones in an input."""
        given = node.attribute(attribute)
        if given is not None:
            return tuple(given)
        if len(node.inputs) <= place or not node.inputs[place]:
            return None
        constant = self.graph.constant(node.inputs[place])
        return None if constant is None else tuple(int(number) for number in constant.ravel())

    def apply(self, rule: Rule, node: Node) -> None:
        """Learn what a rule finds of a node."""
        try:
            found = list(rule(node, self))
        except CONTRADICTIONS:
            return
        self.learn(found)

    def learn(self, found: Found) -> None:
        for value, axes in found:
            if not value or axes is None or value in self.found or self.graph.is_constant(value):
                continue
            if self.rank(value) in (None, len(axes.layout)):
                self.found[value] = axes
                self._waiting.append(value)

    def spread(self) -> None:
        while self._waiting:
            value = self._waiting.popleft()
            maker = self.graph.producers.get(value)
            for node in (*((maker,) if maker is not None else ()), *self.graph.consumers.get(value, ())):
                rule = _RULES.get(node.op)
                if rule is not None and node.inputs and node.outputs:
                    self.apply(rule, node)


Rule = Callable[[Node, _Follower], Found]


# Seeds: operators that fix the axes of what they read and make.


def _spatial_operator(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    kernel = node.attribute("kernel_shape")
    ranks = (follower.rank(value) for value in (node.outputs[0], node.inputs[0], *node.inputs[1:2]))
    rank = len(kernel) + 2 if kernel else next((rank for rank in ranks if rank), None)
    layout = channels_first(rank or 0)
    if layout is not None and node.attribute("channels_last", 0):
        layout = layout[0] + layout[2:] + layout[1]
    axes = None if layout is None else Axes(layout)
    yield node.outputs[0], axes
    yield node.inputs[0], axes


def _channel_norm(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    rank = follower.rank(node.inputs[0]) or follower.rank(node.outputs[0])
    layout = channels_first(rank or 0)
    for value in (node.inputs[0], node.outputs[0]):
        yield value, None if layout is None else Axes(layout)


def _gemm(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    yield node.outputs[0], Axes("NC")
    if not node.attribute("transA", 0):
        yield node.inputs[0], Axes("NC")


_CHANNELS_LAST: Mapping[int, Axes] = {
    2: Axes("NC", assumed=True),
    3: Axes("NTC", assumed=True),
    4: Axes("NHWC", assumed=True),
}


def _channels_in_last(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    for value in (node.inputs[0], node.outputs[0]):
        yield value, _CHANNELS_LAST.get(follower.rank(value) or 0)


def _dense_product(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    if _right_side_is_constant(node, follower):
        yield from _channels_in_last(node, follower)


def _last_axis_norm(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    rank = follower.rank(node.inputs[0])
    if node.attribute("axis", -1) in (-1, (rank or 0) - 1):
        yield from _channels_in_last(node, follower)


def _embedding(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    if follower.rank(node.inputs[0]) == 2 and follower.graph.is_constant(node.inputs[0]):
        yield node.outputs[0], _CHANNELS_LAST.get(3) if follower.rank(node.outputs[0]) == 3 else None


_SPATIAL_OPERATORS = (
    "Conv ConvTranspose ConvInteger QLinearConv DeformConv FusedConv CausalConvWithState NhwcConv "
    "MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool QLinearAveragePool "
    "QLinearGlobalAveragePool MaxUnpool DepthToSpace SpaceToDepth GridSample RoiAlign MaxRoiPool"
).split()

_FIXED: Mapping[str, Rule] = {
    **dict.fromkeys(_SPATIAL_OPERATORS, _spatial_operator),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"), _channel_norm),
    **dict.fromkeys(("Gemm", "QGemm", "FusedGemm"), _gemm),
}

_LIKELY: Mapping[str, Rule] = {
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "MatMulNBits"), _dense_product),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"), _last_axis_norm),
    **dict.fromkeys(("Attention", "MultiHeadAttention", "GroupQueryAttention"), _channels_in_last),
    "Gather": _embedding,
}


# Rules: what carries axes from one side of an operator to the other.


def _keeps_first(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    sides = (node.inputs[0], *node.outputs)
    yield from _share(sides, sides, follower)


def _keeps_all(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    count = len(node.inputs)
    inputs = [node.inputs[place] for place in _DATA_INPUTS.get(node.op, range(count)) if place < count]
    rank = follower.rank(node.outputs[0])
    whole = [value for value in inputs if value and follower.rank(value) == rank]
    yield from _share((node.outputs[0], *whole), (node.outputs[0], *whole), follower)
    axes = follower.found.get(node.outputs[0])
    for value in inputs:
        short = follower.rank(value)
        if axes is not None and short is not None and 1 < short < len(axes.layout):
            # Broadcasting lines up shapes at their ends.
            yield value, Axes(axes.layout[-short:], axes.assumed)


_DATA_INPUTS: Mapping[str, Sequence[int]] = {
    "QLinearAdd": (0, 3),
    "QLinearMul": (0, 3),
    "QLinearConcat": tuple(range(2, 300, 3)),
}


def _share(known: Iterable[str], learners: Sequence[str], follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    axes = min((follower.found[value] for value in known if value in follower.found), key=_surest, default=None)
    for value in learners:
        yield value, axes


def _surest(axes: Axes) -> bool:
    return axes.assumed


def _transpose(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    before, after = follower.found.get(node.inputs[0]), follower.found.get(node.outputs[0])
    rank = len((before or after or Axes("")).layout)
    order = node.attribute("perm") or tuple(reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        return
    if before is not None:
        yield node.outputs[0], Axes("".join(before.layout[place] for place in order), before.assumed)
    elif after is not None:
        yield node.inputs[0], Axes("".join(after.layout[order.index(place)] for place in range(rank)), after.assumed)


def _reshape(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    source, target = node.inputs[0], node.outputs[0]
    before, after = follower.shape(source), follower.shape(target)
    if before is None or after is None:
        return
    after = _copied(before, after, follower.integers(node, "shape", 1) if node.op == "Reshape" else None)
    if source in follower.found:
        yield target, reshape_axes(follower.found[source], before, after)
    elif target in follower.found:
        yield source, reshape_axes(follower.found[target], after, before)


def _copied(
    before: Sequence[Dimension], after: Sequence[Dimension], asked: tuple[int, ...] | None
) -> tuple[Dimension, ...]:
    """Put in the sizes that a Reshape copies (asked for as 0), which inference may have lost."""
    if asked is None or len(asked) != len(after):
        return tuple(after)
    pairs = zip(asked, after, strict=True)
    return tuple(
        before[place] if wish == 0 and size is None and place < len(before) else size
        for place, (wish, size) in enumerate(pairs)
    )


def _squeeze(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    axes = follower.integers(node, "axes", 1)
    if axes is not None:
        yield from _with_and_without(node.inputs[0], node.outputs[0], axes, follower)


def _unsqueeze(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    axes = follower.integers(node, "axes", 1)
    if axes is not None:
        yield from _with_and_without(node.outputs[0], node.inputs[0], axes, follower)


def _reduce(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    if node.attribute("keepdims", 1):
        yield from _keeps_first(node, follower)
    elif node.inputs[0] in follower.found:
        known = follower.found[node.inputs[0]]
        axes = (node.attribute("axis", 0),) if node.op.startswith("Arg") else follower.integers(node, "axes", 1)
        yield node.outputs[0], None if axes is None else _removed(known, axes)


def _gather(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    indices = follower.rank(node.inputs[1]) if len(node.inputs) > 1 else None
    if indices == 0 and node.inputs[0] in follower.found:
        yield node.outputs[0], _removed(follower.found[node.inputs[0]], (node.attribute("axis", 0),))
    elif indices == 1:
        yield from _keeps_first(node, follower)


def _product(node: Node, follower: _Follower) -> Iterator[tuple[str, Axes | None]]:
    known = follower.found.get(node.inputs[0]) or follower.found.get(node.outputs[0])
    if known is not None and known.layout[-1] == "C" and _right_side_is_constant(node, follower):
        yield node.inputs[0], known
        yield node.outputs[0], known


def _right_side_is_constant(node: Node, follower: _Follower) -> bool:
    place = 3 if node.op == "QLinearMatMul" else 1
    return len(node.inputs) > place and follower.graph.is_constant(node.inputs[place])


_KEEP_FIRST = (
    "Relu Clip LeakyRelu Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish Tanh Gelu FastGelu BiasGelu "
    "QuickGelu Mish Swish Softplus Softsign Softmax LogSoftmax Hardmax Erf Exp Log Sqrt Reciprocal Neg Abs Sign Floor "
    "Ceil Round Not IsNaN Sin Cos Identity Dropout Cast CastLike Pad Slice Resize Upsample Split Tile CumSum Trilu "
    "Shrink QuantizeLinear DequantizeLinear QLinearSigmoid QLinearLeakyRelu QLinearSoftmax LpNormalization "
    "MeanVarianceNormalization LayerNormalization RMSNormalization SimplifiedLayerNormalization BatchNormalization "
    "InstanceNormalization GroupNormalization LRN TopK Expand CenterCropPad ScatterElements ScatterND"
).split()

_KEEP_ALL = (
    "Add Sub Mul Div Pow Mod Min Max Sum Mean Where PRelu Concat And Or Xor Equal Greater GreaterOrEqual Less "
    "LessOrEqual QLinearAdd QLinearMul QLinearConcat"
).split()

_REDUCTIONS = (
    "ReduceMean ReduceMax ReduceMin ReduceSum ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum "
    "ReduceLogSumExp ArgMax ArgMin"
).split()

_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_KEEP_FIRST, _keeps_first),
    **dict.fromkeys(_KEEP_ALL, _keeps_all),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "MatMulNBits"), _product),
    **dict.fromkeys(("Reshape", "Flatten"), _reshape),
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
}


# Layouts as texts: axes merged, dropped, put in.


def reshape_axes(axes: Axes, before: Sequence[Dimension], after: Sequence[Dimension]) -> Axes | None:
    """Return the layout after a Reshape, or None where axes are mixed that have no common letter.

    >>> reshape_axes(Axes("NCHW"), ("N", 8, 7, 7), ("N", 8, 49))
    Axes(layout='NCT', assumed=False)
    """
    if len(before) != len(axes.layout):
        return None
    layout, assumed = "", axes.assumed
    for old, new in _groups(before, after):
        letters = _merged(axes.layout[old], before[old], after[new])
        if letters is None:
            return None
        layout += letters.layout
        assumed = assumed or letters.assumed
    mixed = "T" in layout and any(letter in SPATIAL for letter in layout)
    if len(layout) != len(after) or len(set(layout)) != len(layout) or mixed:
        return None
    return Axes(_respaced(layout, axes.layout), assumed)


def _groups(before: Sequence[Dimension], after: Sequence[Dimension]) -> list[tuple[slice, slice]]:
    """Pair up the runs of axes, old and new, that hold the same elements: first from the left, then from the right."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start] is not None:
        start += 1
    left = [(slice(place, place + 1), slice(place, place + 1)) for place in range(start)]
    right: list[tuple[slice, slice]] = []
    old, new = len(before), len(after)
    while old > start and new > start:
        run = _run_from_right(before[start:old], after[start:new])
        right.append((slice(old - run[0], old), slice(new - run[1], new)))
        old, new = old - run[0], new - run[1]
    if old > start or new > start:
        right.append((slice(start, old), slice(start, new)))
    return left + right[::-1]


def _run_from_right(before: Sequence[Dimension], after: Sequence[Dimension]) -> tuple[int, int]:
    """Return how many axes at the right end, old and new, have the same product; all of them if sizes are unknown."""
    old = new = 1
    while True:
        first, second = _product_of(before[len(before) - old :]), _product_of(after[len(after) - new :])
        if first is not None and first == second:
            return old, new
        if first is None or second is None:
            return len(before), len(after)
        if first < second and old < len(before):
            old += 1
        elif second < first and new < len(after):
            new += 1
        else:
            return len(before), len(after)


def _product_of(sizes: Sequence[Dimension]) -> int | None:
    numbers = [size for size in sizes if isinstance(size, int) and size > 0]
    return math.prod(numbers) if len(numbers) == len(sizes) else None


def _merged(letters: str, old: Sequence[Dimension], new: Sequence[Dimension]) -> Axes | None:
    """Name the new axes of one run of old ones."""
    if len(letters) == len(new) == 1 or not new:
        return Axes(letters[: len(new)])
    if not letters:
        spaces = _spaces(len(new)) if all(size == 1 for size in new) else None
        return None if spaces is None else Axes(spaces)
    full = "".join(letter for letter, size in zip(letters, old, strict=True) if size != 1) or letters[0]
    if all(size == 1 for size in new[1:]):
        spaces = _spaces(len(new) - 1)
        if spaces is not None and len(full) == 1 and (full in "NC" or len(new) == 1):
            return Axes(full + spaces)
    if len(new) == 1 and all(letter in SPATIAL for letter in full):
        return Axes("T")
    if len(new) == 1:
        # Flattened maps: the units of a vector, by habit called its channels.
        return Axes("C", assumed=True) if "C" in (full[0], full[-1]) and "N" not in full else None
    return Axes("HW", assumed=True) if full in ("T", "L") and len(new) == len("HW") else None


def _spaces(count: int) -> str | None:
    return {0: "", 1: "L", 2: "HW", 3: "DHW"}.get(count)


def _with_and_without(larger: str, smaller: str, places: Iterable[int], follower: _Follower) -> Found:
    """Carry axes between a value and the same value without some axes of size 1."""
    places = tuple(places)
    if larger in follower.found:
        return ((smaller, _removed(follower.found[larger], places)),)
    if smaller in follower.found:
        return ((larger, _inserted(follower.found[smaller], places)),)
    return ()


def _removed(axes: Axes, places: Iterable[int]) -> Axes | None:
    rank = len(axes.layout)
    gone = {place % rank for place in places if -rank <= place < rank}
    rest = "".join(letter for place, letter in enumerate(axes.layout) if place not in gone)
    return Axes(_respaced(rest, axes.layout), axes.assumed) if rest else None


def _inserted(axes: Axes, places: Sequence[int]) -> Axes | None:
    """Name axes of size 1 that are put in: the batch where there is none yet, else one more of space."""
    rank = len(axes.layout) + len(places)
    new = {place % rank for place in places}
    letters, layout = iter(axes.layout), ""
    for place in range(rank):
        layout += next(letters, "") if place not in new else "N" if place == 0 and "N" not in axes.layout else "S"
    spaces = _spaces(sum(letter == "S" or letter in SPATIAL for letter in layout))
    if spaces is None or ("T" in layout and "S" in layout):
        return None
    names = iter(spaces)
    return Axes(
        "".join(next(names) if letter == "S" or letter in SPATIAL else letter for letter in layout), axes.assumed
    )


def _respaced(layout: str, before: str) -> str:
    """Call a single axis of space that is left over `L`, and two `HW`."""
    left = [letter for letter in layout if letter in SPATIAL]
    if len(left) == sum(letter in SPATIAL for letter in before):
        return layout
    names = iter(_spaces(len(left)) or "".join(left))
    return "".join(next(names) if letter in SPATIAL else letter for letter in layout)
