"""Why a value inside holders cannot be handed out, known before anything is rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import DEFAULT_DOMAINS
from onnxviz.graph.places import Address, Step
from onnxviz.graph.topology import bodies, function_key

CALL = "call"
_KNOWN = frozenset({CALL, "If", "Loop", "Scan", "SequenceMap"})
_SEQUENCES_CARRIED = 13

_VARIES = "its size may differ from step to step, and a Scan hands out arrays of one size"
_NO_ARRAY = "it is a sequence or an optional, and what a Loop collects are arrays"
_OPTIONAL = "it is an optional, and the branch that does not run has no empty one to give"
_NO_TYPE = "its type is not known"
_NESTED = "ONNX has no sequences of sequences"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value inside a holder.

    Attributes:
        info: the name that it gets outside, and its type as one step computes it.
        address: where it lies.
        steady: whether it has the same sizes in all steps of the Loops that it lies in.
    """

    info: onnx.ValueInfoProto
    address: Address
    steady: bool = False

    @property
    def kind(self) -> str:
        """Which kind of type it has, such as `tensor_type`; empty where its type is not known."""
        tensor = self.info.type.tensor_type
        found = self.info.type.WhichOneof("value") or ""
        return "" if found == "tensor_type" and not tensor.elem_type else found


@dataclass(frozen=True, slots=True)
class HolderKind:
    """A node on the way to a value: its operator, `call` for a function, and the opset where it stands."""

    operator: str
    opset: int


def holders(graph: Graph, wanted: Iterable[Wanted]) -> Mapping[tuple[Step, ...], Sequence[HolderKind]]:
    """Return what holds each of these values, from the outside in, by their paths."""
    return {path: tuple(holders_along(graph, path)) for path in dict.fromkeys(want.address.path for want in wanted)}


def holders_along(graph: Graph, path: Sequence[Step]) -> Iterator[HolderKind]:
    """Yield what a path leads through, from the outside in."""
    nodes: Sequence[onnx.NodeProto] = graph.proto.graph.node
    opset = graph.opset
    for step in path:
        node = nodes[step.index]
        plain = node.op_type if node.domain in DEFAULT_DOMAINS else f"{node.domain}.{node.op_type}"
        yield HolderKind(CALL if step.body is None else plain, opset)
        if step.body is None:
            function = graph.functions[function_key(node)]
            nodes, opset = function.node, opset_of(function.opset_import) or opset
        else:
            nodes = dict(bodies(node))[step.body].node


def opset_of(imports: Sequence[onnx.OperatorSetIdProto]) -> int:
    """Return the version of ONNX's own operators, 0 where they are not imported."""
    return next((entry.version for entry in imports if entry.domain in DEFAULT_DOMAINS), 0)


def varies(operators: Sequence[str]) -> bool:
    """Return whether what the first of these holders gives at each step may differ in size for what lies between."""
    return not {"If", "Loop"}.isdisjoint(operators[1:])


def obstacles(graph: Graph, wanted: Sequence[Wanted], keep: range | None = None) -> Mapping[str, str]:
    """Return which of the values cannot be handed out, by name, with the reasons; see `lift` for `keep`."""
    ways = holders(graph, wanted)
    found = ((want.info.name, _obstacle(want, ways[want.address.path], keep)) for want in wanted)
    return {name: reason for name, reason in found if reason}


def _obstacle(wanted: Wanted, way: Sequence[HolderKind], keep: range | None) -> str:
    operators = [holder.operator for holder in way]
    collects: list[bool] = []  # for each holder: whether a sequence is carried into it
    for place, holder in enumerate(way):
        carried = bool(collects) and collects[-1]
        begins = holder.operator == "Loop" and not carried
        begins = begins and (keep is not None or not wanted.steady or varies(operators[place:]))
        if begins and wanted.kind != "tensor_type":
            return _NO_ARRAY if wanted.kind else _NO_TYPE
        if begins and holder.opset < _SEQUENCES_CARRIED:
            return (
                f"its size may differ from step to step, and a Loop of opset {holder.opset} carries no sequence"
                f" of arrays; from opset {_SEQUENCES_CARRIED} on it does"
            )
        collects.append(begins or (carried and holder.operator not in ("Scan", "SequenceMap")))
    return _on_the_way_out(operators, collects, wanted.kind)


def _on_the_way_out(operators: Sequence[str], collects: Sequence[bool], kind: str) -> str:
    collected = False
    for place in reversed(range(len(operators))):
        operator = operators[place]
        if operator not in _KNOWN:
            return f"{operator} hands out nothing of the graphs that it holds"
        if collects[place]:
            if not collected and kind != "tensor_type":
                return _NO_ARRAY
            collected = place > 0 and collects[place - 1]
            kind = kind if collected else "sequence_type"
        elif operator == "If" and kind not in ("tensor_type", "sequence_type"):
            return (
                _OPTIONAL if kind else f"{_NO_TYPE}, and the branch that does not run has to give an empty value of it"
            )
        elif operator == "Scan" and (varies(operators[place:]) or kind not in ("tensor_type", "")):
            return _VARIES
        elif operator == "SequenceMap":
            if kind != "tensor_type":
                return _NESTED if kind else _NO_TYPE
            kind = "sequence_type"
    return ""
