"""What a run computes besides a model's values: numpy multiplies the same weights, ONNX's reference attends alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

import onnxviz
from onnxviz.draw.attention import over_picture
from onnxviz.errors import NoMatchError
from onnxviz.layout import AttentionLayout
from onnxviz.model import choices_of

WIDTH, HEADS, TOKENS = 8, 2, 4
SPLIT = f"{{0,{TOKENS},{HEADS},{WIDTH // HEADS}}}"
WEIGHTS = np.random.default_rng(0).normal(size=(9, WIDTH, WIDTH)).astype(np.float32)


def block(number: int, source: str, keys: str = "") -> str:
    """Return the nodes of an attention `y{number}` with its residual, of a source or of other keys."""
    n, kept = number, keys or source
    return (
        f"q{n} = MatMul ({source}, w{n}q) k{n} = MatMul ({kept}, w{n}k) v{n} = MatMul ({kept}, w{n}v) "
        f"a{n} = Reshape (q{n}, split) b{n} = Reshape (k{n}, split) c{n} = Reshape (v{n}, split) "
        f"d{n} = Transpose <perm=[0,2,1,3]> (a{n}) e{n} = Transpose <perm=[0,2,3,1]> (b{n}) "
        f"f{n} = Transpose <perm=[0,2,1,3]> (c{n}) s{n} = MatMul (d{n}, e{n}) p{n} = Softmax <axis=-1> (s{n}) "
        f"m{n} = MatMul (p{n}, f{n}) t{n} = Transpose <perm=[0,2,1,3]> (m{n}) j{n} = Reshape (t{n}, join) "
        f"y{n} = Add (j{n}, {source}) "
    )


def model_of(folder: Path, nodes: str, inputs: str = "float[N,4,8] x", opset: int = 18, out: str = "y2") -> Path:
    initializers = [
        onnx.numpy_helper.from_array(WEIGHTS[3 * n + place], f"w{n}{letter}")
        for n in range(3)
        for place, letter in enumerate("qkv")
    ]
    initializers += [
        onnx.numpy_helper.from_array(np.array(sizes, np.int64), name)
        for name, sizes in (("split", (0, 4, 2, 4)), ("join", (0, 4, 8)), ("windows", (-1, 2, 8)), ("back", (1, 4, 8)))
    ]
    text = f'<ir_version: 8, opset_import: ["": {opset}]> g ({inputs}) => (float[] {out}) {{ {nodes} }}'
    proto = parser.parse_model(text)
    read = {name for node in proto.graph.node for name in node.input}
    proto.graph.initializer.extend(each for each in initializers if each.name in read)
    path = folder / "model.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(proto), path)
    return path


def product(matrices: list[np.ndarray]) -> np.ndarray:
    """Return the rollout as Abnar and Zuidema define it, in float64."""
    result = None
    for matrix in matrices:
        layer = matrix.astype(np.float64).mean(axis=1) + np.eye(matrix.shape[-1])
        layer /= layer.sum(axis=-1, keepdims=True)
        result = layer if result is None else layer @ result
    assert result is not None
    return result


THREE = block(0, "x") + block(1, "y0") + block(2, "y1")


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_the_rollout_is_the_product_of_the_layers_weights_and_its_rows_sum_to_1(tmp_path: Path, opset: int) -> None:
    model = onnxviz.open(model_of(tmp_path, THREE, opset=opset))
    x = np.random.default_rng(1).normal(size=(2, TOKENS, WIDTH)).astype(np.float32)
    found = model.run(x, layers=["p0", "p1", "p2", "rollout"])
    rollout = found["rollout"]
    assert (rollout.array.shape, rollout.layout, rollout.op) == ((2, TOKENS, TOKENS), "NTT", "Rollout")
    np.testing.assert_allclose(rollout.array, product([found[f"p{n}"].array for n in range(3)]), rtol=1e-5)
    np.testing.assert_allclose(rollout.array.sum(axis=-1), 1, rtol=1e-6)


def test_two_uniform_attentions_by_hand(tmp_path: Path) -> None:
    """Of weights that are 1/4 each a layer is I/2 + 1/8, and two of them 1/4 of the identity and 3/16 for each."""
    model = onnxviz.open(model_of(tmp_path, block(0, "x") + block(1, "y0"), out="y1"))
    rollout = model.run(np.zeros((1, TOKENS, WIDTH), np.float32), layers="rollout")["rollout"].array
    np.testing.assert_allclose(rollout[0], np.eye(4) / 4 + 3 / 16, rtol=1e-6)


def test_it_is_a_layer_of_its_own_and_costs_nothing_unless_it_is_chosen(tmp_path: Path) -> None:
    model = onnxviz.open(model_of(tmp_path, THREE))
    layer = model.layers["rollout"]
    assert (layer.kind, layer.op, layer.shape, layer.layout) == ("attention", "Rollout", ("N", 4, 4), "NTT")
    assert [each.name for each in model.select("attention")] == ["s0", "s1", "s2", "rollout"]
    assert [each.name for each in model.select("attention[-1]")] == ["rollout"]
    assert not any("rollout" in value for value in model.graph.producers)
    assert model.select([layer]) == (layer,)


def test_it_can_be_exposed_and_nothing_else_changes(tmp_path: Path) -> None:
    path = model_of(tmp_path, THREE)
    exposed = onnxviz.open(path).expose("rollout")
    assert exposed.remarks == ("'rollout' is not a value of the original: what computes it is added",)
    exposed.save(tmp_path / "exposed.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "exposed.onnx"), full_check=True)
    x = np.random.default_rng(1).normal(size=(2, TOKENS, WIDTH)).astype(np.float32)
    own = onnxruntime.InferenceSession(path).run(None, {"x": x})
    both = onnxruntime.InferenceSession(tmp_path / "exposed.onnx").run(None, {"x": x})
    np.testing.assert_array_equal(own[0], both[0])
    np.testing.assert_allclose(both[1].sum(axis=-1), 1, rtol=1e-6)


def names(path: Path) -> set[str]:
    return {layer.name for layer in onnxviz.open(path).select("attention")}


def test_one_attention_is_no_chain(tmp_path: Path) -> None:
    path = model_of(tmp_path, block(0, "x"), out="y0")
    assert names(path) == {"s0"}
    with pytest.raises(NoMatchError, match="nothing is called `rollout`"):
        onnxviz.open(path).select("rollout")


def test_attentions_beside_each_other_are_no_chain(tmp_path: Path) -> None:
    assert names(model_of(tmp_path, block(0, "x") + block(1, "x") + "y2 = Add (y0, y1)")) == {"s0", "s1"}


def test_a_decoder_that_looks_at_other_tokens_is_no_chain(tmp_path: Path) -> None:
    """Queries of one input, keys of another, as many: what they take from those is not from themselves."""
    nodes = block(0, "x") + block(1, "y0", "z") + block(2, "y1", "z")
    assert names(model_of(tmp_path, nodes, "float[N,4,8] x, float[N,4,8] z")) == {"s0", "s1", "s2"}


def test_windows_are_no_chain(tmp_path: Path) -> None:
    nodes = "u = Reshape (x, windows) " + THREE.replace("(x,", "(u,").replace(", x)", ", u)")
    path = model_of(tmp_path, nodes.replace("{0,4", "{0,2"), "float[1,8,8] x")
    assert "rollout" not in names(path)


def test_a_value_of_that_name_keeps_it(tmp_path: Path) -> None:
    path = model_of(tmp_path, THREE + "rollout = Identity (y2)", out="rollout")
    assert onnxviz.open(path).layers["rollout:2"].op == "Rollout"


FUSED = (
    "y0 = Attention <q_num_heads=2, kv_num_heads=2> (x, x, x) r = Add (x, y0) "
    "y2 = Attention <q_num_heads=2, kv_num_heads=2, is_causal=1> (r, r, r)"
)


def test_weights_of_a_fused_attention_are_those_of_the_reference(tmp_path: Path) -> None:
    path = model_of(tmp_path, FUSED, "float[2,4,8] x", 23)
    x = np.random.default_rng(1).normal(size=(2, TOKENS, WIDTH)).astype(np.float32)
    found = onnxviz.open(path).run(x, layers="attention")
    assert list(found) == ["y0", "y0/weights", "y2", "y2/weights", "rollout"]
    proto = onnx.load(path)
    for node in (node for node in proto.graph.node if node.op_type == "Attention"):
        node.output.extend(["", "", f"{node.output[0]}/weights"])
        node.attribute.append(onnx.helper.make_attribute("qk_matmul_output_mode", 3))
        proto.graph.output.append(onnx.ValueInfoProto(name=f"{node.output[0]}/weights"))
    _, first, second = ReferenceEvaluator(proto).run(None, {"x": x})
    np.testing.assert_allclose(found["y0/weights"].array, first, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found["y2/weights"].array, second, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found["rollout"].array, product([first, second]), rtol=1e-5, atol=1e-7)
    assert (found["y0/weights"].layout, found["y0"].layout) == ("NCTT", "NLC")


def test_a_fourth_output_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    nodes = "y2, a, b, raw = Attention <q_num_heads=2, kv_num_heads=2> (x, x, x)"
    model = onnxviz.open(model_of(tmp_path, nodes, "float[2,4,8] x", 23))
    assert [(layer.name, layer.layout) for layer in model.select("attention")] == [("y2", "NTC"), ("raw", "NCTT")]


@pytest.mark.skipif(onnxruntime.__version__.startswith("1.24."), reason="onnxruntime 1.24 puts no weights out")
def test_weights_of_grouped_queries_are_a_softmax(tmp_path: Path) -> None:
    """onnxruntime's operator of 4 heads with 2 of keys: 3 tokens at once, each sees those before."""
    text = """<ir_version: 8, opset_import: ["": 18, "com.microsoft": 1]>
    g (float[1,3,32] q, float[1,3,16] k, float[1,3,16] v) => (float[] y) <int32[1] last = {2}, int32 total = {3}> {
        y = com.microsoft.GroupQueryAttention <num_heads=4, kv_num_heads=2> (q, k, v, , , last, total)
    }"""
    onnx.save(parser.parse_model(text), tmp_path / "model.onnx")
    random = np.random.default_rng(0)
    q, k, v = (random.normal(size=(1, 3, size)).astype(np.float32) for size in (32, 16, 16))
    weights = onnxviz.open(tmp_path / "model.onnx").run({"q": q, "k": k, "v": v}, layers="y/weights")["y/weights"]
    heads, keys = q.reshape(3, 4, 8).transpose(1, 0, 2), k.reshape(3, 2, 8).transpose(1, 0, 2).repeat(2, axis=0)
    scores = heads @ keys.transpose(0, 2, 1) / np.sqrt(8) + np.triu(np.full((3, 3), -np.inf), 1)
    expected = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(weights.array[0], expected, rtol=1e-5)


def vit(folder: Path) -> Path:
    """Write a net of 2 x 3 patches of 4 pixels and a class token before two fused attentions."""
    patch = onnx.numpy_helper.from_array(np.random.default_rng(3).normal(size=(8, 1, 2, 2)).astype(np.float32), "w")
    token = onnx.numpy_helper.from_array(np.zeros((1, 1, 8), np.float32), "class")
    flat = onnx.numpy_helper.from_array(np.array([1, 8, 6], np.int64), "flat")
    text = f"""<ir_version: 8, opset_import: ["": 23]> g (float[1,1,4,6] image) => (float[] y2) {{
        c = Conv <strides=[2,2]> (image, w) f = Reshape (c, flat) t = Transpose <perm=[0,2,1]> (f)
        x = Concat <axis=1> (class, t) {FUSED}
    }}"""
    proto = parser.parse_model(text)
    proto.graph.initializer.extend([patch, token, flat])
    path = folder / "vit.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(proto), path)
    return path


@pytest.mark.parametrize("name", ["y0/weights", "rollout"])
def test_what_is_computed_lies_over_the_picture(tmp_path: Path, name: str) -> None:
    image = np.random.default_rng(1).normal(size=(1, 1, 4, 6)).astype(np.float32)
    found = onnxviz.open(vit(tmp_path)).run(image, layers=name)[name]
    assert found.tokens is not None
    assert found.tokens.as_json() == {"grid": [2, 3], "prefix": 1, "status": "exact"}
    assert found.layout is not None
    shown = over_picture(found.array, AttentionLayout(found.layout, found.tokens, "class"))
    assert shown is not None
    heads = found.array.reshape(-1, 7, 7)
    np.testing.assert_array_equal(shown.values.reshape(-1, 6), heads[:, 0, 1:])


def test_attention_that_hides_its_weights_says_so(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 18, "com.microsoft": 1]> g (float[1,3,8] x) => (float[1,3,8] y) {
        a = com.microsoft.MultiHeadAttention <num_heads=2> (x, x, x) y = Relu (a)
    }"""
    onnx.save(parser.parse_model(text), tmp_path / "model.onnx")
    model = onnxviz.open(tmp_path / "model.onnx")
    (choice,), _ = choices_of(model, "attention")
    assert choice.note.startswith("the weights of 'a' stay inside onnxruntime's MultiHeadAttention: ")
    (other,), _ = choices_of(model, "act")
    assert not other.note
