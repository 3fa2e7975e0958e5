from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

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
