"""Inputs, outputs and what a node needs, of graphs small enough to work out by eye."""

from __future__ import annotations

import pytest

from onnxviz.conversion.child.exchange import Refusal
from onnxviz.conversion.child.graph_nodes import called, check_names, cut_to, guess_inputs, guess_outputs

from .fake_graph import FakeGraph, call, graph_of, value

# A training graph in small: batches from an iterator, a loss, an optimizer, a saver.
TRAINING = """
    image = Placeholder()
    rate = PlaceholderWithDefault(half)
    half = Const()
    weights = VariableV2()
    batch = IteratorGetNext(iterator)
    iterator = OneShotIterator()
    conv = Conv2D(image, weights)
    split = Split(conv)
    scores = Softmax(split:1, ^check)
    check = Assert(image)
    loss = Mean(scores, batch)
    gradient = Mul(loss, rate)
    assign = Assign(weights, gradient)
    save/path = Const()
    save/restore = RestoreV2(save/path)
    save/assign = Assign(weights, save/restore)
    save/all = NoOp(^save/assign)
    save/made = Identity(save/path)
"""


def names(graph: FakeGraph) -> list[str]:
    return [node.name for node in graph.node]


def test_inputs_are_placeholders_that_need_a_value() -> None:
    assert guess_inputs(graph_of(TRAINING).node) == ["image:0"]


def test_outputs_are_what_nothing_reads_and_what_is_a_result() -> None:
    # Nothing reads assign, save/all and save/made either: an assignment, a NoOp and a part of the saver.
    assert guess_outputs(graph_of(TRAINING).node) == []
    # A control dependency reads too, and an output further on is an output of the same node.
    graph = graph_of("x = Placeholder()\n a = Relu(x)\n b = Split(x)\n c = Tanh(b:1, ^a)\n d = Mean(x)\n e = NoOp(^d)")
    assert guess_outputs(graph.node) == ["c:0"]


def test_names_are_tensors_of_the_graph() -> None:
    nodes = graph_of(TRAINING).node
    assert check_names(nodes, ["scores", "split:1"], "output") == ["scores:0", "split:1"]
    with pytest.raises(Refusal, match=r"^the graph has no output 'score:0'; did you mean scores") as caught:
        check_names(nodes, ["scores", "score:0"], "output")
    assert caught.value.kind == "usage"
    with pytest.raises(Refusal, match=r"^the graph has no input 'zzz'$"):
        check_names(nodes, ["zzz"], "input")


def test_a_node_calls_its_operator_and_the_functions_in_its_attributes() -> None:
    node = graph_of("if = If(x)").node[0]
    node.attr.update(then=call("yes"), others=call("no", "perhaps"), T=value(type=1))
    assert called(node) == {"If", "yes", "no", "perhaps"}


@pytest.mark.parametrize(
    ("roots", "left"),
    [
        (["scores"], ["image", "weights", "conv", "split", "scores", "check"]),
        (["scores:0", "save/all"], "image weights conv split scores check save/path save/restore save/assign save/all"),
        (["gradient"], "image rate half weights batch iterator conv split scores check loss gradient"),
        (["absent", "half"], ["half"]),
        ([], []),
    ],
)
def test_a_graph_is_cut_to_what_its_roots_read_and_wait_for(roots: list[str], left: list[str] | str) -> None:
    graph = graph_of(TRAINING)
    cut_to(graph, roots)
    assert names(graph) == (left.split() if isinstance(left, str) else left)
    assert graph.library.gradient == []


def test_functions_stay_that_what_is_kept_calls_however_deep() -> None:
    graph = graph_of(
        "x = Placeholder()\n y = PartitionedCall(x)\n z = outer(x)\n unused = dropped(x)",
        inner="a = Relu(x)",
        outer="b = StatefulPartitionedCall(x)",
        branch="c = Tanh(x)",
        dropped="d = ReadFile(x)",
        itself="e = itself(x)",
    )
    graph["y"].attr["f"] = call("branch", "itself")
    graph.library.function[1].node_def[0].attr["f"] = call("inner")
    cut_to(graph, ["y", "z"])
    assert [function.signature.name for function in graph.library.function] == ["inner", "outer", "branch", "itself"]


def test_a_node_no_longer_names_one_beside_it_that_is_gone() -> None:
    graph = graph_of(TRAINING)
    graph["conv"].attr.update(_class=value(), data_format=value(s=b"NHWC"))
    cut_to(graph, ["scores"])
    assert list(graph["conv"].attr) == ["data_format"]
