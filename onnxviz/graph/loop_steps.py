"""How a Loop or Scan takes its steps: what goes from one to the next, and how many there are in a run."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto, NodeProto, TensorProto
from onnx.helper import make_node, make_tensor_value_info

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.specialise import own_values
from onnxviz.graph.topology import bodies, every_node, free_name


def is_loop(node: Node) -> bool:
    """Return whether a node is a Loop or a Scan of ONNX."""
    return node.operator in ("Loop", "Scan")


def body_of(node: Node) -> GraphProto:
    """Return what a Loop or Scan runs in each step."""
    return bodies(node.proto)[0][1]


def carried_count(node: Node) -> int:
    """Return how many values go from one step of a Loop or Scan to the next."""
    if node.op == "Loop":
        return len(body_of(node).input) - 2
    return len(node.inputs) - node.integer("num_scan_inputs", 0)


def is_sound(node: Node) -> bool:
    """Return whether a Loop or Scan has one body, and that takes and puts out as many values as the node asks for."""
    if len(bodies(node.proto)) != 1:
        return False
    body, lead = body_of(node), 2 if node.op == "Loop" else 0
    results = len(body.output) - lead // 2
    taken = max(len(node.inputs), lead)
    scanned = node.integer("num_scan_inputs", 0) if node.op == "Scan" else 0
    if not lead and not 1 <= scanned <= taken:
        return False
    places = [node.integers(f"scan_{kind}") for kind in ("input_axes", "input_directions")]
    stacked = [node.integers(f"scan_{kind}") for kind in ("output_axes", "output_directions")]
    carried = taken - lead - scanned
    return (
        len(body.input) == taken
        and results >= max(carried, len(node.outputs))
        and all(given is None or len(given) == scanned for given in places)
        and all(given is None or len(given) == results - carried for given in stacked)
    )


def operand(node: Node, place: int) -> str:
    """Return an input of a node, empty where it is left out."""
    return node.inputs[place] if place < len(node.inputs) else ""


def scanned_axis(node: Node, place: int) -> int:
    """Return along which axis a Scan takes the parts of one of its arrays, counted among these."""
    axes = node.integers("scan_input_axes")
    return axes[place] if axes else 0


def counting(graph: Graph, loops: Sequence[Node]) -> tuple[Graph, tuple[str, ...]]:
    """Return a graph in which each of some Loops stacks the numbers of its steps, and the names of these values."""
    used = used_names(graph)
    nodes, names = [node.proto for node in graph.nodes], []
    for node in loops:
        wide = NodeProto()
        wide.CopyFrom(node.proto)
        body = bodies(wide)[0][1]
        inner = free_name(f"{node.key}/step", used)
        body.node.append(make_node("Identity", [body.input[0].name], [inner]))
        body.output.append(make_tensor_value_info(inner, TensorProto.INT64, []))
        wide.output.extend([""] * (len(body.output) - 2 - len(wide.output)))
        names.append(free_name(f"{node.key}/steps", used))
        used.add(names[-1])
        wide.output.append(names[-1])
        nodes[node.index] = wide
    return graph.with_nodes(nodes), tuple(names)


def used_names(graph: Graph) -> set[str]:
    """Return all names of values of a graph, at any depth."""
    inside = {
        value for node in every_node(graph.proto.graph.node) for _, body in bodies(node) for value in own_values(body)
    }
    return {*graph.producers, *graph.weights, *(spec.name for spec in graph.inputs), *inside}
