"""Why an operator has no rule: what a refusal says of it. Each operator of the table has a rule or stands here."""

from __future__ import annotations

from collections.abc import Mapping

_FUSED = "it joins several operators: differentiate the model from before they were joined, or its QDQ form"
_WHOLE = "it makes whole numbers or conditions, which have no slope"
_FIXED = "what it makes does not depend on the numbers that it reads"
_STEPS = "its body runs several times, and only those of Loops and Scans are laid out"
_SEQUENCE = "it works on sequences, and only arrays have a gradient"
_PLACES = "its places depend on numbers, and no rule is written for them"
_PACKED = "its weights lie several to a byte"
_LOSS = "it is a loss of training"
_TEXT = "it reads or makes texts"
_RANDOM = "it makes random numbers"
_NEW = "it is newer than the rules"

_BY_REASON: Mapping[str, str] = {
    _FUSED: "FusedConv FusedGemm NhwcConv NhwcFusedConv NhwcMaxPool GroupNorm SkipGroupNorm EmbedLayerNormalization "
    "BiasSplitGelu MultiHeadAttention GroupQueryAttention SparseAttention LongformerAttention QAttention "
    "DynamicQuantizeLSTM QLinearAveragePool QLinearSoftmax QLinearWhere "
    "PackedAttention PackedMultiHeadAttention",
    _WHOLE: "And ArgMax ArgMin BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Equal Greater "
    "GreaterOrEqual Hardmax IsInf IsNaN Less LessOrEqual NonMaxSuppression NonZero Not OneHot Or Unique Xor",
    _FIXED: "AffineGrid BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow MelWeightMatrix Range "
    "Shape Size",
    _NEW: "CausalConvWithState LinearAttention SwiGLU",
    _RANDOM: "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike",
    _STEPS: "Loop Scan SequenceMap",
    _SEQUENCE: "ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt SequenceConstruct "
    "SequenceEmpty SequenceErase SequenceInsert SequenceLength SplitToSequence",
    _PLACES: "Col2Im DeformConv MaxRoiPool RoiAlign TensorScatter",
    _PACKED: "MatMulNBits",
    _LOSS: "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    _TEXT: "ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer",
    "which of its branches is taken is not known": "If",
}

REASONS: Mapping[str, str] = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}
"""By an operator's name why there is no rule."""

DOMAIN_REASONS: Mapping[str, str] = {
    "com.ms.internal.nhwc": _FUSED,
    "com.microsoft.nchwc": _FUSED,
    "onnxviz": "it stands for a body in a flat graph, which is never run",
    "onnxviz.computed": "it stands for what a run computes, and is never run itself",
    "ai.onnx.ml": "it is a model such as trees, for which there is no rule",
}
"""By a domain why none of its operators has a rule."""
