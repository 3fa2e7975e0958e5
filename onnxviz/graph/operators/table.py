"""The table of operators: for each domain and name what is known of the operator, said once.

A new operator is a row here: its kind, what it reads (a rule of reads/), the axes that it fixes (axis_seeds.py), and
which of its inputs are weights. An operator of another domain is unknown whatever its name, and so is a node that calls
a function of the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.carrying import CARRYING
from onnxviz.graph.node import STANDARD_DOMAINS, Node
from onnxviz.graph.operators import axis_seeds as seeds
from onnxviz.graph.operators import ends
from onnxviz.graph.operators.reads import (
    einsum,
    elementwise,
    holders,
    moving,
    normalising,
    products,
    reductions,
    reshaping,
    resizing,
    sampling,
    sequences,
    windows,
)
from onnxviz.graph.operators.reads.rule import Operand, Pull, Reads, Rule, everything, nothing, something

KINDS = ("conv", "pool", "norm", "act", "join", "add", "dense", "recurrent", "attention", "resize", "other")

DEEPENING = frozenset({"conv", "dense", "recurrent"})
"""The kinds that a depth counts: those that multiply what they read by weights."""

_MICROSOFT = "com.microsoft"
COMPUTED_DOMAIN = "onnxviz.computed"
"""The domain of nodes that stand in a listing for what a run computes, see graph/computed.py."""
# Where onnxruntime's own graphs, saved after optimisation, hold maps with channels last, or in blocks of channels.
_CHANNELS_LAST_DOMAIN, BLOCKED_DOMAIN = "com.ms.internal.nhwc", "com.microsoft.nchwc"
_EVERY_INPUT = range(16)


@dataclass(frozen=True, slots=True)
class Operator:
    """What is known of an operator, whatever node calls it.

    Attributes:
        kind: the family of layers that it belongs to.
        reads: how its outputs read its inputs; None where that is not known.
        fixes: the axes that it fixes for what it reads and makes.
        suggests: the axes that it makes likely, where nothing fixes them.
        weights: places of inputs that are weights where they are constant; other constants are bounds, scales and
            zero points. A constant of rank 0 counts for none.
        sides: the two inputs of a product that is a layer only where one of them is constant.
        output_scale: the place of the input that is the scale of what it makes, where that is codes of a quantised
            tensor; the zero point stands behind it.
        ends: between which ends it holds its values; None where it does not.
    """

    kind: str = "other"
    reads: Rule | None = None
    fixes: seeds.Seed | None = None
    suggests: seeds.Seed | None = None
    weights: Sequence[int] = ()
    sides: tuple[int, int] | None = None
    output_scale: int | None = None
    ends: ends.EndsOf | None = None


UNKNOWN = Operator()

_ROWS: Iterable[tuple[str, Operator]] = (
    ("Conv", Operator("conv", windows.window, seeds.spatial, weights=(1, 2))),
    ("FusedConv", Operator("conv", windows.window, seeds.spatial, weights=(1, 2), ends=ends.fused)),
    ("ConvTranspose", Operator("conv", windows.transposed_window, seeds.spatial, weights=(1, 2))),
    ("ConvInteger", Operator("conv", windows.window, seeds.spatial, weights=(1,))),
    ("QLinearConv", Operator("conv", windows.window, seeds.spatial, weights=(3, 8), output_scale=6)),
    ("DeformConv", Operator("conv", sampling.deformed_window, seeds.spatial, weights=(1, 3))),
    ("CausalConvWithState", Operator("other", None, seeds.spatial)),
    ("NhwcConv NhwcFusedConv NhwcMaxPool", Operator("other", None, seeds.channels_last)),
    ("GroupNorm SkipGroupNorm", Operator("norm", None, seeds.group_norm, weights=(1, 2))),
    ("MaxPool AveragePool LpPool", Operator("pool", windows.window, seeds.spatial)),
    ("QLinearAveragePool", Operator("pool", windows.window, seeds.spatial, output_scale=3)),
    (
        "GlobalMaxPool GlobalAveragePool GlobalLpPool",
        Operator("pool", reductions.over_space, seeds.global_pool, seeds.spatial),
    ),
    (
        "QLinearGlobalAveragePool",
        Operator("pool", reductions.over_space, seeds.global_pool, seeds.spatial, output_scale=3),
    ),
    ("MaxUnpool", Operator("other", sampling.unpooled, seeds.spatial)),
    ("GridSample", Operator("other", sampling.grid_sample, seeds.spatial)),
    ("RoiAlign MaxRoiPool", Operator("other", sampling.regions_of_interest, seeds.spatial)),
    ("DepthToSpace", Operator("resize", windows.depth_to_space, seeds.spatial)),
    ("SpaceToDepth", Operator("resize", windows.space_to_depth, seeds.spatial)),
    ("Resize Upsample", Operator("resize", resizing.resize)),
    ("BatchNormalization", Operator("norm", elementwise.batch_norm, seeds.channel_norm, weights=(1, 2, 3, 4))),
    (
        "InstanceNormalization GroupNormalization",
        Operator("norm", normalising.space_normalised, seeds.channel_norm, weights=(1, 2)),
    ),
    ("LRN", Operator("norm", normalising.across_channels, seeds.channel_norm)),
    (
        "LayerNormalization RMSNormalization",
        Operator("norm", normalising.last_axes, None, seeds.last_axis_norm, (1, 2)),
    ),
    ("SimplifiedLayerNormalization", Operator("norm", normalising.last_axes, None, seeds.last_axis_norm, (1,))),
    ("SkipLayerNormalization", Operator("norm", normalising.skip_norm, None, seeds.skip_norm, (2, 3, 4))),
    ("SkipSimplifiedLayerNormalization", Operator("norm", normalising.skip_norm, None, seeds.skip_norm, (2, 3))),
    ("EmbedLayerNormalization", Operator("norm", None, seeds.tokens, weights=(2, 3, 4, 5, 6))),
    ("BiasSplitGelu", Operator("other", None, seeds.tokens)),
    ("BiasAdd", Operator("other", elementwise.pointwise, seeds.tokens)),
    ("BiasGelu FastGelu", Operator("act", elementwise.pointwise, None, seeds.bias, (1,))),
    ("MeanVarianceNormalization", Operator("other", normalising.mean_variance)),
    ("LpNormalization", Operator("other", normalising.along_axis)),
    (
        "Relu LeakyRelu Elu Selu HardSwish Gelu QuickGelu Mish Softplus Swish",
        Operator("act", elementwise.pointwise),
    ),
    ("Clip", Operator("act", elementwise.pointwise, ends=ends.clip)),
    ("Sigmoid", Operator("act", elementwise.pointwise, ends=ends.share)),
    ("HardSigmoid", Operator("act", elementwise.pointwise, ends=ends.hard_share)),
    ("Tanh", Operator("act", elementwise.pointwise, ends=ends.both_signs)),
    ("Max", Operator("other", elementwise.pointwise, ends=ends.greatest)),
    ("Min", Operator("other", elementwise.pointwise, ends=ends.least)),
    ("QLinearSigmoid", Operator("act", elementwise.pointwise, output_scale=3, ends=ends.share)),
    ("QLinearLeakyRelu", Operator("act", elementwise.pointwise, output_scale=3)),
    ("PRelu", Operator("act", elementwise.pointwise, weights=(1,))),
    ("Softmax", Operator("act", normalising.along_axis)),
    ("QLinearSoftmax", Operator("act", normalising.along_axis, output_scale=3)),
    ("LogSoftmax Hardmax", Operator("other", normalising.along_axis)),
    ("Concat", Operator("join", moving.concat)),
    ("QLinearConcat", Operator("join", moving.quantised_concat, output_scale=0)),
    ("Add", Operator("add", elementwise.pointwise, None, seeds.bias, _EVERY_INPUT)),
    ("Sum", Operator("add", elementwise.pointwise)),
    ("QLinearAdd", Operator("add", elementwise.pointwise, output_scale=6)),
    ("QLinearMul", Operator("other", elementwise.pointwise, output_scale=6)),
    ("Sub Mul Div", Operator("other", elementwise.pointwise, weights=_EVERY_INPUT)),
    ("Gemm", Operator("dense", products.gemm, seeds.rows_of_channels, weights=(0, 1, 2))),
    ("FusedGemm", Operator("dense", products.gemm, seeds.rows_of_channels, weights=(0, 1, 2))),
    ("QGemm", Operator("dense", products.quantised_gemm, seeds.rows_of_channels, weights=(3, 6), output_scale=7)),
    ("MatMul MatMulInteger", Operator("dense", products.matmul, None, seeds.dense_product, (0, 1), sides=(0, 1))),
    ("FusedMatMul", Operator("dense", products.fused_matmul, None, seeds.dense_product, (0, 1), sides=(0, 1))),
    (
        "QLinearMatMul",
        Operator("dense", products.matmul, None, seeds.dense_product, (0, 3), sides=(0, 3), output_scale=6),
    ),
    ("MatMulNBits", Operator("dense", products.matmul, None, seeds.dense_product, (1,))),
    ("MatMulIntegerToFloat", Operator("dense", products.matmul, None, seeds.dense_product, (1, 6), sides=(0, 1))),
    (
        "DynamicQuantizeMatMul",
        Operator("dense", products.dynamic_matmul, None, seeds.dense_product, (1, 4), sides=(0, 1)),
    ),
    ("Attention", Operator("attention", products.attention, seeds.attention)),
    ("MultiHeadAttention", Operator("attention", products.fused_attention, seeds.fused_attention)),
    ("GroupQueryAttention", Operator("attention", sequences.grouped_attention, seeds.fused_attention)),
    ("SparseAttention LongformerAttention", Operator("other", None, seeds.fused_attention)),
    ("QAttention", Operator("attention", None, seeds.fused_attention, weights=(1, 2))),
    (
        "LSTM GRU RNN DynamicQuantizeLSTM",
        Operator("recurrent", sequences.recurrent, seeds.recurrent, weights=(1, 2, 3, 7)),
    ),
    ("Gather", Operator("other", moving.gather, None, seeds.embedding, (0,))),
    (
        "Abs Acos Acosh And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast "
        "Ceil Celu Cos Cosh Dropout Equal Erf Exp Floor Greater GreaterOrEqual Identity IsInf IsNaN Less "
        "LessOrEqual Log Mean Mod Neg Not Or Pow Reciprocal Round Shrink Sign Sin Sinh "
        "Softsign Sqrt Tan ThresholdedRelu Where Xor",
        Operator("other", elementwise.pointwise),
    ),
    (
        "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
        "ReduceSum ReduceSumSquare",
        Operator("other", reductions.reduced),
    ),
    ("QLinearWhere", Operator("other", output_scale=7)),
    ("QuantizeLinear DequantizeLinear", Operator("other", elementwise.quantisation)),
    ("DynamicQuantizeLinear", Operator("other", normalising.dynamic_scale)),
    ("CastLike", Operator("other", elementwise.cast_like)),
    ("CumProd CumSum", Operator("other", normalising.running_sum)),
    ("Expand", Operator("other", elementwise.expand)),
    ("Flatten", Operator("other", reshaping.flatten)),
    ("Pad", Operator("other", moving.pad)),
    ("Reshape", Operator("other", reshaping.reshape)),
    ("Slice", Operator("other", moving.slice_)),
    ("Split", Operator("other", moving.split)),
    ("Squeeze", Operator("other", moving.squeeze)),
    ("Tile", Operator("other", moving.tile)),
    ("TopK", Operator("other", reductions.top)),
    ("ScatterElements ScatterND TensorScatter Trilu", Operator("other", moving.overwritten)),
    ("CenterCropPad", Operator("other", moving.centred)),
    ("Transpose", Operator("other", moving.transpose)),
    ("Unsqueeze", Operator("other", moving.unsqueeze)),
    ("RotaryEmbedding", Operator("other", sequences.rotary)),
    ("Einsum", Operator("other", einsum.einsum)),
    ("Compress", Operator("other", sampling.compressed)),
    ("GatherElements", Operator("other", sampling.gather_elements)),
    ("GatherND", Operator("other", sampling.gather_nd)),
    ("ReverseSequence", Operator("other", sampling.reversed_lines)),
    ("DFT Det MelWeightMatrix NonZero STFT", Operator("other", something)),
    ("Shape Size ConstantOfShape EyeLike RandomNormalLike RandomUniformLike", Operator("other", nothing)),
)


_CARRYING_RULES: Mapping[str, Rule] = {
    "Steps Condition Passed Element SequenceMap": everything,
    "Carried": holders.carried,
    "Scanned": holders.scanned,
    "If Loop Scan": holders.joined,
}
"""How the nodes of a flat graph read that stand for what holds bodies."""


def _by_domain(rows: Iterable[tuple[str, Operator]]) -> dict[tuple[str, str], Operator]:
    """Lay out the rows: onnxruntime has operators of ONNX in its own domain as well, and some of its own in ONNX's."""
    table: dict[tuple[str, str], Operator] = {}
    for names, operator in rows:
        for name in names.split():
            table.update(((domain, name), operator) for domain in STANDARD_DOMAINS)
            if operator.kind != "other":
                plain = replace(operator, reads=None, fixes=None, suggests=None)
                table[BLOCKED_DOMAIN, name] = plain
                last = seeds.channels_last if operator.fixes in (seeds.spatial, seeds.global_pool) else None
                table[_CHANNELS_LAST_DOMAIN, name] = replace(plain, fixes=last)
    for names, rule in _CARRYING_RULES.items():
        table.update(((CARRYING, name), Operator(reads=rule)) for name in names.split())
    table[_MICROSOFT, "Attention"] = Operator(
        "attention", products.packed_attention, seeds.fused_attention, weights=(1, 2)
    )
    table[COMPUTED_DOMAIN, "Rollout"] = Operator("attention", something, seeds.rollout)
    return table


OPERATORS: Mapping[tuple[str, str], Operator] = _by_domain(_ROWS)
"""What is known of each operator, by its domain and name."""


def operator_of(node: Node) -> Operator:
    """Return what is known of the operator that a node calls."""
    return UNKNOWN if node.is_call else OPERATORS.get((node.domain, node.op), UNKNOWN)


_PLAIN: Mapping[str, str] = {
    **dict.fromkeys(("FusedConv", "QLinearConv", "ConvInteger", "NhwcConv", "NhwcFusedConv"), "Conv"),
    **dict.fromkeys(("FusedGemm", "QGemm"), "Gemm"),
    **dict.fromkeys(("FusedMatMul", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"), "MatMul"),
    **dict.fromkeys(("DynamicQuantizeMatMul", "MatMulNBits"), "MatMul"),
    **dict.fromkeys(("SkipLayerNormalization", "EmbedLayerNormalization"), "LayerNormalization"),
    **dict.fromkeys(("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization"), "RMSNormalization"),
    **dict.fromkeys(("BiasGelu", "FastGelu"), "Gelu"),
    "DynamicQuantizeLSTM": "LSTM", "NhwcMaxPool": "MaxPool", "SkipGroupNorm": "GroupNorm", "BiasAdd": "Add",
    "Sum": "Add", "Swish": "QuickGelu", "Upsample": "Resize",
}  # fmt: skip


def plain_operator(node: Node) -> str:
    """Return the operator that a node computes, where it is a fused or quantised form of one; else its own.

    >>> from onnx.helper import make_node
    >>> make = lambda op: Node(0, "", op, "com.microsoft", (), (), (), make_node(op, [], []))
    >>> plain_operator(make("FusedConv")), plain_operator(make("QLinearAdd")), plain_operator(make("Gelu"))
    ('Conv', 'Add', 'Gelu')
    """
    return _PLAIN.get(node.op, node.op.removeprefix("QLinear"))


_HANDING_ON = frozenset({"Dropout", "Identity", "ReorderInput", "ReorderOutput"})


def hands_on(node: Node) -> bool:
    """Return whether a node makes the very numbers that it reads, at most laid out in blocks of channels or back."""
    return node.op in _HANDING_ON and not node.is_call and node.domain in (*STANDARD_DOMAINS, BLOCKED_DOMAIN)


MOVING: frozenset[Rule | None] = frozenset(
    {elementwise.expand, moving.centred, moving.concat, moving.gather, moving.pad, moving.slice_, moving.split}
    | {moving.squeeze, moving.tile, moving.transpose, moving.unsqueeze, reshaping.flatten, reshaping.reshape}
    | {resizing.resize, windows.depth_to_space, windows.space_to_depth}
)
"""Rules of operators that make values of their inputs, in other places, or values between them."""

_CHOOSING = frozenset(
    "Clip Compress Dropout GatherElements GatherND Identity MaxPool NhwcMaxPool ReduceMax ReduceMin Relu "
    "ReverseSequence TopK".split()
)


def passes_values(node: Node) -> bool:
    """Return whether what a node makes are values of its inputs, moved, chosen or between them."""
    return operator_of(node).reads in MOVING or node.operator in _CHOOSING


_MOST_TAPS = 1 << 20
_COUNT_FROM_THE_FRONT = frozenset(
    {elementwise.batch_norm, elementwise.pointwise, nothing, reductions.over_space}
    | {windows.transposed_window, windows.window}
)
"""Rules that hold whatever axes there may be at the end of an operand whose rank is not known."""


def reads_of(operand: Operand) -> Reads | None:
    """Return how a node reads an operand, None where nothing is known of that.

    It is not where the operator is not in the table, or the node breaks its operator's definition.
    """
    rule = operator_of(operand.node).reads
    if rule is not None and rule not in _COUNT_FROM_THE_FRONT and operand.sizes.shape(operand.source) is None:
        rule = something
    try:
        found = None if rule is None else rule(operand)
    except MALFORMED:
        return None
    absurd = found is not None and any(_is_absurd(axis.pull) for axis in found.axes if axis.pull is not None)
    return None if absurd else found


def _is_absurd(pull: Pull) -> bool:
    """Return whether a rule reads more than any real node: once laid out, a hostile size would take all memory."""
    return sum(len(taps) for taps in pull.offsets) > _MOST_TAPS


def weight_count(sizes: Sequence[int]) -> int:
    """Return how many weights a constant of this shape holds: one of rank 0 is a setting and not a weight.

    >>> weight_count((2, 3)), weight_count(())
    (6, 0)
    """
    return math.prod(sizes) if sizes else 0


def packed_weights(proto: onnx.NodeProto) -> int:
    """Return how many weights a node holds several to a byte, as its attributes tell; 0 where it holds none so."""
    if (proto.domain, proto.op_type) != (_MICROSOFT, "MatMulNBits"):
        return 0
    sizes = {attribute.name: attribute.i for attribute in proto.attribute}
    return max(sizes.get("K", 0), 0) * max(sizes.get("N", 0), 0)
