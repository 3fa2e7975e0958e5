"""Recurrent layers: named, selected, exposed and drawn, their values those of onnxruntime alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import onnxviz
from onnxviz.graph.graph import Graph
from onnxviz.graph.unwired import name_sequences
from onnxviz.model import choices_of

SEQUENCE = np.random.default_rng(0).normal(size=(5, 1, 3)).astype(np.float32)
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(outputs: list[str], op: str = "LSTM", directions: int = 2, name: str = "rnn") -> onnx.ModelProto:
    """Return a model of one recurrent layer with 4 units, that takes (5, 1, 3)."""
    generator = np.random.default_rng(3)
    direction = "bidirectional" if directions == 2 else "forward"
    node = helper.make_node(op, ["x", "w", "r", "b"], outputs, name, hidden_size=4, direction=direction)
    shapes = {"w": (4 * GATES[op], 3), "r": (4 * GATES[op], 4), "b": (8 * GATES[op],)}
    weights = [
        numpy_helper.from_array(generator.normal(size=(directions, *shape)).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    x, h = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", [5, 1, 3]), (outputs[1], [directions, 1, 4]))
    )
    graph = helper.make_graph([node], "g", [x], [h], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def steps_of(proto: onnx.ModelProto) -> np.ndarray:
    """Return what the node puts out at each step, by onnxruntime alone."""
    named = onnx.ModelProto()
    named.CopyFrom(proto)
    named.graph.node[0].output[0] = "steps"
    named.graph.output.append(onnx.ValueInfoProto(name="steps"))
    return onnxruntime.InferenceSession(named.SerializeToString()).run(["steps"], {"x": SEQUENCE})[0]


@pytest.mark.parametrize("op", GATES)
def test_what_it_puts_out_at_each_step_is_the_layer_though_the_model_reads_the_last_alone(
    op: str, tmp_path: Path
) -> None:
    proto = recurrent(["", "h"], op)
    onnx.save(proto, tmp_path / "model.onnx")
    model = onnxviz.open(tmp_path / "model.onnx")
    (layer,) = model.layers.values()
    assert (layer.name, layer.kind, layer.act, layer.layout) == ("rnn", "recurrent", "rnn/Y", "LGNC")
    assert (layer.depth, layer.parameters) == (1, 2 * 4 * GATES[op] * (3 + 4 + 2))
    choices, _ = choices_of(model, "recurrent")
    assert choices[0].note == (
        "'rnn/Y' has no name in the model and is given this one: what a recurrent layer puts out at each step"
    )
    activations = model.run(SEQUENCE, layers="recurrent, h")
    assert np.array_equal(activations["rnn"].array, steps_of(proto))
    assert activations["rnn"].maps().shape == (8, 5)
    assert activations["h"].layout == "GNC"


def test_the_exposed_file_hands_it_out(tmp_path: Path) -> None:
    proto = recurrent(["", "h"])
    onnx.save(proto, tmp_path / "model.onnx")
    onnxviz.open(tmp_path / "model.onnx").expose("rnn").save(tmp_path / "exposed.onnx")
    onnx.checker.check_model(tmp_path / "exposed.onnx", full_check=True)
    session = onnxruntime.InferenceSession(tmp_path / "exposed.onnx")
    assert [output.name for output in session.get_outputs()] == ["h", "rnn/Y"]
    assert np.array_equal(session.run(["rnn/Y"], {"x": SEQUENCE})[0], steps_of(proto))


def test_a_model_that_names_it_is_left_as_it_is() -> None:
    graph = Graph.from_proto(recurrent(["y", "h"]))
    assert name_sequences(graph) is graph


def test_a_name_that_is_taken_is_numbered_and_a_node_without_one_is_called_by_its_output() -> None:
    for name, outputs, given in (("rnn", ["", "rnn/Y"], "rnn/Y_2"), ("", ["", "h"], "h/Y")):
        graph = Graph.from_proto(recurrent(outputs, name=name))
        assert name_sequences(graph).nodes[0].outputs == (given, outputs[1])
        assert graph.nodes[0].outputs[0] == ""


def test_bodies_are_looked_into() -> None:
    proto = recurrent(["", "h"])
    then = helper.make_graph(list(proto.graph.node), "t", [], [onnx.ValueInfoProto(name="h")])
    kept = helper.make_graph([helper.make_node("Identity", ["last"], ["k"])], "e", [], [onnx.ValueInfoProto(name="k")])
    proto.graph.node[0].CopyFrom(helper.make_node("If", ["c"], ["h"], then_branch=then, else_branch=kept))
    proto.graph.input.extend(
        helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (("c", onnx.TensorProto.BOOL, []), ("last", onnx.TensorProto.FLOAT, [2, 1, 4]))
    )
    (node,) = name_sequences(Graph.from_proto(proto)).nodes
    branch = next(attribute.g for attribute in node.proto.attribute if attribute.name == "then_branch")
    assert list(branch.node[0].output) == ["rnn/Y", "h"]


def test_beside_convolutions_it_is_taken_where_nothing_is_selected(tmp_path: Path) -> None:
    proto = recurrent(["y", "h"])
    proto.graph.node.insert(0, helper.make_node("Conv", ["x", "k"], ["c"], kernel_shape=[1]))
    proto.graph.node[1].input[0] = "c"
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((1, 1, 1), np.float32), "k"))
    onnx.save(proto, tmp_path / "model.onnx")
    choices, words = choices_of(onnxviz.open(tmp_path / "model.onnx"), None)
    assert ([choice.value for choice in choices], words) == (["c", "y"], "no selection given: conv,recurrent")
