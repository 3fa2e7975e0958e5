"""Rules of products: the rows of the left and the columns of the right are followed, what is summed over is gone."""

from __future__ import annotations

from dataclasses import replace

from onnxviz.graph.operators.reads.elementwise import pointwise
from onnxviz.graph.operators.reads.rule import GONE, AxisRead, Operand, Reads, also_whole, something, summed


def matmul(operand: Operand) -> Reads:
    """MatMul and its quantised forms."""
    right = 3 if operand.node.operator == "QLinearMatMul" else 1
    if operand.place == 0:
        return _rows(operand, right)
    followed = operand.place == right and operand.node.operator != "MatMulNBits"
    return _columns(operand) if followed else something(operand)


def fused_matmul(operand: Operand) -> Reads:
    """FusedMatMul: as MatMul, with either side transposed."""
    if (
        operand.place > 1
        or operand.rank < 2
        or any(operand.node.integer(name, 0) for name in ("transBatchA", "transBatchB"))
    ):
        return something(operand)
    found = _columns(operand) if operand.place else _rows(operand, 1)
    if not operand.node.integer("transB" if operand.place else "transA", 0):
        return found
    *leading, last, one = found.axes
    return Reads((*leading, one, last))


def dynamic_matmul(operand: Operand) -> Reads:
    """DynamicQuantizeMatMul: the scale of the left side is taken from all of it."""
    found = matmul(operand)
    if operand.place:
        return found
    return Reads(tuple(read if read.out is None else replace(read, whole=True) for read in found.axes))


def _rows(operand: Operand, right: int) -> Reads:
    """The left side (..., M, K); without M where it is one row."""
    other = operand.sizes.rank(operand.node.inputs[right], 0)
    if not other:
        return something(operand)
    if operand.rank == 1:
        return Reads((GONE,))
    shift = max(other - operand.rank, 0)
    last = summed(shift + operand.rank - 1) if operand.sizes.has_constant_right_side(operand.node) else GONE
    return Reads((*_leading(operand, shift), AxisRead(shift + operand.rank - 2), last))


def _columns(operand: Operand) -> Reads:
    """The right side (..., K, N); without N where it is one column."""
    other = operand.sizes.rank(operand.node.inputs[0], 0)
    if not other:
        return something(operand)
    if operand.rank == 1:
        return Reads((GONE,))
    shift = max(other - operand.rank, 0)
    last = shift + operand.rank - (1 if other > 1 else 2)  # a left side of one row leaves no axis of its own
    return Reads((*_leading(operand, shift), GONE, AxisRead(last)))


def _leading(operand: Operand, shift: int) -> list[AxisRead]:
    """The axes before the matrices, which are broadcast."""
    ones = [operand.sizes.size(operand.source, axis) == 1 for axis in range(operand.rank - 2)]
    return [summed(axis + shift) if one else AxisRead(axis + shift) for axis, one in enumerate(ones)]


def gemm(operand: Operand) -> Reads:
    """Gemm: as MatMul, with either side transposed."""
    if operand.place == 2:
        return pointwise(operand)
    return _matrix(operand, right=1)


def quantised_gemm(operand: Operand) -> Reads:
    """QGemm: each side comes with a scale and a zero point."""
    return _matrix(operand, right=3)


def _matrix(operand: Operand, right: int) -> Reads:
    if operand.place not in (0, right) or operand.rank != 2:
        return something(operand)
    kept, turned = (0, "transA") if operand.place == 0 else (1, "transB")
    gone = summed(1) if kept == 0 and operand.sizes.has_constant_right_side(operand.node) else GONE
    axes = [AxisRead(kept), gone] if kept == 0 else [GONE, AxisRead(kept)]
    return Reads(tuple(reversed(axes) if operand.node.integer(turned, 0) else axes))


def attention(operand: Operand) -> Reads:
    """Attention (ONNX): a row of the query with all keys and values; see `_query` and `_keys`."""
    return _attention(operand, causal="is_causal")


def packed_attention(operand: Operand) -> Reads:
    """Attention of onnxruntime, which takes one input for query, keys and values."""
    if operand.place or operand.output:
        return something(operand)
    return also_whole(operand, range(1, operand.rank), loose=bool(operand.node.integer("unidirectional", 0)))


def fused_attention(operand: Operand) -> Reads:
    """MultiHeadAttention of onnxruntime."""
    return _attention(operand, causal="unidirectional")


def _attention(operand: Operand, causal: str) -> Reads:
    node = operand.node
    ranks = [operand.sizes.rank(value, 0) for value in node.inputs[:3] if value]
    if operand.place > 2 or operand.output or ranks != [operand.rank] * 3 or operand.rank not in (3, 4):
        return something(operand)
    if node.integer(causal, 0) or node.integer("kv_num_heads", 0) != node.integer("q_num_heads", 0):
        return something(operand)
    return _query(operand) if operand.place == 0 else _keys(operand)


def _query(operand: Operand) -> Reads:
    """(N, T, C) or (N, heads, T, C): a row, and of its channels those of a head."""
    last = operand.rank - 1
    return Reads((*(AxisRead(axis) for axis in range(last)), AxisRead(None, inner=_channels(operand))))


def _keys(operand: Operand) -> Reads:
    """All rows; of the keys' channels those of a head, of the values' one."""
    if operand.rank == 4 and operand.sizes.size(operand.source, 1) != operand.sizes.size(operand.node.inputs[0], 1):
        return something(operand)
    leading = (AxisRead(axis) for axis in range(operand.rank - 2))
    last = AxisRead(None, inner=_channels(operand)) if operand.place == 1 else AxisRead(operand.rank - 1)
    return Reads((*leading, GONE, last))


def _channels(operand: Operand) -> tuple[int, ...]:
    """Where heads lie in the channels, one channel of the output reads those of its head."""
    return (2,) if operand.rank == 3 else ()
