"""A model as nodes and values: by name, in topological order, checked once and never changed after.

What a Graph holds is the skeleton of a model (see model_file.py), so that a graph of any size is a few hundred kB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Self

import numpy
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto

from onnxviz.errors import ModelError
from onnxviz.graph.carrying import CARRYING
from onnxviz.graph.constants import Stored, array_of, constant_of, dims_of
from onnxviz.graph.node import DEFAULT_DOMAINS, Node
from onnxviz.graph.topology import FunctionKey, bodies, captured_values, function_key, sorted_model
from onnxviz.layout import Dimension, TensorSpec, dtype_text
from onnxviz.words import quoted

_LARGEST_DIMENSION = 1 << 40
_DEEPEST_MESSAGE = 64
RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
"""Operators that give other values in each run."""


class Graph:
    """A model's top-level graph. Nothing in it is to be changed: rewrites make a new Graph from a copied proto.

    Attributes:
        inside: in words what holds the nodes that make values inside; of a graph that was laid flat (unfold.py).
        synonyms: what else the values of a flat graph are called, such as by the name of a call that puts them out.
    """

    inside: Mapping[str, str] = MappingProxyType({})
    synonyms: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, proto: onnx.ModelProto) -> None:
        if not proto.HasField("graph"):
            raise ModelError("the file holds no graph: no network is in it")
        self._check(proto)
        self._build(sorted_model(proto))

    def _check(self, proto: onnx.ModelProto) -> None:
        _check_texts(proto)

    def with_nodes(self, nodes: Iterable[onnx.NodeProto]) -> Self:
        """Return this graph with other nodes; what is said of values inside stays."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.proto)
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
        graph = copy(self)
        for kind in type(self).__mro__:
            for name in [name for name, held in vars(kind).items() if isinstance(held, cached_property)]:
                graph.__dict__.pop(name, None)
        graph._build(sorted_model(proto))
        return graph

    @classmethod
    def from_bytes(cls, skeleton: bytes) -> Graph:
        """Parse a model's bytes, weights or no weights in them.

        Raises:
            ModelError: The bytes are damaged, hold no graph, or the graph is not sound (a cycle, a value made
                twice or by nothing, a name that is not text).
        """
        try:
            proto = onnx.ModelProto.FromString(skeleton)
        except DecodeError as error:
            reason = "its messages are nested too deeply" if "MaxDepth" in str(error) else str(error)
            raise ModelError(f"the model cannot be parsed: {reason}") from None
        return cls(proto)

    @classmethod
    def from_proto(cls, proto: onnx.ModelProto) -> Graph:
        """Take a model as it is; nodes that are out of order are sorted in a copy."""
        return cls(proto)

    @classmethod
    def from_checked(cls, proto: onnx.ModelProto) -> Graph:
        """Take a model that was made of a Graph's: its texts were checked, which takes a third of this."""
        graph = cls.__new__(cls)
        graph._build(sorted_model(proto))
        return graph

    def to_bytes(self) -> bytes:
        """Return the graph as the bytes of a model."""
        return bytes(self.proto.SerializeToString())

    def constant(self, value: str) -> numpy.ndarray[Any, Any] | None:
        """Return the array of an initializer or Constant; None where it is computed or its data is outside."""
        stored = self._stored(value)
        try:
            return None if stored is None else array_of(stored)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ModelError(f"the data of {quoted(value)} does not fill its shape and type: {error}") from None

    def dims(self, value: str) -> tuple[int, ...] | None:
        """Return the shape of an initializer or Constant, wherever its data lies."""
        stored = self._stored(value)
        return None if stored is None else dims_of(stored)

    @cached_property
    def weights(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of all initializers by their names, sparse ones included."""
        stored: Mapping[str, Stored] = {**self.initializers, **self._sparse}
        return {name: dims_of(tensor) for name, tensor in stored.items()}

    def named_inside(self, name: str) -> Sequence[str]:
        """Return the paths of what is called so in functions and bodies; of a graph that was laid flat."""
        return ()

    def is_constant(self, value: str) -> bool:
        """Return whether a value is computed from initializers and Constants alone, whatever the inputs."""
        return value in self._constants

    @cached_property
    def _constants(self) -> frozenset[str]:
        known = set(self.weights)
        for node in self.nodes:
            given = [value for value in node.inputs if value]
            if node.operator == "Constant" or (given and known.issuperset(given) and not _is_opaque(node)):
                known.update(output for output in node.outputs if output)
        return frozenset(known)

    def _stored(self, value: str) -> Stored | None:
        seen: set[str] = set()
        while value not in seen:
            seen.add(value)
            if value in self.initializers:
                return self.initializers[value]
            if value in self._sparse:
                return self._sparse[value]
            node = self.producers.get(value)
            if node is None:
                return None
            if node.operator == "Constant":
                return constant_of(node.proto)
            if node.operator != "Identity" or not node.inputs:
                return None
            value = node.inputs[0]
        return None

    def _build(self, proto: onnx.ModelProto) -> None:
        graph = proto.graph
        self.proto = proto
        self.metadata: Mapping[str, str] = {entry.key: entry.value for entry in proto.metadata_props}
        self.opset: int = next((entry.version for entry in proto.opset_import if entry.domain in DEFAULT_DOMAINS), 1)
        self.functions: Mapping[FunctionKey, onnx.FunctionProto] = {
            function_key(function): function for function in proto.functions if function.domain != CARRYING
        }
        self.initializers: Mapping[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        self._sparse: Mapping[str, onnx.SparseTensorProto] = {
            tensor.values.name: tensor for tensor in graph.sparse_initializer
        }
        inputs = (tensor_spec(info) for info in graph.input)
        self.inputs: tuple[TensorSpec, ...] = tuple(
            spec for spec in inputs if spec.name not in self.initializers and spec.name not in self._sparse
        )
        self.outputs: tuple[TensorSpec, ...] = tuple(tensor_spec(info) for info in graph.output)
        named = _with_own_names(graph.node)
        self.nodes: tuple[Node, ...] = tuple(
            _node(index, node, is_call=function_key(node) in self.functions, has_own_name=index in named)
            for index, node in enumerate(graph.node)
        )
        self.producers: Mapping[str, Node] = self._find_producers()
        self.consumers: Mapping[str, tuple[Node, ...]] = self._find_consumers()
        for output in self.outputs:
            if output.name not in self.producers and output.name not in self._given():
                raise ModelError(f"nothing in the graph makes its output {quoted(output.name)}: the model is damaged")
        if not self.nodes and not self.outputs:
            raise ModelError("the graph is empty: it has no nodes and no outputs")

    def _given(self) -> frozenset[str]:
        return frozenset({*(spec.name for spec in self.inputs), *self.weights})

    def _find_producers(self) -> dict[str, Node]:
        return {output: node for node in self.nodes for output in node.outputs if output}

    def _find_consumers(self) -> dict[str, tuple[Node, ...]]:
        given = self._given()
        consumers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for value in node.reads:
                if value not in self.producers and value not in given:
                    raise ModelError(
                        f"the node {quoted(node.key)} reads {quoted(value)}, which nothing in the graph makes"
                    )
                consumers.setdefault(value, []).append(node)
        return {value: tuple(nodes) for value, nodes in consumers.items()}


def _is_opaque(node: Node) -> bool:
    """Return whether a node may make other values in each run though it reads the same."""
    return node.op in RANDOM or bool(node.captured) or node.is_call or bool(bodies(node.proto))


def _check_texts(message: Message, depth: int = 1) -> None:
    """Refuse text that is not UTF-8: protobuf for Python gives it as bytes, and onnx and onnxruntime fail late."""
    if depth > _DEEPEST_MESSAGE:
        raise ModelError("the model cannot be read: its messages are nested too deeply")
    for descriptor, value in message.ListFields():
        if descriptor.type == FieldDescriptor.TYPE_STRING:
            texts = (value,) if isinstance(value, str | bytes) else value
            for text in texts:
                if not isinstance(text, str):
                    raise ModelError(f"a text in the model ({descriptor.full_name}) is not valid UTF-8: {text[:60]!r}")
        elif descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            for part in (value,) if isinstance(value, Message) else value:
                _check_texts(part, depth + 1)


def tensor_spec(info: onnx.ValueInfoProto) -> TensorSpec:
    """Return what a value's declaration says; sizes that are negative or absurd count as unknown."""
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        return TensorSpec(info.name)
    tensor = info.type.tensor_type
    shape = tuple(_dimension(dim) for dim in tensor.shape.dim) if tensor.HasField("shape") else None
    return TensorSpec(info.name, dtype_name(tensor.elem_type), shape)


def type_words(kind: onnx.TypeProto) -> str:
    """Return an ONNX type in a user's words, `?` for what is not known of it.

    >>> type_words(onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(1, None)))
    'sequence of float32'
    """
    match kind.WhichOneof("value"):
        case "tensor_type":
            return dtype_text(dtype_name(kind.tensor_type.elem_type))
        case "sparse_tensor_type":
            return f"sparse {dtype_text(dtype_name(kind.sparse_tensor_type.elem_type))}"
        case "sequence_type":
            return f"sequence of {type_words(kind.sequence_type.elem_type)}"
        case "optional_type":
            return f"optional {type_words(kind.optional_type.elem_type)}"
        case "map_type":
            key = dtype_text(dtype_name(kind.map_type.key_type))
            return f"map from {key} to {type_words(kind.map_type.value_type)}"
    return "?"


@lru_cache
def dtype_name(element_type: int) -> str | None:
    """Return numpy's name of an ONNX element type, such as `float32`; None where there is none."""
    try:
        return onnx.helper.tensor_dtype_to_np_dtype(element_type).name
    except (KeyError, ValueError):
        return None


def _dimension(dim: onnx.TensorShapeProto.Dimension) -> Dimension:
    if dim.HasField("dim_value"):
        # Paddle writes -1 for a size that it does not know.
        return dim.dim_value if 0 <= dim.dim_value < _LARGEST_DIMENSION else None
    return dim.dim_param or None


def _with_own_names(nodes: Sequence[onnx.NodeProto]) -> frozenset[int]:
    """Return the places of the nodes whose name is neither another's nor the output by which another is called."""
    names = Counter(node.name for node in nodes)
    called = {
        node.output[0]: place
        for place, node in enumerate(nodes)
        if names[node.name] > 1 or not node.name
        if node.output
    }
    return frozenset(
        place
        for place, node in enumerate(nodes)
        if node.name and names[node.name] == 1 and called.get(node.name, place) == place
    )


def _node(index: int, proto: onnx.NodeProto, *, is_call: bool, has_own_name: bool) -> Node:
    return Node(
        index=index,
        name=proto.name,
        op=proto.op_type,
        domain=proto.domain,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        captured=captured_values(proto),
        proto=proto,
        is_call=is_call,
        has_own_name=has_own_name,
    )
