import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from onnxviz.errors import NoMatchError
from onnxviz.graph.cut import cut, declare, needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types

TWO_BRANCHES = """
<ir_version: 8, opset_import: ["" : 17, "mine" : 1], metadata_props: ["author" : "me"]>
g (float[2] x, float[2] z) => (float[2] y, float[2] v)
<float[2] w = {1.0, 2.0}, float[2] u = {3.0, 4.0}> {
  a = Add(x, w)
  b = Mul(z, u)
  y = mine.twice(a)
  v = mine.half(b)
}
<domain: "mine", opset_import: ["" : 17]> twice (p) => (q) { q = Add(p, p) }
<domain: "mine", opset_import: ["" : 17, "mine" : 1]> half (p) => (q) { q = mine.twice(p) }
"""


def parsed(text: str) -> Graph:
    return Graph.from_proto(parser.parse_model(text))


def run(graph: Graph, **feed: np.ndarray) -> list[list[float]]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.to_bytes(), options, providers=["CPUExecutionProvider"])
    taken = {info.name for info in session.get_inputs()}
    return [array.tolist() for array in session.run(None, {name: feed[name] for name in taken})]


X = np.array([10, 20], np.float32)


def test_only_what_the_outputs_need_stays():
    graph = parsed(TWO_BRANCHES)
    part = cut(graph, ["y"])
    assert [node.outputs for node in part.nodes] == [("a",), ("y",)]
    assert list(part.initializers) == ["w"]
    assert [spec.name for spec in part.inputs] == ["x"]
    assert [function.name for function in part.proto.functions] == ["twice"]
    assert part.metadata == graph.metadata
    onnx.checker.check_model(part.to_bytes(), full_check=True)
    assert run(part, x=X) == [[22, 44]]
    assert len(graph.nodes) == 4


def test_functions_that_kept_functions_call_stay():
    part = cut(parsed(TWO_BRANCHES), ["v"])
    assert [function.name for function in part.proto.functions] == ["twice", "half"]
    assert run(part, z=X) == [[60, 160]]


def test_outputs_come_in_the_order_that_was_asked_for():
    part = cut(parsed(TWO_BRANCHES), ["b", "y", "a", "b"])
    assert [spec.name for spec in part.outputs] == ["b", "y", "a"]
    assert run(part, x=X, z=X) == [[30, 80], [22, 44], [11, 22]]


def test_inputs_and_initializers_can_be_all_that_is_wanted():
    part = cut(parsed(TWO_BRANCHES), ["x", "w"])
    assert part.nodes == ()
    assert [spec.name for spec in part.inputs] == ["x"]
    onnx.checker.check_model(part.to_bytes(), full_check=True)
    assert run(part, x=X) == [[10, 20], [1, 2]]


def test_a_name_that_is_no_value_is_an_error():
    with pytest.raises(NoMatchError, match="no value 'q9'"):
        cut(parsed(TWO_BRANCHES), ["y", "q9"])
    with pytest.raises(NoMatchError, match="no value was chosen"):
        cut(parsed(TWO_BRANCHES), [])


def test_the_models_own_note_types_an_inner_value():
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[N] x) => (float[N] y) <float[N] a, float[N] b> { a = Relu(x) b = Relu(a) y = Relu(b) }"""
    part = cut(parsed(text), ["a"])
    assert part.outputs[0].dtype == "float32"
    assert part.outputs[0].shape == ("N",)
    assert [info.name for info in part.proto.graph.value_info] == ["a"]


def test_a_size_that_is_no_size_is_left_empty():
    model = parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
    g (float[N] x) => (float[N] y) <float[N] a> { a = Relu(x) y = Relu(a) }""")
    model.graph.value_info[0].type.tensor_type.shape.dim[0].dim_value = -1
    part = cut(Graph.from_proto(model), ["a"])
    assert part.proto.graph.output[0].type.tensor_type.shape.dim[0].WhichOneof("value") is None


def outer(op: str) -> Graph:
    """A graph whose body, for If a body in a body, reads `x0`, which Relu makes, and the initializer `scale`."""
    scaled = helper.make_node("Mul", ["x0", "scale"], ["inside"])
    out = helper.make_tensor_value_info("inside", TensorProto.FLOAT, [2])
    if op == "If":
        deepest = helper.make_graph([scaled], "deepest", [], [out])
        middle = helper.make_node("If", ["flag"], ["middle"], then_branch=deepest, else_branch=deepest)
        body = helper.make_graph(
            [middle], "body", [], [helper.make_tensor_value_info("middle", TensorProto.FLOAT, [2])]
        )
        node = helper.make_node("If", ["flag"], ["y"], then_branch=body, else_branch=body)
    elif op == "Loop":
        body = helper.make_graph(
            [scaled, helper.make_node("Identity", ["go"], ["on"])],
            "body",
            [
                helper.make_tensor_value_info("i", TensorProto.INT64, []),
                helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            ],
            [helper.make_tensor_value_info("on", TensorProto.BOOL, []), out],
        )
        node = helper.make_node("Loop", ["trips", "flag"], ["y"], body=body)
    else:
        body = helper.make_graph(
            [scaled],
            "body",
            [helper.make_tensor_value_info("row", TensorProto.FLOAT, [2])],
            [out],
        )
        node = helper.make_node("Scan", ["rows"], ["y"], body=body, num_scan_inputs=1)
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["x0"]),
            helper.make_node("Neg", ["x"], ["unneeded"]),
            node,
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("unneeded", TensorProto.FLOAT, [2]),
        ],
        [
            numpy_helper.from_array(np.array([2, 3], np.float32), "scale"),
            numpy_helper.from_array(np.array(True), "flag"),
            numpy_helper.from_array(np.array(1, np.int64), "trips"),
            numpy_helper.from_array(np.zeros((1, 2), np.float32), "rows"),
            numpy_helper.from_array(np.zeros(2, np.float32), "left"),
        ],
    )
    return Graph.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


@pytest.mark.parametrize("op", ["If", "Loop", "Scan"])
def test_outer_values_that_bodies_read_stay(op):
    part = cut(outer(op), ["y"])
    assert [node.op for node in part.nodes] == ["Relu", op]
    assert "scale" in part.initializers
    assert "left" not in part.initializers
    (y,) = run(part, x=X)
    assert np.array(y).reshape(2).tolist() == [20, 60]


def test_functions_called_in_bodies_stay():
    model = parser.parse_model(TWO_BRANCHES)
    body = helper.make_graph(
        [helper.make_node("half", ["a"], ["inside"], domain="mine")],
        "body",
        [],
        [helper.make_tensor_value_info("inside", TensorProto.FLOAT, [2])],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "flag"))
    model.graph.node.append(helper.make_node("If", ["flag"], ["o"], then_branch=body, else_branch=body))
    part = cut(Graph.from_proto(model), ["o"])
    assert [function.name for function in part.proto.functions] == ["twice", "half"]
    assert run(part, x=X) == [[22, 44]]


def test_quantization_annotations_keep_the_initializers_they_name():
    model = parser.parse_model(TWO_BRANCHES)
    for tensor, scale in (("a", "a_scale"), ("b", "b_scale")):
        model.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), scale))
        annotation = model.graph.quantization_annotation.add(tensor_name=tensor)
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value=scale)
    part = cut(Graph.from_proto(model), ["y"])
    assert [entry.tensor_name for entry in part.proto.graph.quantization_annotation] == ["a"]
    assert list(part.initializers) == ["w", "a_scale"]


def test_initializers_that_an_old_file_lists_as_inputs_stay_so():
    model = parser.parse_model(TWO_BRANCHES)
    model.ir_version = 3
    del model.functions[:]
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2]))
    model.graph.input.append(helper.make_tensor_value_info("u", TensorProto.FLOAT, [2]))
    graph = Graph.from_proto(model)
    part = cut(graph, ["a"], infer_types(graph))
    assert [info.name for info in part.proto.graph.input] == ["x", "w"]
    onnx.checker.check_model(part.to_bytes(), full_check=True)


def test_a_sparse_initializer_stays_where_it_is_needed():
    model = parser.parse_model(TWO_BRANCHES)
    for name in ("s", "t"):
        values = numpy_helper.from_array(np.array([5], np.float32), name)
        model.graph.sparse_initializer.append(
            helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([1], np.int64), "i"), [2])
        )
    model.graph.node.append(helper.make_node("Add", ["x", "s"], ["with_sparse"]))
    part = cut(Graph.from_proto(model), ["with_sparse"])
    assert [tensor.values.name for tensor in part.proto.graph.sparse_initializer] == ["s"]
    assert run(part, x=X) == [[10, 25]]


def test_needed_nodes_come_in_graph_order():
    graph = parsed(TWO_BRANCHES)
    assert [node.index for node in needed_nodes(graph, ["v", "a"])] == [0, 1, 3]


def test_the_first_convolution_of_the_bundled_model(bundled_model):
    graph = Graph.from_bytes(bundled_model.read_bytes())
    (first, *_) = (node for node in graph.nodes if node.op == "Conv")
    part = cut(graph, first.outputs, infer_types(graph))
    assert [node.op for node in part.nodes][-1] == "Conv"
    assert len(part.nodes) < 5
    onnx.checker.check_model(part.to_bytes(), full_check=True)


def test_types_are_inferred_once_for_all_values(monkeypatch):
    runs = []
    infer = onnx.shape_inference.infer_shapes
    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", lambda proto: runs.append(1) or infer(proto))
    chain = "".join(f"v{place + 1} = own.Foo (v{place})\n" for place in range(9))
    head = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]>'
    graph = parsed(f"{head} g (float[2] v0) => (float[2] v9) {{ {chain} }}")
    assert [info.name for info in declare(graph, [f"v{place}" for place in range(1, 9)], {})] == [
        f"v{place}" for place in range(1, 9)
    ]
    assert len(runs) == 1
