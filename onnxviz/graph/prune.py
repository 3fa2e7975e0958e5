"""Leave out of holders what nobody reads: results of If, Loop, Scan and functions, and what these alone need.

Before: `y, z = If (c) { then: y = Conv(a), z = Conv(b); else: y = a, z = b }`, of which `y` is read.
After: `y = If (c) { then: y = Conv(a); else: y = a }`, and `b` is needed no longer.

1. A result that nobody reads goes, with what each branch or body makes for it alone, their initializers and notes.
2. What a Loop or Scan carries goes where its last value is not read and the body needs it only to go on with it.
3. A function that is called for some of its results is copied without the others, and without inputs that only they
   need; copies that are alike are one, which takes the place of the original where no call is left to that one.
4. The condition and count of a Loop stay, and so does what Scan steps over. Other operators with graphs are left alone,
   and so are a body whose nodes are out of order, and what functions call deeper than 64 levels, or of themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import onnx

from onnxviz.graph.function_copies import FunctionCopies
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import DEFAULT_DOMAINS
from onnxviz.graph.scope import replace_field
from onnxviz.graph.topology import FunctionKey, bodies, captured_values, function_key

_DEEPEST = 64


def pruned(graph: Graph, values: Collection[str]) -> Graph:
    """Return the graph with what is needed for some of its values, itself where its holders give nothing else.

    Its outputs are those of its own among the values.
    """
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    if not _Pruner(model).prune(graph, set(values)):
        return graph
    replace_field(model.graph.output, [info for info in model.graph.output if info.name in values])
    return Graph.from_checked(model)


class _Pruner:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._copies = FunctionCopies(model)
        self._shared: dict[tuple[FunctionKey, tuple[int, ...]], tuple[str, tuple[int, ...]]] = {}
        self._depth = 0

    def prune(self, source: Graph, live: set[str]) -> bool:
        """Drop what is not needed for the values that are live; return whether it is more than nodes at the top."""
        nodes = self._model.graph.node
        kept = self._nodes(nodes, live)
        if all(before == after for before, after in zip(source.proto.graph.node, nodes, strict=True)):
            return False
        replace_field(nodes, kept)
        self._copies.settle()
        return True

    def _nodes(self, nodes: Sequence[onnx.NodeProto], live: set[str]) -> list[onnx.NodeProto]:
        """Prune nodes from the last one on; add to `live` what they read; return those that are needed."""
        kept = []
        in_order = _are_sorted(nodes)
        for node in reversed(nodes):
            if in_order and live.isdisjoint(filter(None, node.output)):
                continue
            if in_order:
                self._holder(node, live)
            live.update(_reads(node))
            kept.append(node)
        return kept[::-1]

    def _holder(self, node: onnx.NodeProto, live: set[str]) -> None:
        read = [place for place, value in enumerate(node.output) if value in live]
        if function_key(node) in self._copies.functions:
            self._call(node, read)
        elif _is_understood(node):
            if node.op_type in ("Loop", "Scan"):
                read = _drop_carried(node, bodies(node)[0][1], read)
            for _, body in bodies(node):
                first = len(body.output) - len(node.output)  # the first output of a Loop's body is the condition
                _keep(body.output, [*range(first), *(first + place for place in read)])
            for _, body in bodies(node):
                self._body(body)
            _keep(node.output, read)

    def _call(self, node: onnx.NodeProto, read: Sequence[int]) -> None:
        key = function_key(node)
        if len(node.output) > len(self._copies.functions[key].output):
            return
        if (key, tuple(read)) not in self._shared:
            if self._depth == _DEEPEST:
                return
            self._depth += 1
            self._shared[key, tuple(read)] = self._copy(key, read)
            self._depth -= 1
        name, inputs = self._shared[key, tuple(read)]
        node.op_type = name
        _keep(node.input, [place for place in inputs if place < len(node.input)])
        _keep(node.output, read)

    def _copy(self, key: FunctionKey, read: Sequence[int]) -> tuple[str, tuple[int, ...]]:
        """Return the name of the function with these results alone, and which inputs it has of the original."""
        original = self._copies.functions[key]
        live = {original.output[place] for place in read}
        function = self._copies.copy(key)
        kept = self._nodes(function.node, live)
        replace_field(function.node, kept)
        _keep(function.output, read)
        inputs = tuple(place for place, name in enumerate(function.input) if name in live)
        _keep(function.input, inputs)
        if _is_alike(function, original):
            self._copies.drop(function)
            return original.name, inputs
        return function.name, inputs

    def _body(self, body: onnx.GraphProto) -> None:
        """Drop what the outputs of a body do not need."""
        live = {info.name for info in body.output}
        kept = self._nodes(body.node, live)
        if len(kept) < len(body.node):
            replace_field(body.node, kept)
        made = {output for node in kept for output in node.output}
        _keep(body.initializer, [place for place, tensor in enumerate(body.initializer) if tensor.name in live])
        _keep(
            body.sparse_initializer,
            [place for place, tensor in enumerate(body.sparse_initializer) if tensor.values.name in live],
        )
        _keep(body.value_info, [place for place, info in enumerate(body.value_info) if info.name in made])


def _drop_carried(node: onnx.NodeProto, body: onnx.GraphProto, read: Sequence[int]) -> list[int]:
    """Drop the inputs of what a Loop or Scan carries for itself alone; return which results are left to it."""
    # A Loop's body is given the step and the condition, and gives a condition.
    conditions = 2 if node.op_type == "Loop" else 0
    scanned = _scanned(node)
    states = len(body.input) - conditions - scanned
    given = len(node.input) - scanned - states  # what the node takes before the first value that is carried
    results = [info.name for info in body.output]
    condition, results = results[: conditions // 2], results[conditions // 2 :]
    idle = set(range(states)) - set(read)
    while True:
        kept = sorted({*read, *range(states)} - idle)
        needed = _needs(body.node, [*condition, *(results[place] for place in kept)])
        busy = {place for place in idle if body.input[conditions + place].name in needed}
        if not busy:
            break
        idle -= busy
    _keep(node.input, [place for place in range(len(node.input)) if place - given not in idle])
    _keep(body.input, [place for place in range(len(body.input)) if place - conditions not in idle])
    for attribute in node.attribute:
        if attribute.name in ("scan_output_axes", "scan_output_directions") and attribute.ints:
            _keep(attribute.ints, [place - states for place in kept if place >= states])
    return kept


def _is_understood(node: onnx.NodeProto) -> bool:
    """Return whether a node has the bodies, inputs and outputs that its operator's definition asks for."""
    held = [body for _, body in bodies(node)]
    results = {len(body.output) - len(node.output) for body in held}
    if node.domain not in DEFAULT_DOMAINS or not held:
        return False
    given, taken = len(node.input), len(held[0].input)
    match node.op_type:
        case "If":
            return len(held) == 2 and results == {0}
        case "Loop":
            return len(held) == 1 and results == {1} and given == taken and 2 <= taken <= len(node.output) + 2
        case "Scan":
            states = taken - _scanned(node)
            return len(held) == 1 and results == {0} and given - taken in (0, 1) and 0 <= states <= len(node.output)
        case "SequenceMap":
            return len(held) == 1 and results == {0}
    return False


def _scanned(node: onnx.NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "num_scan_inputs"), 0)


def _needs(nodes: Sequence[onnx.NodeProto], values: Iterable[str]) -> set[str]:
    """Return these values and all that they are computed from."""
    makers = {output: node for node in nodes for output in node.output if output}
    needed: set[str] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if value not in needed:
            needed.add(value)
            waiting.extend(_reads(makers[value]) if value in makers else ())
    return needed


def _is_alike(copied: onnx.FunctionProto, original: onnx.FunctionProto) -> bool:
    plain = onnx.FunctionProto()
    plain.CopyFrom(copied)
    plain.name = original.name
    return plain == original


def _reads(node: onnx.NodeProto) -> set[str]:
    return {value for value in (*node.input, *captured_values(node)) if value}


def _are_sorted(nodes: Sequence[onnx.NodeProto]) -> bool:
    """Return whether each node comes after those that it reads."""
    later = {output for node in nodes for output in node.output if output}
    for node in nodes:
        if not later.isdisjoint(_reads(node)):
            return False
        later.difference_update(node.output)
    return True


def _keep(repeated: Any, places: Sequence[int]) -> None:
    """Keep some items of a repeated field."""
    if len(places) < len(repeated):
        replace_field(repeated, [repeated[place] for place in places if place < len(repeated)])
