"""In which order nodes can be computed, and what their bodies need from outside."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import onnx

from onnxviz.errors import ModelError
from onnxviz.words import quoted


def bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Return the graphs that a node holds, such as the branches of an If."""
    found: list[onnx.GraphProto] = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            found.append(attribute.g)
        found.extend(attribute.graphs)
    return found


def captured_values(node: onnx.NodeProto) -> tuple[str, ...]:
    """Return the outer values that the bodies of a node read, at any depth, each once."""
    return tuple(dict.fromkeys(value for body in bodies(node) for value in _free_values(body)))


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
    reads = [{value for value in (*node.input, *captured_values(node)) if value} for node in proto.graph.node]
    order = _topological(reads, [tuple(node.output) for node in proto.graph.node])
    if order == list(range(len(order))):
        return proto
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    del result.graph.node[:]
    result.graph.node.extend(proto.graph.node[index] for index in order)
    return result


def _topological(reads: Sequence[set[str]], outputs: Sequence[tuple[str, ...]]) -> list[int]:
    makers = {value: index for index, made in enumerate(outputs) for value in made if value}
    needs = [{makers[value] for value in values if value in makers} for values in reads]
    users: list[list[int]] = [[] for _ in needs]
    for index, sources in enumerate(needs):
        for source in sources:
            users[source].append(index)
    missing = [len(sources) for sources in needs]
    ready = [index for index, count in enumerate(missing) if count == 0]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for user in users[index]:
            missing[user] -= 1
            if missing[user] == 0:
                heapq.heappush(ready, user)
    if len(order) < len(needs):
        stuck = min(index for index, count in enumerate(missing) if count)
        names = ", ".join(quoted(value) for value in outputs[_in_cycle(stuck, needs, missing)] if value)
        raise ModelError(f"the graph has a cycle: the value {names} is needed to compute itself")
    return order


def _in_cycle(start: int, needs: Sequence[set[int]], missing: Sequence[int]) -> int:
    """Walk back through unfinished nodes until one comes twice: that one lies on a cycle."""
    seen: set[int] = set()
    while start not in seen:
        seen.add(start)
        start = min(source for source in needs[start] if missing[source])
    return start
