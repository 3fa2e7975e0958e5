"""One walk through the graph finds what tf2onnx finds by a walk from each output."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from onnxviz.conversion.child.translate import lighter


@dataclass(eq=False)
class FakeNode:
    input: list[str]
    output: list[str]
    captured: list[str] = field(default_factory=list)

    def get_implicit_inputs(self) -> list[str]:
        return self.captured


class FakeGraph:
    def __init__(self, nodes: list[FakeNode]) -> None:
        self.nodes = nodes
        self.inputs = nodes[:1]

    def get_node_by_output(self, name: str, search_in_parent_graphs: bool = True) -> FakeNode | None:
        return next((node for node in self.nodes if name in node.output), None)

    def update_proto(self) -> str:
        return "theirs"

    def extract_sub_graph_nodes(self, outputs_name, input_checker=None, remove_unused_inputs=True):  # type: ignore[no-untyped-def]
        return "theirs"


def ancestors(graph: FakeGraph, node: FakeNode | None, stops: set[int]) -> set[int]:
    if node is None or graph.nodes.index(node) in stops:
        return set()
    read = [graph.get_node_by_output(name) for name in (*node.input, *node.captured)]
    return {graph.nodes.index(node)}.union(*(ancestors(graph, source, stops) for source in read))


@st.composite
def graphs(draw: st.DrawFn) -> FakeGraph:
    nodes: list[FakeNode] = []
    for place in range(draw(st.integers(1, 8))):
        earlier = st.lists(st.sampled_from([f"v{n}" for n in range(place)] + ["", "outer"]), max_size=3)
        nodes.append(FakeNode(draw(earlier), [f"v{place}"], draw(earlier)))
    return FakeGraph(nodes)


@given(graphs(), st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)), st.booleans())
def test_the_same_nodes_are_found(graph: FakeGraph, outputs: set[int], stops: set[int], unused: bool) -> None:
    names = [f"v{place}" for place in outputs]
    starts = [graph.get_node_by_output(name) for name in names] + ([] if unused else graph.inputs)
    expected = set().union(*(ancestors(graph, node, stops) for node in starts))
    with lighter(FakeGraph):
        found = graph.extract_sub_graph_nodes(
            names, (lambda node: graph.nodes.index(node) not in stops) if stops else None, remove_unused_inputs=unused
        )
        assert graph.update_proto() is None
    assert len(found) == len(set(found))
    assert {graph.nodes.index(node) for node in found} == expected


def test_its_own_methods_come_back() -> None:
    graph = FakeGraph([FakeNode([], ["v0"])])
    try:
        with lighter(FakeGraph):
            raise KeyError
    except KeyError:
        assert (graph.update_proto(), graph.extract_sub_graph_nodes([])) == ("theirs", "theirs")


def test_what_a_later_version_lacks_is_left_alone() -> None:
    class Bare:
        pass

    with lighter(Bare):
        assert not hasattr(Bare, "update_proto")
    assert not hasattr(Bare, "extract_sub_graph_nodes")
