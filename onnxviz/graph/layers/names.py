"""What each node is called and where it lies: as its author wrote it where the model tells, else by its own name.

1. A layer map (layer_map.py), which a conversion leaves in the metadata, names the node that makes a mapped value; a
   convolution, dense or other layer whose own output is not mapped takes the name of the first mapped value among what
   it absorbs (its bias, a nonlinearity of the same layer). A layer that is a norm or a nonlinearity by itself gives its
   name to no node before it, but for a norm to that which its scale follows. The node that makes the mapped value is
   then called as a part of its layer: `conv1/Relu`.
2. PyTorch's newer exporter notes modules: a node that is its module's only layer is called as the module.
3. Else a node is called by its own name, or where several share that, by its first output.

Whatever it is called, a layer is found by the module of its weight too (`weight_module`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer_map import MappedLayer, read_layer_map
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import operator_of


class LayerNames:
    """Names and scopes of one graph's nodes."""

    def __init__(self, graph: Graph, kinds: Sequence[str], chain: Callable[[Node], Sequence[str]]) -> None:
        """Name all nodes; `chain` gives the values from a node's output to its act value."""
        self.mapped = read_layer_map(graph.metadata).layers
        self._scopes = [node.scope for node in graph.nodes]
        self._keys = [node.key for node in graph.nodes]
        self._taken = graph.producers.keys() | self._keys
        self._outputs = {spec.name for spec in graph.outputs}
        self._claims = self._claim(graph, kinds, chain) if self.mapped else {}
        self._named = {index: layer for layer, index in self._claims.items()}
        self._layers_in = Counter(
            scope for scope, kind in zip(self._scopes, kinds, strict=True) if scope and kind != "other"
        )
        self._kinds = kinds

    def is_mapped(self, node: Node) -> bool:
        """Return whether the author knew this node as a layer."""
        return node.index in self._named

    def name(self, node: Node) -> str:
        """Return what the node is called."""
        if node.index in self._named:
            return self._named[node.index]
        scope = self._scopes[node.index]
        alone = self._kinds[node.index] != "other" and self._layers_in[scope] == 1 and scope not in self._taken
        return scope if alone else self._part(node) or self._keys[node.index]

    def _part(self, node: Node) -> str:
        """Return what a further node of a mapped layer is called: `conv1/Relu` where conv1 is a convolution's name."""
        layer = self._layer_of(node)
        name = "" if layer is None or layer.path not in self._claims else f"{layer.path}/{node.op}"
        return "" if name in self._taken else name

    def scope(self, node: Node) -> str:
        """Return the module or layer that holds the node."""
        if node.index in self._named:
            return parts_before_last(self._named[node.index])
        layer = self._layer_of(node)
        own = self._scopes[node.index] or parts_before_last(self._keys[node.index])
        return layer.path if layer is not None else own

    def _layer_of(self, node: Node) -> MappedLayer | None:
        """Return the layer of the first mapped value that a node puts out."""
        if not self.mapped:
            return None
        return next((self.mapped[value] for value in node.outputs if value in self.mapped), None)

    def _claim(self, graph: Graph, kinds: Sequence[str], chain: Callable[[Node], Sequence[str]]) -> dict[str, int]:
        claims: dict[str, int] = {}
        for node in graph.nodes:
            if kinds[node.index] != "other":
                values = chain(node)
                first = self._first([*values, *_squeezed(graph, node, kinds, values)], kinds[node.index])
                self._give(claims, node, first)
        for node in graph.nodes:
            if kinds[node.index] == "other":
                self._give(
                    claims, node, next((self.mapped[name] for name in node.outputs if name in self.mapped), None)
                )
        return claims

    def _first(self, values: Sequence[str], kind: str) -> MappedLayer | None:
        found = next(((place, self.mapped[value]) for place, value in enumerate(values) if value in self.mapped), None)
        if found is None or (found[0] and found[1].only_follows and not (kind == "norm" and found[1].is_norm)):
            return None
        return found[1]

    def _give(self, claims: dict[str, int], node: Node, layer: MappedLayer | None) -> None:
        # An output of the model is often called as the layer that makes it: the name then means one thing all the same.
        free = layer is not None and (layer.path not in self._taken or layer.path in {node.key, *self._outputs})
        if layer is not None and free:
            claims.setdefault(layer.path, node.index)


def _squeezed(graph: Graph, node: Node, kinds: Sequence[str], values: Sequence[str]) -> Sequence[str]:
    """Return the value behind the Squeeze that alone follows a global pool: in other frameworks both are one layer."""
    readers = graph.consumers.get(values[-1], ()) if values else ()
    one = kinds[node.index] == "pool" and len(readers) == 1 and readers[0].operator in ("Squeeze", "Reshape", "Flatten")
    return readers[0].outputs[:1] if one else ()


def weight_module(graph: Graph, node: Node) -> str:
    """Return the module whose weight a node reads, as the weight's name tells it: `features.0` of `features.0.weight`.

    A convolution into which an exporter folded the norm behind it is called as the norm, and its weight as before.
    """
    for value in (node.inputs[place] for place in operator_of(node).weights if place < len(node.inputs)):
        name = _stored_name(graph, value) if value and graph.is_constant(value) else ""
        if name:
            return name.rpartition("/" if "/" in name.strip("/") else ".")[0]
    return ""


def _stored_name(graph: Graph, value: str) -> str:
    """Return the name of the initializer that a constant is computed from (by DequantizeLinear, Transpose), or ''."""
    while value not in graph.initializers:
        maker = graph.producers.get(value)
        if maker is None or not maker.inputs:
            return ""
        value = maker.inputs[0]
    return value


def parts_before_last(name: str) -> str:
    """Return the part of a name that says where its bearer lies.

    PyTorch's older exporter repeats a module's path inside its children's: there the module path is returned.

    >>> parts_before_last("/layer1/layer1.0/conv1/Conv"), parts_before_last("a/b/conv"), parts_before_last("conv")
    ('layer1.0.conv1', 'a/b', '')
    """
    before = name.rpartition("/" if "/" in name.strip("/") else ".")[0].strip("/")
    if "." not in before:
        return before
    parts = before.split("/")
    kept = [part for part, child in zip(parts, [*parts[1:], ""], strict=True) if not child.startswith(f"{part}.")]
    return ".".join(kept) if len(kept) < len(parts) else before
