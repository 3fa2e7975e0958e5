"""What a selection chooses from: a model's values with their nodes and layers, numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from onnxviz.graph.carrying import is_carrier, is_nameless
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.names import weight_module
from onnxviz.graph.node import Node
from onnxviz.graph.selection.number_sets import Matched, grouped, mask, members
from onnxviz.words import shown

if TYPE_CHECKING:
    from onnxviz.graph.layers.catalogue import Layer


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value of the graph with the layer or else the node that makes it; `order` is its place in the graph.

    `module` is that of the layer's weight, by the weight's name.
    """

    value: str
    node: Node | None
    layer: Layer | None
    order: tuple[int, int]
    module: str = ""

    @property
    def kind(self) -> str:
        """Its kind; `other` where it is not a layer."""
        return self.layer.kind if self.layer else "other"

    @property
    def name(self) -> str:
        """The name that a user sees: of several outputs of a node that is not a layer, the first has the node's."""
        if self.layer is not None:
            return self.layer.name
        is_first = self.node is not None and self.value == next(filter(None, self.node.outputs))
        return self.node.key if self.node is not None and is_first else self.value

    def tapped(self, tap: str) -> str:
        """Return the value that it means as a layer."""
        return self.layer.value(tap) if self.layer else self.value

    def names(self) -> Iterator[str]:
        """Give what a glob is held against: the names of node and value, the scope, the weight's, the name shown."""
        for name in (self.text("node"), self.value, self.text("scope"), self.module, self.name):
            if name:
                yield name

    def text(self, field: str) -> str:
        """Return a field of text, empty where it is unknown."""
        return str(self.field(field) or "")

    @property
    def name_before(self) -> str | None:
        """The name that it had before a quantiser wrote `_quant` behind a node's, `_quantized` behind a value's."""
        before = re.sub("_quant(ized)?$", "", self.name)
        return before if self.layer is not None and before != self.name else None

    def field(self, field: str) -> Any:
        """Return a field of the language, None where it is unknown."""
        if field == "name_before":
            return self.name_before
        if field in ("value", "kind", "module"):
            return {"value": self.value, "kind": self.kind, "module": self.module}[field]
        if self.layer or self.node is None:
            return getattr(self.layer, field, None)
        return {"node": self.node.name, "op": self.node.op, "scope": self.node.scope}.get(field)


class Candidates:
    """The candidates of a model, numbered: all its layers, and those other nodes and values that were asked for."""

    def __init__(self, graph: Graph, layers: Sequence[Layer], tap: str) -> None:
        self.graph = graph
        self.tap = tap
        self.notes: dict[int, str] = {}
        self._candidates: list[Candidate] = []
        self._numbers: dict[str, int] = {}
        for layer in layers:
            maker = graph.producers.get(layer.output)
            module = "" if maker is None else weight_module(graph, maker)
            number = self._add(Candidate(layer.output, None, layer, self._order(layer.output), module))
            self._numbers.setdefault(layer.output, number)

    def __getitem__(self, number: int) -> Candidate:
        return self._candidates[number]

    def layers(self) -> Iterator[tuple[int, Candidate]]:
        """Give all layers with their numbers."""
        return ((number, candidate) for number, candidate in enumerate(self._candidates) if candidate.layer)

    @cached_property
    def others(self) -> int:
        """The set of all that nodes compute from inputs and that is not of a layer of a kind."""
        nodes = (node for node in self.graph.nodes if not is_carrier(node.domain, node.op))
        values = (value for node in nodes for value in node.outputs if value)
        numbers = (self._of_value(value) for value in values if not self.graph.is_constant(value))
        return mask(number for number in numbers if self[number].kind == "other")

    def way_to(self, op: str) -> str:
        """Return words on how nodes of an operator are taken that are not layers; empty where there are none."""
        if op not in {node.op for node in self.graph.nodes}:
            return ""
        if op in {self[number].text("op") for number in members(self.others)}:
            return f"`other & op={shown(op)}` takes nodes that are not layers"
        return f"no input reaches the nodes of {shown(op)}: their exact names take them"

    def is_name(self, name: str) -> bool:
        """Return whether a value, node, layer or scope of the graph has exactly this name."""
        return self._is_value(name) or name in self._nodes or name in self._called

    def named(self, name: str) -> Matched:
        """Return what has exactly this name: a value before nodes before layers before what a call puts out."""
        if self._is_value(name):
            number = self._of_value(name)
            self._note_twin(name, number)
            return Matched(literal=1 << number)
        nodes = self._of_nodes(name)
        layered = mask(number for number in nodes if self[number].layer)
        called = layered or self._layer_names.get(name, 0) or mask(nodes)
        return Matched(called or mask(map(self._of_value, self.graph.synonyms.get(name, ()))))

    def words(self, *fields: str) -> list[str]:
        """Return all that layers have in these fields of text."""
        return list(dict.fromkeys(candidate.text(field) for field in fields for _, candidate in self.layers()))

    def all_names(self) -> list[str]:
        """Return every name that can be selected."""
        values = (*(self.graph.producers.keys() - self._unnamed), *self._sources, *self.graph.synonyms)
        return [*self.words("node", "value", "scope", "module"), *self._nodes, *values]

    def _add(self, candidate: Candidate) -> int:
        self._candidates.append(candidate)
        return len(self._candidates) - 1

    def _order(self, value: str) -> tuple[int, int]:
        node = self.graph.producers.get(value)
        return (-1, self._sources.get(value, 0)) if node is None else (node.index, node.outputs.index(value))

    def _is_value(self, name: str) -> bool:
        return bool(name) and (name in self._sources or (name in self.graph.producers and name not in self._unnamed))

    def _of_value(self, value: str) -> int:
        if value not in self._numbers:
            self._numbers[value] = self._add(
                Candidate(value, self.graph.producers.get(value), None, self._order(value))
            )
        return self._numbers[value]

    def _of_node(self, node: Node) -> list[int]:
        """Return what a node's name means: the layer that it is, else all that it puts out."""
        outputs = [value for value in node.outputs if value]
        known = [self._numbers[value] for value in outputs if value in self._numbers]
        return [number for number in known if self[number].layer] or [self._of_value(value) for value in outputs]

    def _of_nodes(self, name: str) -> list[int]:
        return [number for node in self._nodes.get(name, ()) for number in self._of_node(node)]

    def _note_twin(self, name: str, number: int) -> None:
        for twin in self._of_nodes(name):
            meant, node = self[twin].tapped(self.tap), self[twin].node
            beside = node is not None and name in node.outputs
            if meant != name and not beside:
                self.notes[number] = (
                    f"`{shown(name)}` names a value and a node, which as a layer means `{shown(meant)}`:"
                    " the value is taken"
                )

    @cached_property
    def _sources(self) -> Mapping[str, int]:
        """Inputs and initializers in their order."""
        names = [*(spec.name for spec in self.graph.inputs), *self.graph.weights]
        return {name: place for place, name in enumerate(names)}

    @cached_property
    def _unnamed(self) -> frozenset[str]:
        """Values of a flat graph that the file does not have."""
        return frozenset(
            value for node in self.graph.nodes if is_nameless(node.domain, node.op) for value in node.outputs
        )

    @cached_property
    def _nodes(self) -> Mapping[str, Sequence[Node]]:
        named: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            if node.name and not is_carrier(node.domain, node.op):
                named.setdefault(node.name, []).append(node)
        return named

    @cached_property
    def _layer_names(self) -> Mapping[str, int]:
        """Layers by the name that is shown and by their node's."""
        return grouped(
            (name, number)
            for number, candidate in self.layers()
            for name in {candidate.name, candidate.text("node")} - {""}
        )

    @cached_property
    def _called(self) -> frozenset[str]:
        """All that layers are called."""
        return frozenset(name for _, candidate in self.layers() for name in candidate.names())
