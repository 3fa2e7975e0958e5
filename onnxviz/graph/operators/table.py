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
from onnxviz.graph.graph import STANDARD_DOMAINS, Node
from onnxviz.graph.operators.axis_seeds import (
    Seed,
    channel_norm,
    channels_in_last,
    channels_last,
    dense_product,
    embedding,
    last_axis_norm,
    rows_of_channels,
    spatial,
)
from onnxviz.graph.operators.reads.elementwise import batch_norm, cast_like, expand, pointwise, quantisation
from onnxviz.graph.operators.reads.moving import (
    centred,
    concat,
    gather,
    overwritten,
    pad,
    quantised_concat,
    slice_,
    split,
    squeeze,
    tile,
    transpose,
    triangle,
    unsqueeze,
)
from onnxviz.graph.operators.reads.normalising import (
    across_channels,
    along_axis,
    dynamic_scale,
    last_axes,
    mean_variance,
    running_sum,
    space_normalised,
)
from onnxviz.graph.operators.reads.products import (
    attention,
    fused_attention,
    fused_matmul,
    gemm,
    matmul,
    packed_attention,
)
from onnxviz.graph.operators.reads.reductions import over_space, reduced, top
from onnxviz.graph.operators.reads.reshaping import flatten, reshape
from onnxviz.graph.operators.reads.resizing import resize
from onnxviz.graph.operators.reads.rule import Operand, Pull, Reads, Rule, nothing, something
from onnxviz.graph.operators.reads.windows import depth_to_space, space_to_depth, transposed_window, window

KINDS = ("conv", "pool", "norm", "act", "join", "add", "dense", "attention", "resize", "other")

_MICROSOFT = "com.microsoft"
# Where onnxruntime's own graphs, saved after optimisation, hold maps with channels last, or in blocks of channels.
_CHANNELS_LAST_DOMAIN, _BLOCKED_DOMAIN = "com.ms.internal.nhwc", "com.microsoft.nchwc"
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
    """

    kind: str = "other"
    reads: Rule | None = None
    fixes: Seed | None = None
    suggests: Seed | None = None
    weights: Sequence[int] = ()
    sides: tuple[int, int] | None = None


UNKNOWN = Operator()

_ROWS: Iterable[tuple[str, Operator]] = (
    ("Conv FusedConv", Operator("conv", window, spatial, weights=(1, 2))),
    ("ConvTranspose", Operator("conv", transposed_window, spatial, weights=(1, 2))),
    ("ConvInteger", Operator("conv", window, spatial, weights=(1,))),
    ("QLinearConv", Operator("conv", window, spatial, weights=(3, 8))),
    ("DeformConv", Operator("conv", None, spatial, weights=(1, 3))),
    ("CausalConvWithState", Operator("other", None, spatial)),
    ("NhwcConv", Operator("other", None, channels_last)),
    ("MaxPool AveragePool LpPool QLinearAveragePool", Operator("pool", window, spatial)),
    (
        "GlobalMaxPool GlobalAveragePool GlobalLpPool QLinearGlobalAveragePool",
        Operator("pool", over_space, spatial),
    ),
    ("MaxUnpool GridSample RoiAlign MaxRoiPool", Operator("other", None, spatial)),
    ("DepthToSpace", Operator("resize", depth_to_space, spatial)),
    ("SpaceToDepth", Operator("resize", space_to_depth, spatial)),
    ("Resize Upsample", Operator("resize", resize)),
    ("BatchNormalization", Operator("norm", batch_norm, channel_norm, weights=(1, 2, 3, 4))),
    ("InstanceNormalization GroupNormalization", Operator("norm", space_normalised, channel_norm, weights=(1, 2))),
    ("LRN", Operator("norm", across_channels, channel_norm)),
    ("LayerNormalization RMSNormalization", Operator("norm", last_axes, None, last_axis_norm, (1, 2))),
    ("SimplifiedLayerNormalization", Operator("other", last_axes, None, last_axis_norm)),
    ("MeanVarianceNormalization", Operator("other", mean_variance)),
    ("LpNormalization", Operator("other", along_axis)),
    (
        "Relu Clip LeakyRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Gelu Mish Softplus Swish QLinearSigmoid "
        "QLinearLeakyRelu",
        Operator("act", pointwise),
    ),
    ("PRelu", Operator("act", pointwise, weights=(1,))),
    ("Softmax QLinearSoftmax", Operator("act", along_axis)),
    ("LogSoftmax Hardmax", Operator("other", along_axis)),
    ("Concat", Operator("join", concat)),
    ("QLinearConcat", Operator("join", quantised_concat)),
    ("Add", Operator("add", pointwise, weights=_EVERY_INPUT)),
    ("Sum QLinearAdd", Operator("add", pointwise)),
    ("Sub Mul Div", Operator("other", pointwise, weights=_EVERY_INPUT)),
    ("Gemm", Operator("dense", gemm, rows_of_channels, weights=(0, 1, 2))),
    ("FusedGemm", Operator("dense", None, rows_of_channels, weights=(0, 1, 2))),
    ("QGemm", Operator("dense", None, rows_of_channels, weights=(3, 6))),
    ("MatMul MatMulInteger", Operator("dense", matmul, None, dense_product, (0, 1), sides=(0, 1))),
    ("FusedMatMul", Operator("dense", fused_matmul, None, dense_product, (0, 1), sides=(0, 1))),
    ("QLinearMatMul", Operator("dense", matmul, None, dense_product, (0, 3), sides=(0, 3))),
    ("MatMulNBits", Operator("dense", matmul, None, dense_product, (1,))),
    ("MatMulIntegerToFloat", Operator("dense", weights=(1, 6), sides=(0, 1))),
    ("DynamicQuantizeMatMul", Operator("dense", weights=(1, 4), sides=(0, 1))),
    ("Attention", Operator("attention", attention, None, channels_in_last)),
    ("MultiHeadAttention", Operator("attention", fused_attention, None, channels_in_last)),
    ("GroupQueryAttention", Operator("attention", None, None, channels_in_last)),
    ("QAttention", Operator("attention", weights=(1, 2))),
    ("LSTM GRU RNN", Operator("other", something, weights=_EVERY_INPUT)),
    ("Gather", Operator("other", gather, None, embedding, (0,))),
    (
        "Abs Acos Acosh And Asin Asinh Atan Atanh BiasGelu BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast "
        "Ceil Celu Cos Cosh Dropout Equal Erf Exp FastGelu Floor Greater GreaterOrEqual Identity IsInf IsNaN Less "
        "LessOrEqual Log Max Mean Min Mod Neg Not Or Pow QLinearMul QuickGelu Reciprocal Round Shrink Sign Sin Sinh "
        "Softsign Sqrt Tan ThresholdedRelu Where Xor",
        Operator("other", pointwise),
    ),
    (
        "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
        "ReduceSum ReduceSumSquare",
        Operator("other", reduced),
    ),
    ("QuantizeLinear DequantizeLinear", Operator("other", quantisation)),
    ("DynamicQuantizeLinear", Operator("other", dynamic_scale)),
    ("CastLike", Operator("other", cast_like)),
    ("CumSum", Operator("other", running_sum)),
    ("Expand", Operator("other", expand)),
    ("Flatten", Operator("other", flatten)),
    ("Pad", Operator("other", pad)),
    ("Reshape", Operator("other", reshape)),
    ("Slice", Operator("other", slice_)),
    ("Split", Operator("other", split)),
    ("Squeeze", Operator("other", squeeze)),
    ("Tile", Operator("other", tile)),
    ("TopK", Operator("other", top)),
    ("ScatterElements ScatterND", Operator("other", overwritten)),
    ("Trilu", Operator("other", triangle)),
    ("CenterCropPad", Operator("other", centred)),
    ("Transpose", Operator("other", transpose)),
    ("Unsqueeze", Operator("other", unsqueeze)),
    ("DFT Det Einsum MelWeightMatrix NonZero STFT", Operator("other", something)),
    ("Shape Size ConstantOfShape EyeLike RandomNormalLike RandomUniformLike", Operator("other", nothing)),
)


def _by_domain(rows: Iterable[tuple[str, Operator]]) -> dict[tuple[str, str], Operator]:
    """Lay out the rows: onnxruntime has operators of ONNX in its own domain as well, and some of its own in ONNX's."""
    table: dict[tuple[str, str], Operator] = {}
    for names, operator in rows:
        for name in names.split():
            table.update(((domain, name), operator) for domain in STANDARD_DOMAINS)
            if operator.kind != "other":
                plain = replace(operator, reads=None, fixes=None, suggests=None)
                table[_BLOCKED_DOMAIN, name] = plain
                last = channels_last if operator.fixes is spatial else None
                table[_CHANNELS_LAST_DOMAIN, name] = replace(plain, fixes=last)
    table[_MICROSOFT, "Attention"] = Operator("attention", packed_attention, None, channels_in_last, (1, 2))
    return table


OPERATORS: Mapping[tuple[str, str], Operator] = _by_domain(_ROWS)
"""What is known of each operator, by its domain and name."""


def operator_of(node: Node) -> Operator:
    """Return what is known of the operator that a node calls."""
    return UNKNOWN if node.is_call else OPERATORS.get((node.domain, node.op), UNKNOWN)


_MOST_TAPS = 1 << 20
_COUNT_FROM_THE_FRONT = (batch_norm, nothing, over_space, pointwise, transposed_window, window)
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
    return None if found is None or any(_is_absurd(axis.pull) for axis in found.axes) else found


def rule_of(operand: Operand) -> Reads | None:
    """Return which positions of an operand a node reads, None where that is not understood."""
    found = reads_of(operand)
    return found if found is not None and found.understood else None


def _is_absurd(pull: Pull | None) -> bool:
    """Return whether a rule reads more than any real node: once laid out, a hostile size would take all memory."""
    return pull is not None and sum(len(taps) for taps in pull.offsets) > _MOST_TAPS


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
