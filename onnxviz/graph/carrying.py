"""What ties a body to the graph around it once it is laid flat: nodes that compute nothing, in a domain of their own.

Of `s, t = Loop(m, c, x) { (i, d, v) -> e, r, p }`, whose body's nodes stand in the flat graph by themselves, remain

    steps = Steps(m, c, x, whatever else the body reads)
    i = Iteration()   d = Condition(c, steps)   v = Carried(x, steps)        before the body's nodes
    s, t = Loop(m, c, e, x, r, p)                                            behind them

These are never run. How they read stands in the table of operators. Which types they give onnx's inference reads in
functions that the flat model holds: `s` is what an If of `x` and `r` makes, `t` has one axis more than `p`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnx
from onnx.helper import (
    make_attribute,
    make_function,
    make_graph,
    make_node,
    make_opsetid,
    make_tensor,
    make_tensor_value_info,
)

CARRYING = "onnxviz"
"""The domain of these nodes."""

JOINS = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Those among them that stand for a node of the file; the others only make what a body is given."""

_Body = onnx.GraphProto


@dataclass(frozen=True, slots=True)
class Results:
    """What the bodies of a node make, under its names in the flat graph.

    Attributes:
        controls: how often, or whether, they run.
        before: what is passed on where they do not run; of an If what the first branch makes.
        after: what is passed on where they do.
        steps: of which each step makes one, to be stacked.
    """

    controls: Sequence[str] = ()
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    steps: Sequence[str] = ()


def is_carrier(domain: str, op: str) -> bool:
    """Return whether a node only makes what a body is given, and stands for no node of the file."""
    return domain == CARRYING and op not in JOINS


def is_nameless(domain: str, op: str) -> bool:
    """Return whether what a node makes has no name in the file."""
    return domain == CARRYING and op == "Steps"


def entries(holder: onnx.NodeProto, body: _Body, inputs: Sequence[str], steps: str) -> Iterator[onnx.NodeProto]:
    """Yield, for each input of a body, the node that makes it.

    Args:
        holder: the node that holds the body.
        body: one of its bodies.
        inputs: the holder's inputs under their names in the flat graph.
        steps: the value that stands for all that earlier steps may have read.
    """
    scanned = min(max(_integer(holder, "num_scan_inputs"), 0), len(body.input))
    states = len(body.input) - scanned
    axes = _integers(holder, "scan_input_axes") or [0] * scanned
    for place, info in enumerate(body.input):
        given = [value for value in inputs[place : place + 1] if value]
        match kind_of(holder):
            case "Loop" if place == 0:
                yield _carrier("Iteration", [], info.name)
            case "Loop" if place == 1:
                yield _carrier("Condition", [*given, steps], info.name)
            case "Loop" if given:
                yield _carrier("Carried", [*given, steps], info.name)
            case "Scan" if given and place < states:
                yield _carrier("Carried", [*given, steps], info.name, "same")
            case "Scan" if given and len(axes) == scanned:
                yield _carrier("Scanned", given, info.name, str(axes[place - states]), axis=axes[place - states])
            case "SequenceMap" if given:
                yield _carrier("Element", given, info.name, "" if place else "first")
            case _:
                yield _carrier("Passed", [*given, steps], info.name)


def kind_of(holder: onnx.NodeProto) -> str:
    """Return which of ONNX's operators with bodies a node is, or an empty text."""
    return holder.op_type if holder.domain in ("", "ai.onnx") and holder.op_type in JOINS else ""


def join(holder: onnx.NodeProto, inputs: Sequence[str], results: Sequence[Sequence[str]]) -> onnx.NodeProto:
    """Return the node that stands for one with bodies, without its outputs: it makes them of what the bodies make."""
    found = _results(holder, inputs, results)
    if found is None:
        every = [value for value in (*inputs, *(value for made in results for value in made)) if value]
        return make_node(holder.op_type, every, [], domain=CARRYING, overload="whatever")
    given = [*found.controls, *found.before, *found.after, *found.steps]
    sizes = (len(found.controls), len(found.before), len(found.steps))
    axes = _integers(holder, "scan_output_axes")
    node = make_node(holder.op_type, given, [], domain=CARRYING, overload=",".join(map(str, (*sizes, *axes))))
    for name, size in zip(("controls", "carried", "steps"), sizes, strict=True):
        node.attribute.append(make_attribute(name, size))
    if axes:
        node.attribute.append(make_attribute("axes", axes))
    return node


def _results(holder: onnx.NodeProto, inputs: Sequence[str], results: Sequence[Sequence[str]]) -> Results | None:
    """Return what a node's bodies make, None where their number is not what its operator's definition asks for."""
    count = len(holder.output)
    match kind_of(holder), results:
        case "If", [one, other] if len(one) == len(other) == count:
            return Results(inputs[:1], one, other)
        case "Loop", [made] if len(made) == count + 1 and count >= (carried := max(len(inputs) - 2, 0)):
            return Results([*inputs[:2], made[0]], inputs[2:], made[1 : carried + 1], made[carried + 1 :])
        case "Scan", [made] if len(made) == count:
            states = len(inputs) - _integer(holder, "num_scan_inputs")
            if 0 <= states <= count and len(_integers(holder, "scan_output_axes")) in (0, count - states):
                return Results((), inputs[:states], made[:states], made[states:])
        case "SequenceMap", [made] if len(made) == count:
            return Results(steps=made)
    return None


def typing_function(node: onnx.NodeProto, opset: int) -> onnx.FunctionProto | None:
    """Return the function by which onnx infers the types that a carrying node makes, None where it can tell none."""
    sizes = {attribute.name: attribute.i for attribute in node.attribute if attribute.name != "axes"}
    formals = [f"i{place}" for place in range(len(node.input))]
    outputs = [f"o{place}" for place in range(max(len(node.output), 1))]
    match node.op_type:
        case "Carried" if node.overload:
            nodes = [make_node("Identity", formals[:1], outputs)]
        case "Carried":
            nodes = [_loop(outputs, carried=formals[0])]
        case "Scanned":
            zero = make_node("Constant", [], ["zero"], value=make_tensor("", 7, [], [0]))
            nodes = [zero, make_node("Gather", [*formals, "zero"], outputs, axis=sizes["axis"])]
        case "Element" if node.overload:
            zero = make_node("Constant", [], ["zero"], value=make_tensor("", 7, [], [0]))
            nodes = [zero, make_node("SequenceAt", [*formals, "zero"], outputs)]
        case "SequenceMap" if sizes:
            nodes = [
                make_node("SequenceConstruct", [value], [made]) for value, made in zip(formals, outputs, strict=True)
            ]
        case "If" | "Loop" | "Scan" if sizes:
            controls, carried = sizes["controls"], sizes["carried"]
            before, after = formals[controls : controls + carried], formals[controls + carried :]
            nodes = [_either(*each) for each in zip(before, after, outputs, strict=False)]
            stacked = zip(after[carried:], outputs[carried:], strict=True)
            nodes += [] if _integers(node, "axes") else [_loop([made], stacked=value) for value, made in stacked]
            outputs = [made for each in nodes for made in each.output]
        case _:
            return None
    domains = [make_opsetid("", opset)]
    return make_function(CARRYING, node.op_type, formals, outputs, nodes, domains, overload=node.overload)


def _either(one: str, other: str, made: str) -> onnx.NodeProto:
    """Return an If that makes one of two values."""
    branches = {
        name: make_graph([make_node("Identity", [value], [name])], name, [], [onnx.ValueInfoProto(name=name)])
        for name, value in (("then_branch", one), ("else_branch", other))
    }
    node = make_node("If", [one], [made])
    node.attribute.extend(make_attribute(name, branch) for name, branch in branches.items())
    return node


def _loop(outputs: Sequence[str], *, carried: str = "", stacked: str = "") -> onnx.NodeProto:
    """Return a Loop that carries a value, or stacks one from outside."""
    given = [make_tensor_value_info("i", 7, []), make_tensor_value_info("c", 9, [])]
    given += [onnx.ValueInfoProto(name="v")] if carried else []
    nodes = [make_node("Identity", ["c"], ["d"]), make_node("Identity", [stacked or "v"], ["r"])]
    body = make_graph(nodes, "body", given, [onnx.ValueInfoProto(name="d"), onnx.ValueInfoProto(name="r")])
    return make_node("Loop", ["", "", *filter(None, [carried])], outputs, body=body)


def _carrier(
    op: str, inputs: Sequence[str], output: str, overload: str = "", axis: int | None = None
) -> onnx.NodeProto:
    node = make_node(op, [value for value in inputs if value], [output], domain=CARRYING, overload=overload)
    node.attribute.extend([] if axis is None else [make_attribute("axis", axis)])
    return node


def _integer(node: onnx.NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)


def _integers(node: onnx.NodeProto, name: str) -> list[int]:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == name), [])
