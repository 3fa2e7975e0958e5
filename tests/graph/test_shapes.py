from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from onnxviz.graph.expose import expose
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.layout import TensorSpec

BUNDLED = Path(__file__).parents[2] / "models" / "efficientnet_lite0_int8.onnx"
LIGHT = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))
FLOAT = TensorProto.FLOAT


def graph(nodes, *, shape=("N", 3, 8, 8), output=None, initializers=(), declared=()):
    return Graph.from_proto(
        make_model(
            make_graph(
                nodes,
                "g",
                [make_tensor_value_info("x", FLOAT, shape)],
                [make_tensor_value_info("y", FLOAT, output)],
                list(initializers),
                value_info=list(declared),
            ),
            opset_imports=[make_opsetid("", 17), make_opsetid("my", 1)],
            ir_version=9,
        )
    )


def weight(name, *dims):
    tensor = TensorProto(name=name, data_type=FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="elsewhere")
    return tensor


CONV = make_node("Conv", ["x", "w"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1])


def test_sizes_follow_from_weights_that_are_not_there():
    types = infer_types(graph([CONV, make_node("Relu", ["a"], ["y"])], initializers=[weight("w", 5, 3, 3, 3)]))
    assert types == {
        "x": TensorSpec("x", "float32", ("N", 3, 8, 8)),
        "w": TensorSpec("w", "float32", (5, 3, 3, 3)),
        "a": TensorSpec("a", "float32", ("N", 5, 4, 4)),
        "y": TensorSpec("y", "float32", ("N", 5, 4, 4)),
    }


def test_a_size_that_cannot_be_told_is_unknown_and_no_symbol_is_invented():
    types = infer_types(graph([make_node("NonZero", ["x"], ["n"]), make_node("Cast", ["n"], ["y"], to=FLOAT)]))
    assert types["n"] == TensorSpec("n", "int64", (4, None))


def test_a_symbol_of_the_model_that_looks_invented_is_kept():
    assert infer_types(graph([make_node("Relu", ["x"], ["y"])], shape=("unk__0", 3)))["y"].shape == ("unk__0", 3)


def test_negative_sizes_are_unknown():
    types = infer_types(graph([make_node("Relu", ["x"], ["y"])], shape=(-1, 3)))
    assert types["x"].shape == (None, 3)
    assert types["y"].shape == (None, 3)


def test_what_the_file_declares_of_an_unknown_operator_counts():
    declared = [make_tensor_value_info("a", FLOAT, ["N", 7])]
    types = infer_types(
        graph(
            [make_node("Odd", ["x"], ["a"], domain="my"), make_node("Relu", ["a"], ["y"])],
            declared=declared,
        )
    )
    assert types["a"] == TensorSpec("a", "float32", ("N", 7))
    assert types["y"] == TensorSpec("y", "float32", ("N", 7))


def test_where_inference_fails_the_file_is_believed():
    nodes = [make_node("Odd", ["x"], ["a"], domain="undeclared"), make_node("Relu", ["a"], ["y"])]
    broken = graph(nodes, declared=[make_tensor_value_info("a", TensorProto.INT64, ["N", 7])], output=(1, 2))
    with pytest.raises(Exception, match="undeclared"):
        onnx.shape_inference.infer_shapes(broken.proto)
    assert infer_types(broken) == {
        "x": TensorSpec("x", "float32", ("N", 3, 8, 8)),
        "a": TensorSpec("a", "int64", ("N", 7)),
        "y": TensorSpec("y", "float32", (1, 2)),
    }


def test_a_value_of_which_nothing_is_known_is_left_out():
    types = infer_types(graph([make_node("Odd", ["x"], ["a"], domain="my"), make_node("Relu", ["a"], ["y"])]))
    assert "a" not in types


def test_fixed_inputs_give_every_size_and_leave_the_graph_as_it_was():
    declared = [make_tensor_value_info("a", FLOAT, ["N", 5, 4, 4])]
    before = graph(
        [CONV, make_node("Relu", ["a"], ["y"])],
        initializers=[weight("w", 5, 3, 3, 3)],
        output=("N", 5, 4, 4),
        declared=declared,
    )
    content = before.to_bytes()
    types = infer_types(fix_inputs(before, {"x": (2, 3, 16, 20), "no such input": (1,)}))
    assert types["x"].shape == (2, 3, 16, 20)
    assert types["a"].shape == types["y"].shape == (2, 5, 8, 10)
    assert before.to_bytes() == content


def test_every_value_of_the_bundled_model_has_a_shape():
    opened = Graph.from_bytes(ModelFile.open(BUNDLED).skeleton)
    types = infer_types(opened)
    assert types["probabilities"].shape == ("N", 1000)
    assert all(types[output].shape for node in opened.nodes for output in node.outputs)
    fixed = infer_types(fix_inputs(opened, {"image": (1, 3, 224, 224)}))
    shapes = [fixed[output].shape for node in opened.nodes for output in node.outputs]
    assert all(isinstance(size, int) for shape in shapes for size in shape or (None,))


@pytest.mark.parametrize("path", LIGHT, ids=[path.stem for path in LIGHT])
def test_the_skeleton_tells_as_much_as_the_whole_model(path):
    whole = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    types = infer_types(Graph.from_bytes(ModelFile.open(path).skeleton))
    assert whole.value_info
    for info in whole.value_info:
        assert types[info.name].shape == tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)


@pytest.mark.parametrize(
    "node",
    ["DepthToSpace <blocksize=1099511627776> (x)", "GatherND <batch_dims=-9> (x, i)", "Split <num_outputs=-1> (x)"],
)
def test_attributes_that_end_onnx_do_not_end_the_process(node):
    inputs = "float[1,4,6,6] x, int64[1,1,1,1] i"
    text = f'<ir_version: 8, opset_import: ["": 18]> g ({inputs}) => (float[] y) {{ y = {node} }}'
    code = (
        "import onnx.parser; from onnxviz.graph.graph import Graph; from onnxviz.graph.shapes import infer_types;"
        f"print(infer_types(Graph.from_proto(onnx.parser.parse_model({text!r})))['x'].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "(1, 4, 6, 6)\n"), done.stderr


def of_text(text: str, opset: int = 18) -> Graph:
    return Graph.from_proto(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": {opset}, "my": 1]> g {text}'))


# The chunk of PyTorch's TorchScript exporter: half of the channels, rounded up, is where the second half begins.
HALVES = """(float[N,10,H,8] x) => (float[] y)
    <int64[1] one = {1}, int64[1] zero = {0}, int64 half = {2}, int64 less = {1}, int64[1] last = {99}> {
    s = Shape (x) c = Gather <axis=0> (s, less) more = Add (c, less) h = Div (more, half) at = Unsqueeze (h, zero)
    a = Slice (x, zero, at, one) b = Slice (x, at, last, one) both = Concat <axis=1> (b, a) y = Relu (both)
}"""


def test_sizes_that_are_computed_from_sizes_are_told() -> None:
    types = infer_types(of_text(HALVES))
    assert types["at"].numbers == (5,)
    assert types["a"].shape == types["b"].shape == ("N", 5, "H", 8)
    assert types["y"].shape == ("N", 10, "H", 8)


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ("s = Shape (x) y = Reshape (x, s)", ("N", 4, "H", 6)),
        # N and H are taken over, -1 is what is left: 4 * 6
        ("n = Shape <start=0, end=1> (x) h = Shape <start=2, end=3> (x) m = Constant <value_ints=[-1]> ()"
         " t = Concat <axis=0> (n, m, h) y = Reshape (x, t)", ("N", 24, "H")),
        # of a number that nobody knows the place is known
        ("n = NonZero (x) c = Shape <start=1, end=2> (n) f = Constant <value_ints=[4, 6]> () t = Concat <axis=0> (c, f)"
         " y = Expand (k, t)", (None, 4, 6)),
        ("h = Shape <start=2, end=3> (x) d = Sub (h, h) two = Constant <value_ints=[2]> () t = Add (d, two)"
         " y = ConstantOfShape (t)", (2,)),
        # H / H * 3 zeros before the rows, and as many behind
        ("h = Shape <start=2, end=3> (x) o = Div (h, h) r = Constant <value_ints=[3]> () a = Mul (o, r)"
         " z = Constant <value_ints=[0, 0, 0]> () t = Concat <axis=0> (z, a, z, a) y = Pad (x, t)", ("N", 4, "H", 12)),
        ("c = Shape <start=1, end=2> (x) f = Cast <to=1> (c) i = Constant <value_floats=[1.0]> ()"
         " p = Constant <value_floats=[0.25]> () e = Mul (f, p) t = Concat <axis=0> (i, e, i, f) y = Resize (x, , t)",
         ("N", 4, "H", 24)),
        ("s = Shape <start=1, end=4> (x) p = ReduceProd (s) y = Cast <to=1> (p)", (1,)),
        ("c = Shape <start=1, end=2> (x) w = Shape <start=3, end=4> (x) l = Less (c, w) t = Where (l, c, w)"
         " r = Range (u, v, u) f = Gather (r, q) b = Concat <axis=0> (t, f) y = ConstantOfShape (b)", (4, 3)),
        ("w = Shape <start=3, end=4> (x) two = Constant <value_ints=[2]> () o = Div (w, two) t = Concat <axis=0> (o, o)"
         " y, e = Split <axis=3> (x, t)", ("N", 4, "H", 3)),
        ("w = Shape <start=3, end=4> (x) low = Clip (w, v) high = Clip (w, , u) t = Concat <axis=0> (low, high)"
         " y = ConstantOfShape (t)", (9, 1)),
        # sizes of rows that are sliced: the channels stay
        ("h = Shape <start=2, end=3> (x) o = Constant <value_ints=[1]> () e = Sub (h, o)"
         " a = Constant <value_ints=[2]> () y = Slice (x, o, e, a)", ("N", 4, None, 6)),
    ],
)  # fmt: skip
def test_shape_arithmetic(nodes: str, shape: tuple[int | str | None, ...]) -> None:
    given = "<float[4,1] k = {1, 2, 3, 4}, int64 u = {1}, int64 v = {9}, int64[1] q = {2}>"
    assert infer_types(of_text(f"(float[N,4,H,6] x) => (float[] y) {given} {{ {nodes} }}"))["y"].shape == shape


@pytest.mark.parametrize("numbers", ["{4611686018427387904}", "{-9223372036854775808}", "{0}"])
def test_absurd_arithmetic_is_not_followed(numbers: str) -> None:
    nodes = "s = Shape (x) a = Mul (s, n) b = Mul (a, a) c = Div (b, z) d = Pow (b, b) e = Add (c, d)"
    nodes += " y = ConstantOfShape (e)"
    text = f"(float[2,2] x) => (float[] y) <int64[1] n = {numbers}, int64[1] z = {{0}}> {{ {nodes} }}"
    assert infer_types(of_text(text))["y"].shape == (None, None)


def test_a_shape_of_known_length_tells_the_rank() -> None:
    types = infer_types(of_text("(float[N,4] x, int64[3] t) => (float[] y) { r = Reshape (x, t) y = Relu (r) }"))
    assert types["r"].shape == types["y"].shape == (None, None, None)


def test_notes_of_weights_do_not_hide_their_sizes_once_inputs_are_fixed() -> None:
    before = graph(
        [CONV, make_node("Relu", ["a"], ["y"])],
        initializers=[weight("w", 5, 3, 3, 3)],
        declared=[make_tensor_value_info("w", FLOAT, [5, 3, 3, 3])],
    )
    assert infer_types(fix_inputs(before, {"x": (1, 3, 16, 16)}))["a"].shape == (1, 5, 8, 8)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 3, 16, 16), ("N", 3, 8, 8), (1, 3, "H", "W"), (1, 3, None, None)])
def test_notes_that_the_inputs_contradict_are_not_believed(shape) -> None:
    declared = [make_tensor_value_info(name, FLOAT, [1, 5, 4, 4]) for name in ("a", "odd")]
    nodes = [CONV, make_node("Odd", ["a"], ["odd"], domain="my"), make_node("Relu", ["a"], ["y"])]
    stale = graph(nodes, shape=shape, initializers=[weight("w", 5, 3, 3, 3)], declared=declared, output=(1, 5, 4, 4))
    types = infer_types(stale)
    rows = {8: 4, 16: 8}.get(shape[2])
    assert types["a"].shape == types["y"].shape == (shape[0], 5, rows, rows)
    assert types["odd"].shape == (None, None, None, None)


@pytest.mark.parametrize("batch", [2, "N"])
@pytest.mark.parametrize("noted", [[], [2], [2, 5, 4, 4]])
def test_notes_of_another_rank_than_the_inputs_make_are_not_believed(batch, noted) -> None:
    declared = [make_tensor_value_info(name, FLOAT, noted) for name in ("f", "r", "odd")]
    nodes = [CONV, make_node("Flatten", ["a"], ["f"]), make_node("Relu", ["f"], ["r"])]
    nodes += [make_node("Odd", ["r"], ["odd"], domain="my"), make_node("Relu", ["r"], ["y"])]
    stale = graph(
        nodes, shape=(batch, 3, 8, 8), initializers=[weight("w", 5, 3, 3, 3)], declared=declared, output=noted
    )
    types = infer_types(stale)
    assert [types[name].shape for name in ("f", "r", "y")] == [(batch, 80)] * 3
    assert types["odd"].shape == (None,) * len(noted)
    assert infer_types(fix_inputs(stale, {"x": (1, 3, 16, 16)}))["r"].shape == (1, 320)
    (output,) = [info for info in expose(stale, ["r"], types).graph.proto.graph.output if info.name == "r"]
    assert [dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim] == [batch, 80]


def test_notes_that_agree_with_the_inputs_fill_what_inference_leaves_open() -> None:
    declared = [make_tensor_value_info("odd", FLOAT, [1, 5, 4, 4]), make_tensor_value_info("a", FLOAT, [1, 5, 4, 4])]
    nodes = [CONV, make_node("Odd", ["a"], ["odd"], domain="my"), make_node("Relu", ["odd"], ["y"])]
    types = infer_types(graph(nodes, shape=(1, 3, 8, 8), initializers=[weight("w", 5, 3, 3, 3)], declared=declared))
    assert types["y"].shape == types["odd"].shape == (1, 5, 4, 4)


@pytest.mark.parametrize(("attribute", "bins"), [("", 9), ("<onesided=1>", 9), ("<onesided=0>", 16)])
@pytest.mark.parametrize("opened", [100, "L"])
def test_a_spectrum_is_one_sided_unless_it_says_otherwise(attribute: str, bins: int, opened: int | str) -> None:
    constants = "<int64 s = {4}, int64 l = {16}, int64[3] a = {0, 100, 1}>"
    head = f"(float[1,{opened},1] x, float[16] w) => (float[] y) {constants}"
    before = of_text(f"{head} {{ r = Reshape (x, a) y = STFT {attribute} (r, s, w, l) }}")
    assert infer_types(fix_inputs(before, {"x": (1, 100, 1)}))["y"].shape == (1, 22, bins, 2)
