from __future__ import annotations

import numpy
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from onnx.helper import (
    make_function,
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_sparse_tensor,
    make_tensor,
    make_tensor_value_info,
)

from onnxviz.errors import ModelError
from onnxviz.graph.graph import Graph
from onnxviz.layout import TensorSpec

FLOAT = TensorProto.FLOAT


def model(nodes, *, inputs=("x",), outputs=("y",), initializers=(), **more):
    graph = make_graph(
        nodes,
        "g",
        [make_tensor_value_info(name, FLOAT, ["N", 4]) for name in inputs],
        [make_tensor_value_info(name, FLOAT, ["N", 4]) for name in outputs],
        list(initializers),
    )
    return make_model(graph, opset_imports=[make_opsetid("", 17), make_opsetid("my", 1)], ir_version=9, **more)


def body(*nodes, outputs, initializers=()):
    return make_graph(
        nodes, "b", [], [make_tensor_value_info(name, FLOAT, None) for name in outputs], list(initializers)
    )


WEIGHT = numpy_helper.from_array(numpy.array([1, 2, 3, 4], "f4"), "w")
TWO_STEPS = [make_node("Mul", ["x", "w"], ["a"], name="scale"), make_node("Relu", ["a"], ["y"])]


def test_nodes_and_values_of_a_net_of_two_nodes():
    graph = Graph.from_proto(model(TWO_STEPS, initializers=[WEIGHT]))
    scale, relu = graph.nodes
    assert (scale.index, scale.op, scale.inputs, scale.outputs, scale.captured) == (0, "Mul", ("x", "w"), ("a",), ())
    assert (scale.key, relu.key, relu.name) == ("scale", "y", "")
    assert graph.inputs == (TensorSpec("x", "float32", ("N", 4)),)
    assert graph.outputs == (TensorSpec("y", "float32", ("N", 4)),)
    assert graph.opset == 17
    assert list(graph.initializers) == ["w"]
    assert graph.producers == {"a": scale, "y": relu}
    assert graph.consumers == {"x": (scale,), "w": (scale,), "a": (relu,)}


def test_bytes_come_back_as_they_were():
    content = model(TWO_STEPS, initializers=[WEIGHT]).SerializeToString()
    assert Graph.from_bytes(content).to_bytes() == content


def test_a_name_that_two_nodes_share_is_no_name():
    nodes = [make_node("Relu", ["x"], ["a"], name="n"), make_node("Neg", ["a"], ["y"], name="n")]
    assert [node.key for node in Graph.from_proto(model(nodes)).nodes] == ["a", "y"]


def test_inputs_that_are_initializers_are_no_inputs():
    assert [
        spec.name for spec in Graph.from_proto(model(TWO_STEPS, inputs=("x", "w"), initializers=[WEIGHT])).inputs
    ] == ["x"]


def test_metadata_and_scope_of_the_newer_pytorch_exporter():
    proto = model(
        [make_node("Conv", ["x", "w"], ["y"]), make_node("Relu", ["y"], ["z"])], outputs=("z",), initializers=[WEIGHT]
    )
    proto.metadata_props.add(key="author", value="me")
    scopes = "['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d']"
    proto.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    graph = Graph.from_proto(proto)
    assert graph.metadata == {"author": "me"}
    assert [node.scope for node in graph.nodes] == ["layer1.0.conv1", ""]


def test_scopes_that_are_given_as_single_steps_are_joined():
    proto = model([make_node("Relu", ["x"], ["y"])])
    proto.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value="""['', "net", 'it\\'s', 'relu']""")
    assert Graph.from_proto(proto).nodes[0].scope == "net.it\\'s"


def test_attributes_are_plain_values():
    inner = body(make_node("Neg", ["x"], ["n"]), outputs=["n"])
    node = make_node(
        "Odd",
        ["x"],
        ["y"],
        i=3,
        f=0.5,
        s="text",
        ints=[1, 2],
        floats=[0.5],
        strings=["a", "b"],
        t=WEIGHT,
        g=inner,
        domain="my",
    )
    read = Graph.from_proto(model([node])).nodes[0].attribute
    assert (read("i"), read("f"), read("s"), read("ints"), read("floats"), read("strings")) == (
        3,
        0.5,
        "text",
        (1, 2),
        (0.5,),
        ("a", "b"),
    )
    assert read("t") == WEIGHT
    assert read("g") == inner
    assert (read("absent"), read("absent", 7)) == (None, 7)


def test_attributes_without_a_type_are_read_as_the_first_ir_version_wrote_them():
    node = make_node("Odd", ["x"], ["y"], i=3, ints=[1, 2])
    for attribute in node.attribute:
        attribute.ClearField("type")
    read = Graph.from_proto(model([node])).nodes[0].attribute
    assert (read("i"), read("ints")) == (3, (1, 2))


def test_a_body_captures_the_outer_values_it_reads_at_any_depth():
    deepest = body(make_node("Add", ["a", "t"], ["u"]), outputs=["u"])
    then = body(
        make_node("Neg", ["x"], ["t"]),
        make_node("If", ["c"], ["v"], then_branch=deepest, else_branch=deepest),
        outputs=["v"],
    )
    other = body(make_node("Mul", ["x", "k"], ["m"]), outputs=["m"], initializers=[make_tensor("k", FLOAT, [1], [2.0])])
    nodes = [
        make_node("Relu", ["x"], ["a"]),
        make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
    ]
    graph = Graph.from_proto(model(nodes, inputs=("x", "c")))
    assert graph.nodes[1].captured == ("x", "c", "a")
    assert graph.nodes[1].reads == ("c", "x", "a")
    assert graph.consumers["a"] == (graph.nodes[1],)


def test_nodes_out_of_order_are_sorted_and_the_rest_keeps_its_order():
    nodes = [
        make_node("Add", ["b", "c"], ["y"]),
        make_node("Relu", ["a"], ["b"]),
        make_node("Neg", ["x"], ["a"]),
        make_node("Abs", ["x"], ["c"]),
    ]
    proto = model(nodes)
    before = proto.SerializeToString()
    graph = Graph.from_proto(proto)
    assert [node.outputs[0] for node in graph.nodes] == ["a", "b", "c", "y"]
    assert [node.index for node in graph.nodes] == [0, 1, 2, 3]
    assert proto.SerializeToString() == before
    onnx.checker.check_model(graph.proto)


def test_a_body_that_is_written_before_what_it_captures_is_sorted():
    then = body(make_node("Neg", ["a"], ["t"]), outputs=["t"])
    nodes = [make_node("If", ["c"], ["y"], then_branch=then, else_branch=then), make_node("Relu", ["x"], ["a"])]
    assert [node.op for node in Graph.from_proto(model(nodes, inputs=("x", "c"))).nodes] == ["Relu", "If"]


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        (
            [make_node("Relu", ["b"], ["y"]), make_node("Add", ["x", "b"], ["a"]), make_node("Relu", ["a"], ["b"])],
            "the graph has a cycle: the value '(a|b)' is needed to compute itself",
        ),
        ([make_node("Add", ["x", "y"], ["y"])], "the graph has a cycle: the value 'y' is needed to compute itself"),
        (
            [make_node("Relu", ["x"], ["y"], name="one"), make_node("Neg", ["x"], ["y"], name="two")],
            "the value 'y' is put out twice, by 'one' and 'two'",
        ),
        (
            [make_node("Relu", ["x"], ["y"], name="one"), make_node("Neg", ["y"], ["y"], name="two")],
            "the value 'y' is put out twice, by 'one' and 'two'",
        ),
        (
            [make_node("Relu", ["x"], ["x"], name="one"), make_node("Neg", ["x"], ["y"])],
            "the value 'x' is an input or initializer, and 'one' puts it out: it is there twice",
        ),
        ([make_node("Add", ["x", "zzz"], ["y"])], "the node 'y' reads 'zzz', which nothing in the graph makes"),
        ([make_node("Relu", ["x"], ["z"])], "nothing in the graph makes its output 'y': the model is damaged"),
    ],
)
def test_a_graph_that_is_unsound_is_one_clear_error(nodes, text):
    with pytest.raises(ModelError, match=text):
        Graph.from_proto(model(nodes))


def test_a_value_that_hides_a_weight_is_there_twice():
    with pytest.raises(ModelError, match="the value 'w' is an input or initializer, and 'n' puts it out"):
        Graph.from_proto(
            model([make_node("Relu", ["x"], ["w"], name="n"), make_node("Neg", ["x"], ["y"])], initializers=[WEIGHT])
        )


def test_names_in_errors_are_escaped_and_cut():
    with pytest.raises(ModelError) as caught:
        Graph.from_proto(model([make_node("Add", ["x", "\x1b[31m\n" + "z" * 9999], ["y"])]))
    assert r"'\x1b[31m\nzzz" in str(caught.value)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_no_graph_and_an_empty_graph_are_refused():
    with pytest.raises(ModelError, match="holds no graph"):
        Graph.from_bytes(b"\x08\x08")
    with pytest.raises(ModelError, match="the graph is empty"):
        Graph.from_bytes(b"\x08\x08\x3a\x00")
    with pytest.raises(ModelError, match="cannot be parsed"):
        Graph.from_bytes(b"\xff\xff\xff")


def test_a_name_that_is_no_text_is_refused():
    content = model([make_node("Relu", ["x"], ["y"])]).SerializeToString()
    with pytest.raises(ModelError, match=r"a text in the model \(onnx.NodeProto.op_type\) is not valid UTF-8: b'Re"):
        Graph.from_bytes(content.replace(b"Relu", b"Re\xff\xfe"))


CONSTANTS = {
    "value": (WEIGHT, numpy.array([1, 2, 3, 4], "f4")),
    "value_float": (0.5, numpy.array(0.5, "f4")),
    "value_floats": ([0.5, 1.5], numpy.array([0.5, 1.5], "f4")),
    "value_int": (7, numpy.array(7, "i8")),
    "value_ints": ([7, 8], numpy.array([7, 8], "i8")),
    "value_string": ("a", numpy.array("a", object)),
    "value_strings": (["a", "b"], numpy.array(["a", "b"], object)),
    "sparse_value": (
        make_sparse_tensor(
            make_tensor("", FLOAT, [2], [5.0, 6.0]), make_tensor("", TensorProto.INT64, [2], [0, 3]), [2, 2]
        ),
        numpy.array([[5, 0], [0, 6]], "f4"),
    ),
}


@pytest.mark.parametrize("form", CONSTANTS)
def test_each_form_of_a_constant_is_read_through_an_identity(form):
    value, expected = CONSTANTS[form]
    nodes = [
        make_node("Constant", [], ["c"], **{form: value}),
        make_node("Identity", ["c"], ["d"]),
        make_node("Odd", ["x", "d"], ["y"], domain="my"),
    ]
    graph = Graph.from_proto(model(nodes))
    result = graph.constant("d")
    assert result is not None
    assert result.dtype == expected.dtype
    assert result.tolist() == expected.tolist()
    assert graph.dims("d") == expected.shape
    assert graph.is_constant("d")
    assert (graph.constant("x"), graph.constant("y"), graph.dims("y")) == (None, None, None)


def test_an_initializer_outside_has_a_shape_but_no_array():
    outside = TensorProto(name="w", data_type=FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="weights")
    graph = Graph.from_proto(model(TWO_STEPS, initializers=[outside]))
    assert graph.constant("w") is None
    assert graph.dims("w") == (4,)
    assert graph.is_constant("w")


def test_data_that_do_not_fill_their_shape_are_an_error_and_nothing_is_allocated():
    broken = TensorProto(name="w", data_type=FLOAT, dims=[1 << 40, 1 << 40], raw_data=b"1234")
    graph = Graph.from_proto(model(TWO_STEPS, initializers=[broken]))
    with pytest.raises(ModelError, match="the data of 'w' does not fill its shape and type"):
        graph.constant("w")


def test_a_sparse_tensor_of_an_absurd_shape_is_not_made_dense():
    sparse = make_sparse_tensor(
        make_tensor("w", FLOAT, [1], [5.0]), make_tensor("i", TensorProto.INT64, [1], [0]), [1 << 40]
    )
    proto = model(TWO_STEPS)
    proto.graph.sparse_initializer.append(sparse)
    graph = Graph.from_proto(proto)
    assert graph.constant("w") is None
    assert graph.dims("w") == (1 << 40,)
    assert graph.is_constant("w")


def test_what_is_computed_from_constants_alone_is_constant():
    function = make_function("my", "F", ["a"], ["b"], [make_node("Neg", ["a"], ["b"])], [make_opsetid("", 17)])
    branch = body(make_node("Neg", ["w"], ["n"]), outputs=["n"])
    nodes = [
        make_node("DequantizeLinear", ["w", "s"], ["dequantised"]),
        make_node("Transpose", ["dequantised"], ["turned"]),
        make_node("Add", ["turned", "x"], ["mixed"]),
        make_node("RandomNormalLike", ["w"], ["noise"]),
        make_node("F", ["w"], ["called"], domain="my"),
        make_node("If", ["w"], ["chosen"], then_branch=branch, else_branch=branch),
        make_node("RandomNormal", [], ["y"], shape=[4]),
    ]
    initializers = [WEIGHT, make_tensor("s", FLOAT, [], [1.0])]
    graph = Graph.from_proto(model(nodes, initializers=initializers, functions=[function]))
    constant = {value for value in graph.producers if graph.is_constant(value)}
    assert constant == {"dequantised", "turned"}


def test_absurd_and_negative_sizes_are_unknown():
    proto = model([make_node("Relu", ["x"], ["y"])])
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_value = -1
    dims[1].dim_value = 1 << 50
    assert Graph.from_proto(proto).inputs[0].shape == (None, None)


def test_an_input_that_is_no_tensor_has_a_name_only():
    proto = model([make_node("SequenceAt", ["x", "w"], ["y"])], initializers=[WEIGHT])
    proto.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = FLOAT
    assert Graph.from_proto(proto).inputs == (TensorSpec("x"),)


def test_no_two_nodes_are_called_the_same():
    """An unnamed node is called by its output, which may be another's name."""
    nodes = [
        make_node("Relu", ["x"], ["a"], name="b"),
        make_node("Neg", ["a"], ["b"]),
        make_node("Abs", ["b"], ["y"], name="y"),
    ]
    graph = Graph.from_proto(model(nodes))
    assert [node.key for node in graph.nodes] == ["a", "b", "y"]
