"""What each operator tells of its axes: those that fix them, and how they are carried from one side to the other.

A rule gives values with the layouts that it finds for them, None where it finds none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from onnxviz.graph.graph import Node
from onnxviz.graph.operators.axis_letters import Axes, insert_axes, remove_axes, reshape_axes
from onnxviz.layout import Dimension, channels_first

if TYPE_CHECKING:
    from onnxviz.graph.operators.layouts import Follower

Found = Iterable[tuple[str, Axes | None]]
Rule = Callable[[Node, "Follower"], Found]


def _each(operators: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(operators.split(), rule)


# Seeds: operators that fix the axes of what they read and make.


def _spatial_operator(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    kernel = node.attribute("kernel_shape")
    ranks = (follower.rank(value) for value in (node.outputs[0], node.inputs[0], *node.inputs[1:2]))
    rank = len(kernel) + 2 if kernel else next((rank for rank in ranks if rank), None)
    layout = channels_first(rank or 0)
    if layout is not None and node.attribute("channels_last", 0):
        layout = layout[0] + layout[2:] + layout[1]
    axes = None if layout is None else Axes(layout)
    yield node.outputs[0], axes
    yield node.inputs[0], axes


def _channel_norm(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    rank = follower.rank(node.inputs[0]) or follower.rank(node.outputs[0])
    layout = channels_first(rank or 0)
    for value in (node.inputs[0], node.outputs[0]):
        yield value, None if layout is None else Axes(layout)


def _gemm(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    yield node.outputs[0], Axes("NC")
    if not node.attribute("transA", 0):
        yield node.inputs[0], Axes("NC")


_CHANNELS_LAST: Mapping[int, Axes] = {
    2: Axes("NC", assumed=True),
    3: Axes("NTC", assumed=True),
    4: Axes("NHWC", assumed=True),
}


def _channels_in_last(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    for value in (node.inputs[0], node.outputs[0]):
        yield value, _CHANNELS_LAST.get(follower.rank(value) or 0)


def _dense_product(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    if _right_side_is_constant(node, follower):
        yield from _channels_in_last(node, follower)


def _last_axis_norm(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    rank = follower.rank(node.inputs[0])
    if node.attribute("axis", -1) in (-1, (rank or 0) - 1):
        yield from _channels_in_last(node, follower)


def _embedding(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    if follower.rank(node.inputs[0]) == 2 and follower.graph.is_constant(node.inputs[0]):
        yield node.outputs[0], _CHANNELS_LAST.get(3) if follower.rank(node.outputs[0]) == 3 else None


_SPATIAL_OPERATORS = (
    "Conv ConvTranspose ConvInteger QLinearConv DeformConv FusedConv CausalConvWithState NhwcConv "
    "MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool QLinearAveragePool "
    "QLinearGlobalAveragePool MaxUnpool DepthToSpace SpaceToDepth GridSample RoiAlign MaxRoiPool"
)

FIXED: Mapping[str, Rule] = {
    **_each(_SPATIAL_OPERATORS, _spatial_operator),
    **_each("BatchNormalization InstanceNormalization GroupNormalization LRN", _channel_norm),
    **_each("Gemm QGemm FusedGemm", _gemm),
}

LIKELY: Mapping[str, Rule] = {
    **_each("MatMul MatMulInteger QLinearMatMul FusedMatMul MatMulNBits", _dense_product),
    **_each("LayerNormalization RMSNormalization SimplifiedLayerNormalization", _last_axis_norm),
    **_each("Attention MultiHeadAttention GroupQueryAttention", _channels_in_last),
    "Gather": _embedding,
}


# Rules: what carries axes from one side of an operator to the other.


def _keeps_first(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    sides = (node.inputs[0], *node.outputs)
    yield from _share(sides, sides, follower)


def _keeps_all(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
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


def _share(known: Iterable[str], learners: Sequence[str], follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    axes = min((follower.found[value] for value in known if value in follower.found), key=_surest, default=None)
    for value in learners:
        yield value, axes


def _surest(axes: Axes) -> bool:
    return axes.assumed


def _transpose(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    before, after = follower.found.get(node.inputs[0]), follower.found.get(node.outputs[0])
    rank = len((before or after or Axes("")).layout)
    order = node.attribute("perm") or tuple(reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        return
    if before is not None:
        yield node.outputs[0], Axes("".join(before.layout[place] for place in order), before.assumed)
    elif after is not None:
        yield node.inputs[0], Axes("".join(after.layout[order.index(place)] for place in range(rank)), after.assumed)


def _reshape(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
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


def _squeeze(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    axes = follower.integers(node, "axes", 1)
    if axes is not None:
        yield from _with_and_without(node.inputs[0], node.outputs[0], axes, follower)


def _unsqueeze(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    axes = follower.integers(node, "axes", 1)
    if axes is not None:
        yield from _with_and_without(node.outputs[0], node.inputs[0], axes, follower)


def _with_and_without(larger: str, smaller: str, places: Iterable[int], follower: Follower) -> Found:
    """Carry axes between a value and the same value without some axes of size 1."""
    places = tuple(places)
    if larger in follower.found:
        return ((smaller, remove_axes(follower.found[larger], places)),)
    if smaller in follower.found:
        return ((larger, insert_axes(follower.found[smaller], places)),)
    return ()


def _reduce(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    if node.attribute("keepdims", 1):
        yield from _keeps_first(node, follower)
    elif node.inputs[0] in follower.found:
        known = follower.found[node.inputs[0]]
        axes = (node.attribute("axis", 0),) if node.op.startswith("Arg") else follower.integers(node, "axes", 1)
        yield node.outputs[0], None if axes is None else remove_axes(known, axes)


def _gather(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    indices = follower.rank(node.inputs[1]) if len(node.inputs) > 1 else None
    if indices == 0 and node.inputs[0] in follower.found:
        yield node.outputs[0], remove_axes(follower.found[node.inputs[0]], (node.attribute("axis", 0),))
    elif indices == 1:
        yield from _keeps_first(node, follower)


def _product(node: Node, follower: Follower) -> Iterator[tuple[str, Axes | None]]:
    known = follower.found.get(node.inputs[0]) or follower.found.get(node.outputs[0])
    if known is not None and known.layout[-1] == "C" and _right_side_is_constant(node, follower):
        yield node.inputs[0], known
        yield node.outputs[0], known


def _right_side_is_constant(node: Node, follower: Follower) -> bool:
    place = 3 if node.op == "QLinearMatMul" else 1
    return len(node.inputs) > place and follower.graph.is_constant(node.inputs[place])


_KEEP_FIRST = (
    "Relu Clip LeakyRelu Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish Tanh Gelu FastGelu BiasGelu "
    "QuickGelu Mish Swish Softplus Softsign Softmax LogSoftmax Hardmax Erf Exp Log Sqrt Reciprocal Neg Abs Sign Floor "
    "Ceil Round Not IsNaN Sin Cos Identity Dropout Cast CastLike Pad Slice Resize Upsample Split Tile CumSum Trilu "
    "Shrink QuantizeLinear DequantizeLinear QLinearSigmoid QLinearLeakyRelu QLinearSoftmax LpNormalization "
    "MeanVarianceNormalization LayerNormalization RMSNormalization SimplifiedLayerNormalization BatchNormalization "
    "InstanceNormalization GroupNormalization LRN TopK Expand CenterCropPad ScatterElements ScatterND"
)

_KEEP_ALL = (
    "Add Sub Mul Div Pow Mod Min Max Sum Mean Where PRelu Concat And Or Xor Equal Greater GreaterOrEqual Less "
    "LessOrEqual QLinearAdd QLinearMul QLinearConcat"
)

_REDUCTIONS = (
    "ReduceMean ReduceMax ReduceMin ReduceSum ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum "
    "ReduceLogSumExp ArgMax ArgMin"
)

RULES: Mapping[str, Rule] = {
    **_each(_KEEP_FIRST, _keeps_first),
    **_each(_KEEP_ALL, _keeps_all),
    **_each(_REDUCTIONS, _reduce),
    **_each("MatMul MatMulInteger QLinearMatMul FusedMatMul MatMulNBits", _product),
    **_each("Reshape Flatten", _reshape),
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
}
