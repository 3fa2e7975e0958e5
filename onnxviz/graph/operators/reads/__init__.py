"""What an operator's output positions read of its inputs, axis by axis, for every operator that is understood.

One table serves both questions about receptive fields: how large they are where no border is near
(receptive_field.py follows the rules forward) and what exactly one position sees (region.py follows them back).
What a rule is stands in rule.py; the rules lie in the files beside it, by what the operators do.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.operators.reads.elementwise import batch_norm, cast_like, expand, pointwise, quantisation
from onnxviz.graph.operators.reads.moving import (
    concat,
    gather,
    pad,
    quantised_concat,
    slice_,
    split,
    squeeze,
    tile,
    transpose,
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
from onnxviz.graph.operators.reads.products import attention, fused_attention, fused_matmul, gemm, matmul
from onnxviz.graph.operators.reads.reductions import over_space, reduced, top
from onnxviz.graph.operators.reads.reshaping import flatten, reshape
from onnxviz.graph.operators.reads.resizing import resize
from onnxviz.graph.operators.reads.rule import Call, Pull, Reads, Rule, nothing, something
from onnxviz.graph.operators.reads.windows import depth_to_space, space_to_depth, transposed_window, window

__all__ = ["RULES", "rule_of"]

_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
_MOST_TAPS = 1 << 20
_COUNT_FROM_THE_FRONT = (batch_norm, nothing, over_space, pointwise, transposed_window, window)
"""Rules that hold whatever axes there may be at the end of an operand whose rank is not known."""


def rule_of(call: Call) -> Reads | None:
    """Answer a question; None where the operator is not understood or the node is none as it is defined."""
    node = call.node
    rule = RULES.get(node.op) if node.domain in _DOMAINS and not call.sizes.is_call(node) else None
    if rule is not None and rule not in _COUNT_FROM_THE_FRONT and call.sizes.shape(call.source) is None:
        rule = something
    try:
        found = None if rule is None else rule(call)
    except MALFORMED:
        return None
    return None if found is None or any(_is_absurd(axis.pull) for axis in found.axes) else found


def _is_absurd(pull: Pull | None) -> bool:
    """Tell whether a rule reads more than any real node: once laid out, a hostile size would take all memory."""
    return pull is not None and sum(len(taps) for taps in pull.offsets) > _MOST_TAPS


_POINTWISE = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BiasGelu BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil
    Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp FastGelu Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish
    Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow QLinearAdd
    QLinearLeakyRelu QLinearMul QLinearSigmoid QuickGelu Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh
    Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor
""".split()
_WINDOWS = "AveragePool Conv ConvInteger FusedConv LpPool MaxPool QLinearAveragePool QLinearConv".split()
_REDUCTIONS = """
    ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare
""".split()
_SOMETHING = "DFT Det Einsum GRU LSTM MelWeightMatrix NonZero RNN STFT".split()

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_POINTWISE, pointwise),
    **dict.fromkeys(_WINDOWS, window),
    **dict.fromkeys(_REDUCTIONS, reduced),
    **dict.fromkeys(_SOMETHING, something),
    **dict.fromkeys(("Shape", "Size", "ConstantOfShape", "EyeLike", "RandomNormalLike", "RandomUniformLike"), nothing),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"), over_space),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"), along_axis),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"), last_axes),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), space_normalised),
    **dict.fromkeys(("MatMul", "QLinearMatMul", "MatMulInteger", "MatMulNBits"), matmul),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), quantisation),
    **dict.fromkeys(("Resize", "Upsample"), resize),
    "Attention": attention,
    "BatchNormalization": batch_norm,
    "CastLike": cast_like,
    "Concat": concat,
    "ConvTranspose": transposed_window,
    "CumSum": running_sum,
    "DepthToSpace": depth_to_space,
    "DynamicQuantizeLinear": dynamic_scale,
    "Expand": expand,
    "Flatten": flatten,
    "FusedMatMul": fused_matmul,
    "Gather": gather,
    "Gemm": gemm,
    "LRN": across_channels,
    "MeanVarianceNormalization": mean_variance,
    "MultiHeadAttention": fused_attention,
    "Pad": pad,
    "QLinearConcat": quantised_concat,
    "Reshape": reshape,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "TopK": top,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
"""Operator -> rule, for ONNX's own domain and onnxruntime's. An operator that is not here is unknown, never guessed."""
