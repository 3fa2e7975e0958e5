"""In which order nodes can be computed, and what their bodies need from outside."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

import onnx
from onnx import AttributeProto

from onnxviz.errors import ModelError
from onnxviz.words import quoted

FunctionKey = tuple[str, str, str]
"""Domain, name and overload of a function of the model, as a node that calls it gives them."""


_MAY_HOLD_BODIES = frozenset({AttributeProto.GRAPH, AttributeProto.GRAPHS, AttributeProto.UNDEFINED})


def function_key(proto: onnx.NodeProto | onnx.FunctionProto) -> FunctionKey:
    """Return which function a node would call, or which one a function is; both names of ONNX's domain are one."""
    name = proto.op_type if isinstance(proto, onnx.NodeProto) else proto.name
    return "" if proto.domain == "ai.onnx" else proto.domain, name, proto.overload


def bodies(node: onnx.NodeProto) -> Sequence[tuple[str, onnx.GraphProto]]:
    """Return the graphs that a node holds, each with its name: `then_branch` of an If, `branches[0]` of a list."""
    found: list[tuple[str, onnx.GraphProto]] = []
    for attribute in [attribute for attribute in node.attribute if attribute.type in _MAY_HOLD_BODIES]:
        if attribute.HasField("g"):
            found.append((attribute.name, attribute.g))
        found.extend((f"{attribute.name}[{index}]", body) for index, body in enumerate(attribute.graphs))
    return found


def every_node(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield nodes and those of their bodies, at any depth; functions that they call are not entered."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        for _, body in bodies(node):
            waiting.extend(body.node)


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name like this one that is not taken: the name itself, or with a `'` or more behind it."""
    while name in taken:
        name += "'"
    return name


def captured_values(node: onnx.NodeProto) -> tuple[str, ...]:
    """Return the outer values that the bodies of a node read, at any depth, each once."""
    held = bodies(node)
    return tuple(dict.fromkeys(value for _, body in held for value in _free_values(body))) if held else ()


def _free_values(body: onnx.GraphProto) -> Iterator[str]:
    """Yield the values that a body reads and does not make, those of bodies within it included."""
    made = {info.name for info in body.input}
    made.update(tensor.name for tensor in body.initializer)
    made.update(tensor.values.name for tensor in body.sparse_initializer)
    made.update(output for node in body.node for output in node.output)
    for node in body.node:
        yield from (value for value in (*node.input, *captured_values(node)) if value and value not in made)
    yield from (info.name for info in body.output if info.name and info.name not in made)


def sorted_model(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its nodes in topological order, itself where they are; keeps the file's order in ties."""
    _check_made_once(proto)
    reads = [(*node.input, *captured_values(node)) for node in proto.graph.node]
    makers = {value: index for index, node in enumerate(proto.graph.node) for value in node.output if value}
    if all(makers.get(value, -1) < index for index, values in enumerate(reads) for value in values):
        return proto
    needs = [{makers[value] for value in values if value in makers} for values in reads]
    order = _topological(needs, [tuple(node.output) for node in proto.graph.node])
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    del result.graph.node[:]
    result.graph.node.extend(proto.graph.node[index] for index in order)
    return result


def _check_made_once(proto: onnx.ModelProto) -> None:
    """Refuse a value that is there twice: where the second node reads the first one's, it would look like a cycle."""
    nodes = proto.graph.node
    makers = {info.name: -1 for info in proto.graph.input} | {tensor.name: -1 for tensor in proto.graph.initializer}
    makers |= {tensor.values.name: -1 for tensor in proto.graph.sparse_initializer}
    for index, node in enumerate(nodes):
        for value in node.output:
            if value and value in makers:
                first = makers[value]
                one, other = (quoted(nodes[at].name or f"#{at} {nodes[at].op_type}") for at in (first, index))
                twice = f"is put out twice, by {one} and {other}"
                given = f"is an input or initializer, and {other} puts it out: it is there twice"
                raise ModelError(f"the value {quoted(value)} {given if first < 0 else twice}")
            makers[value] = index


def _topological(needs: Sequence[set[int]], outputs: Sequence[tuple[str, ...]]) -> list[int]:
    sorter = TopologicalSorter(dict(enumerate(needs)))
    try:
        sorter.prepare()
    except CycleError as error:
        names = ", ".join(quoted(value) for value in outputs[min(error.args[1])] if value)
        raise ModelError(f"the graph has a cycle: the value {names} is needed to compute itself") from None
    order: list[int] = []
    ready = sorted(sorter.get_ready())
    while ready:
        order.append(heapq.heappop(ready))
        sorter.done(order[-1])
        for index in sorter.get_ready():
            heapq.heappush(ready, index)
    return order
