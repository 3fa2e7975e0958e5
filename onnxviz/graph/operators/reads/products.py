"""Rules of products: the rows of the left and the columns of the right are followed, what is summed over is gone."""

from __future__ import annotations

from onnxviz.graph.operators.reads.elementwise import pointwise
from onnxviz.graph.operators.reads.rule import GONE, AxisRead, Call, Reads, also_whole, something


def matmul(call: Call) -> Reads:
    """MatMul and its quantised forms."""
    right = 3 if call.node.op == "QLinearMatMul" else 1
    if call.operand == 0:
        return _rows(call, right)
    return _columns(call) if call.operand == right and call.node.op != "MatMulNBits" else something(call)


def fused_matmul(call: Call) -> Reads:
    """FusedMatMul: as MatMul, with either side transposed."""
    if (
        call.operand > 1
        or call.rank < 2
        or any(call.node.attribute(name, 0) for name in ("transBatchA", "transBatchB"))
    ):
        return something(call)
    found = _columns(call) if call.operand else _rows(call, 1)
    if not call.node.attribute("transB" if call.operand else "transA", 0):
        return found
    *leading, last, one = found.axes
    return Reads((*leading, one, last))


def _rows(call: Call, right: int) -> Reads:
    """The left side (..., M, K); without M where it is one row."""
    other = call.sizes.rank(call.node.inputs[right], 0)
    if not other:
        return something(call)
    if call.rank == 1:
        return Reads((GONE,))
    shift = max(other - call.rank, 0)
    return Reads((*_leading(call, shift), AxisRead(shift + call.rank - 2), GONE))


def _columns(call: Call) -> Reads:
    """The right side (..., K, N); without N where it is one column."""
    other = call.sizes.rank(call.node.inputs[0], 0)
    if not other:
        return something(call)
    if call.rank == 1:
        return Reads((GONE,))
    shift = max(other - call.rank, 0)
    last = shift + call.rank - (1 if other > 1 else 2)  # a left side of one row leaves no axis of its own
    return Reads((*_leading(call, shift), GONE, AxisRead(last)))


def _leading(call: Call, shift: int) -> list[AxisRead]:
    """The axes before the matrices, which are broadcast."""
    ones = [call.sizes.size(call.source, axis) == 1 for axis in range(call.rank - 2)]
    return [GONE if one else AxisRead(axis + shift) for axis, one in enumerate(ones)]


def gemm(call: Call) -> Reads:
    """Gemm: as MatMul, with either side transposed."""
    if call.operand == 2:
        return pointwise(call)
    if call.operand > 2 or call.rank != 2:
        return something(call)
    kept, turned = (0, "transA") if call.operand == 0 else (1, "transB")
    axes = [AxisRead(kept), GONE] if kept == 0 else [GONE, AxisRead(kept)]
    return Reads(tuple(reversed(axes) if call.node.attribute(turned, 0) else axes))


def attention(call: Call) -> Reads:
    """Attention (ONNX): a row of the query with all keys and values; see `_query` and `_keys`.

    onnxruntime's operator of that name takes one input for all three.
    """
    if call.node.domain == "com.microsoft":
        if call.operand or call.output:
            return something(call)
        return also_whole(call, range(1, call.rank), loose=bool(call.node.attribute("unidirectional", 0)))
    return _attention(call, causal="is_causal")


def fused_attention(call: Call) -> Reads:
    """MultiHeadAttention of onnxruntime."""
    return _attention(call, causal="unidirectional")


def _attention(call: Call, causal: str) -> Reads:
    shapes = [call.sizes.rank(value, 0) for value in call.node.inputs[:3] if value]
    if call.operand > 2 or call.output or len(shapes) != 3 or set(shapes) != {call.rank} or call.rank not in (3, 4):
        return something(call)
    if call.node.attribute(causal, 0) or call.node.attribute("kv_num_heads", 0) != call.node.attribute(
        "q_num_heads", 0
    ):
        return something(call)
    return _query(call) if call.operand == 0 else _keys(call)


def _query(call: Call) -> Reads:
    """(N, T, C) or (N, heads, T, C): a row, and of its channels those of a head."""
    last = call.rank - 1
    return Reads((*(AxisRead(axis) for axis in range(last)), AxisRead(None, inner=_channels(call))))


def _keys(call: Call) -> Reads:
    """All rows; of the keys' channels those of a head, of the values' one."""
    if call.rank == 4 and call.sizes.size(call.source, 1) != call.sizes.size(call.node.inputs[0], 1):
        return something(call)
    leading = (AxisRead(axis) for axis in range(call.rank - 2))
    last = AxisRead(None, inner=_channels(call)) if call.operand == 1 else AxisRead(call.rank - 1)
    return Reads((*leading, GONE, last))


def _channels(call: Call) -> tuple[int, ...]:
    """Where heads lie in the channels, one channel of the output reads those of its head."""
    return (2,) if call.rank == 3 else ()
