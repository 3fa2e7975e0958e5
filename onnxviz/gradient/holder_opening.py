"""What functions, branches, Loops and Scans hold on the way to the target, laid out as nodes like any other.

A Loop or Scan is laid out step by step where numbers go through it that have a gradient. How many steps it takes is
known before a run, or counted in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnxviz.gradient.forward import Forward, NeedsRunError, Probe
from onnxviz.gradient.registry import refusal
from onnxviz.graph.constants import array_of, constant_of
from onnxviz.graph.cut import needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.loop_steps import body_of, carried_count, counting, is_loop, is_sound, operand, scanned_axis
from onnxviz.graph.node import Node
from onnxviz.graph.places import Address
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.specialise import Decide, specialise
from onnxviz.graph.topology import bodies, every_node
from onnxviz.graph.unfold import unfold
from onnxviz.graph.unroll import unrolled
from onnxviz.layout import Dimension
from onnxviz.words import quoted

MOST_NODES = 20_000
"""How many nodes the steps of all Loops at one depth may be together."""

_SCAN_WITHOUT_BATCH = 9
_CARRYING_ON = frozenset({"Identity", "Cast"})


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked where only a run knows: the conditions of Ifs, and sizes."""

    decide: Decide | None = None
    probe: Probe | None = None


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A graph with its holders opened, and what the conditions of Ifs and steps are that an input decides."""

    graph: Graph
    conditions: Mapping[str, bool] = field(default_factory=dict)


def laid_out(graph: Graph, target: str, wrt: Sequence[str], asking: Asking) -> LaidOut:
    """Return the graph with its calls, Ifs and Loops opened; itself where it holds none.

    Args:
        graph: the model.
        target: what is differentiated, by its name in the flat graph.
        wrt: by what it is differentiated, likewise.
        asking: what is asked where only a run knows.

    Raises:
        NeedsRunError: A condition or a number of steps is not constant, and there is nothing to find it.
        UnsupportedError: A Loop cannot be laid out; the text names it.
    """
    conditions: dict[str, bool] = {}
    while True:
        graph = _opened(graph, (target, *wrt), asking.decide, conditions)
        loops, forward = _loops_on_the_way(graph, target, wrt)
        if not loops:
            return LaidOut(graph, conditions)
        found = unrolled(graph, _counts(forward, loops, asking.probe))
        conditions.update(found.checks)
        graph = found.graph


def _opened(graph: Graph, values: Sequence[str], decide: Decide | None, conditions: dict[str, bool]) -> Graph:
    """Open calls and Ifs; what an input decides is noted in `conditions`."""
    if not any(node.is_call or bodies(node.proto) for node in graph.nodes):
        return graph
    addresses = unfold(graph).addresses
    _check_outside_loops(graph, values, addresses)
    tops = [addresses[value].path[0].index for value in values if value in addresses]
    outer = [output for index in tops for output in graph.nodes[index].outputs if output]
    top = [value for value in values if value not in addresses]
    on_the_way = {node.index for node in needed_nodes(graph, [*outer, *top])}
    wanted = [value for value, address in addresses.items() if address.path[0].index in on_the_way]

    def decided(current: Graph, names: Sequence[str]) -> Sequence[bool]:
        constant = {name: array for name in names if (array := current.constant(name)) is not None}
        open_ = [name for name in dict.fromkeys(names) if name not in constant]
        if open_ and decide is None:
            raise NeedsRunError(f"which branch an If takes is not known before a run ({quoted(open_[0])} decides)")
        conditions.update(zip(open_, decide(current, open_) if open_ and decide is not None else (), strict=True))
        return [bool(constant[name].reshape(-1)[0]) if name in constant else conditions[name] for name in names]

    return specialise(graph, addresses, wanted, decided).graph if wanted else graph


def _check_outside_loops(graph: Graph, values: Sequence[str], addresses: Mapping[str, Address]) -> None:
    for value in values:
        if value in addresses and addresses[value].loops:
            node = graph.nodes[addresses[value].path[0].index]
            raise refusal(node, f"{quoted(value)} lies in a body that runs several times, and is another in each step")


def _loops_on_the_way(graph: Graph, target: str, wrt: Sequence[str]) -> tuple[tuple[Node, ...], Forward]:
    """Return the Loops and Scans through which numbers with a gradient go to the target."""
    loops = [node for node in needed_nodes(graph, [target]) if is_loop(node)]
    forward = Forward(graph, infer_types(graph) if loops else {})
    active = forward.active(wrt) if loops else frozenset()
    return tuple(node for node in loops if not active.isdisjoint(node.outputs)), forward


def _counts(forward: Forward, loops: Sequence[Node], probe: Probe | None) -> dict[int, int]:
    """Return how many steps each Loop or Scan takes, by its index."""
    for node in loops:
        if not is_sound(node):
            raise refusal(node, "its body does not take or put out what the node asks for")
    found = {node: _known_count(forward, node) for node in loops}
    open_ = [node for node, count in found.items() if count is None]
    if open_ and probe is None:
        raise NeedsRunError(f"how many steps {open_[0].op} {quoted(open_[0].key)} takes is not known before a run")
    if open_ and probe is not None:
        found.update(_counted(forward, open_, probe))
    counts = {node: count or 0 for node, count in found.items()}
    _check_counts(counts)
    return {node.index: count for node, count in counts.items()}


def _counted(forward: Forward, loops: Sequence[Node], probe: Probe) -> dict[Node, int]:
    """Return how many steps Loops and Scans take in a run."""
    turning = [node for node in loops if node.op == "Loop"]
    graph, names = counting(forward.graph, turning)
    scanned = {node: node.inputs[carried_count(node)] for node in loops if node.op == "Scan"}
    found = probe(graph, [*names, *scanned.values()])
    sizes = {node: found[name].shape or () for node, name in zip(turning, names, strict=True)}
    sizes |= {node: (_scanned_size(node, found[value].shape or ()),) for node, value in scanned.items()}
    return {node: int(shape[0] or 0) for node, shape in sizes.items()}


def _scanned_size(node: Node, shape: Sequence[Dimension]) -> Dimension:
    axis = scanned_axis(node, 0)
    if not -len(shape) <= axis < len(shape):
        raise refusal(node, f"there is no axis {axis} of {len(shape)}")
    return shape[axis]


def _known_count(forward: Forward, node: Node) -> int | None:
    """Return how many steps a Loop or Scan takes whatever the input; None where an input decides."""
    if node.op == "Scan":
        if forward.opset < _SCAN_WITHOUT_BATCH:
            raise refusal(node, "before opset 9 a Scan has a batch of its own")
        shape = forward.shape(node.inputs[carried_count(node)])
        size = _scanned_size(node, shape) if shape else None
        return size if isinstance(size, int) else None
    limit = forward.numbers(operand(node, 0)) if operand(node, 0) else None
    if limit is None or not _always_goes_on(forward, node):
        return None
    return max(int(limit.reshape(-1)[0]), 0)


def _always_goes_on(forward: Forward, node: Node) -> bool:
    """Return whether the condition of a Loop holds before each step, as in a loop over a range."""
    start = forward.numbers(operand(node, 1)) if operand(node, 1) else None
    if operand(node, 1) and (start is None or not start.all()):
        return False
    body = body_of(node)
    made = {output: inner for inner in body.node for output in inner.output}
    stored = {tensor.name: tensor for tensor in body.initializer}
    value = body.output[0].name
    while value in made and made[value].op_type in _CARRYING_ON:
        value = made[value].input[0]
    if value == body.input[1].name:
        return True
    if value not in made and value not in stored:
        numbers = forward.numbers(value)
        return numbers is not None and bool(numbers.all())
    held = stored[value] if value in stored else constant_of(made[value])
    constant = None if held is None else array_of(held)
    return constant is not None and bool(constant.all())


def _check_counts(counts: Mapping[Node, int]) -> None:
    total = 0
    for node, count in counts.items():
        if not count and any(node.outputs[carried_count(node) :]):
            raise refusal(node, "it takes no step, and there is nothing that it stacks")
        size = sum(1 for _ in every_node(body_of(node).node))
        total += count * size
        if total > MOST_NODES:
            raise refusal(
                node, f"with its {count} steps of {size} nodes more than {MOST_NODES} would lie one after the other"
            )
