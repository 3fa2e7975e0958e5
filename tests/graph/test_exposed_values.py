"""An exposed value is what onnx's own reference computes there: for every kind, before and after its nonlinearity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

import onnxviz
from onnxviz.graph.layers.catalogue import catalogue
from onnxviz.graph.operators.table import KINDS

# Two pictures and two channels: onnx 1.23's reference of LRN takes the number of the one for that of the other.
HEAD = '<ir_version: 10, opset_import: ["": 23]> g (float[2,2,6,6] x) => (y)'
CONSTANTS = (
    "float[2,2,3,3] w = {" + ",".join(f"{(k % 7 - 3) / 4}" for k in range(36)) + "}, "
    "float[6,6] side = {" + ",".join(f"{(k % 5 - 2) / 2}" for k in range(36)) + "}, "
    "float[2] b = {0.5,-1}, float[2] v = {2,0.5}, float[6] row = {1,2,3,1,2,3}, float[4] up = {1,1,2,2}, "
    "int64[2] hw = {2,3}, int64[1] ch = {1}, "
    "float[1,2,6] wi = {" + ",".join(f"{(k % 5 - 2) / 4}" for k in range(12)) + "}, "
    "float[1,2,2] wr = {0.5,-0.25,0.25,0.5}, float[1,4] wb = {0.1,0.2,0.3,0.4}, "
    "int64[1] last = {3}, float pair = {2}, "
    "float zero = {0}, float one = {1}, float six = {6}, float root = {1.41421356}, "
    "float half = {0.5}, float s = {0.05}, uint8 z = {7}, uint8[2,2,1,1] u = {1,2,3,250}"
)

# The nodes; the layer's own value, its act value, its kind.
LAYERS = [
    ("l = Conv <pads=[1,1,1,1]> (x, w, b) n = BatchNormalization (l, v, b, b, v) a = Relu (n)", "conv"),
    ("l = ConvTranspose <strides=[2,2]> (x, w) a = LeakyRelu (l)", "conv"),
    ("q = QuantizeLinear (x, s, z) l = QLinearConv (q, s, z, u, s, z, s, z) a = DequantizeLinear (l, s, z)", "conv"),
    ("q = QuantizeLinear (x, s, z) l = ConvInteger (q, u, z, z) f = Cast <to=1> (l) m = Mul (f, s) a = Relu (m)",
     "conv"),
    ("l = MaxPool <kernel_shape=[2,2]> (x) a = Relu (l)", "pool"),
    ("l = AveragePool <kernel_shape=[3,3], strides=[2,2]> (x)", "pool"),
    ("l = GlobalAveragePool (x)", "pool"),
    ("c = Conv (x, w) l = ReduceMax (c, hw)", "pool"),
    ("l = BatchNormalization (x, v, b, b, v) a = Clip (l, zero, six)", "norm"),
    ("l = InstanceNormalization (x, v, b) a = Tanh (l)", "norm"),
    ("l = LayerNormalization <axis=-1> (x, row, row)", "norm"),
    ("l = GroupNormalization <num_groups=2> (x, v, b)", "norm"),
    ("l = RMSNormalization <axis=-1> (x, row)", "norm"),
    ("m = ReduceMean (x, last) d = Sub (x, m) s2 = Pow (d, pair) v2 = ReduceMean (s2, last) e2 = Add (v2, half) "
     "q2 = Sqrt (e2) l = Div (d, q2) t = Mul (l, row) a = Add (t, row)", "norm"),
    ("l = LRN <size=3> (x)", "norm"),
    *((f"l = {op} (x)", "act") for op in "Relu LeakyRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Mish".split()),
    *((f"l = {op} (x)", "act") for op in ("Softplus", "Gelu", 'Gelu <approximate="tanh">', "Softmax <axis=1>")),
    ("g1 = Sigmoid (x) l = Mul (x, g1)", "act"),
    ("d = Div (x, root) e = Erf (d) p = Add (e, one) m = Mul (x, p) l = Mul (m, half)", "act"),
    ("n = Neg (x) l = Concat <axis=1> (x, n) a = Relu (l)", "join"),
    ("n = Sin (x) l = Add (x, n) a = Relu (l)", "add"),
    ("n = Sin (x) l = Sum (x, n, x)", "add"),
    ("l = MatMul (x, side) p = Add (l, row) a = Relu (p)", "dense"),
    ("f = Flatten <axis=3> (x) l = Gemm <transB=1> (f, side, row) a = Sigmoid (l)", "dense"),
    ("t = Transpose <perm=[0,1,3,2]> (x) m = MatMul (x, t) l = Softmax (m) y1 = MatMul (l, x)", "attention"),
    ("l = Attention (x, x, x)", "attention"),
    ("m = ReduceSum <keepdims=0> (x, ch) l = RNN <hidden_size=2> (m, wi, wr, wb)", "recurrent"),
    ("l = Resize <mode=\"linear\"> (x, , up)", "resize"),
    ("l = SpaceToDepth <blocksize=2> (x)", "resize"),
    ("l = Einsum <equation=\"nchw->nwhc\"> (x)", "other"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "kind"), LAYERS, ids=[nodes for nodes, _ in LAYERS])
def test_an_exposed_value_is_the_reference_s(nodes: str, kind: str, tmp_path: Path) -> None:
    proto = model_of(nodes)
    onnx.save(proto, tmp_path / "model.onnx")
    x = np.random.default_rng(4).standard_normal((2, 2, 6, 6)).astype(np.float32)
    reference = ReferenceEvaluator(proto).run(None, {"x": x}, intermediate=True)
    model = onnxviz.open(tmp_path / "model.onnx")
    layer = next(
        one
        for one in catalogue(model.graph, model.types, every=True)
        if one.kind == kind and "l" in (one.output, one.act)
    )
    assert layer.kind == kind
    assert layer.act == ("a" if " a = " in nodes else "l")
    for tap in ("op", "act"):
        target = tmp_path / f"{tap}.onnx"
        model.expose([layer], tap=tap).save(target)
        session = onnxruntime.InferenceSession(target)
        value = layer.value(tap)
        (found,) = session.run([value], {"x": x})
        np.testing.assert_allclose(found, reference[value], atol=1e-5, rtol=1e-4)
        shown = model.run(x, layers=[layer], tap=tap)[layer.name]
        # What a run shows of codes is what they stand for, which DequantizeLinear makes of them.
        expected = reference["a" if shown.dequantised else value]
        np.testing.assert_allclose(shown.array, expected, atol=1e-5, rtol=1e-4)


def model_of(nodes: str) -> onnx.ModelProto:
    """Parse nodes of which one makes `l` and maybe one `a`; the model's own output `y` reads what all else leaves."""
    last = "y1" if "y1" in nodes else "a" if " a = " in nodes else "l"
    model = parser.parse_model(f"{HEAD} <{CONSTANTS}> {{ {nodes} y = Abs ({last}) }}")
    words = {value for node in model.graph.node for value in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in words]
    del model.graph.initializer[:], model.graph.output[:]
    model.graph.initializer.extend(kept)
    model.graph.output.append(onnx.ValueInfoProto(name="y"))
    return onnx.shape_inference.infer_shapes(model)


def test_every_kind_is_among_them() -> None:
    assert {kind for _, kind in LAYERS} == set(KINDS)
