"""Attributes of a node as plain Python values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnx import AttributeProto

MALFORMED = (LookupError, ValueError)
"""What comes of reading a node that breaks its operator's definition: an input, an output or an axis that is not there,
an attribute of another type or size. Of such a node nothing is known; its model can be listed all the same."""


def attribute_value(attribute: AttributeProto, default: Any) -> Any:
    """Return an attribute as str, int, float or a tuple of these; tensors and graphs as they are in the file.

    The default stands for one that refers to an argument of the function around it.
    """
    if attribute.ref_attr_name:
        return default
    kind = attribute.type or _undeclared_kind(attribute)
    read = _ATTRIBUTE_READERS.get(kind)
    return default if read is None else read(attribute)


def _undeclared_kind(attribute: AttributeProto) -> int:
    """Return the type of an attribute from a file of the first IR version, which does not write it down."""
    present = (descriptor.name for descriptor, _ in attribute.ListFields())
    return next((_FIRST_VERSION_KINDS[name] for name in present if name in _FIRST_VERSION_KINDS), 0)


_FIRST_VERSION_KINDS: Mapping[str, int] = {
    "f": AttributeProto.FLOAT,
    "i": AttributeProto.INT,
    "s": AttributeProto.STRING,
    "t": AttributeProto.TENSOR,
    "floats": AttributeProto.FLOATS,
    "ints": AttributeProto.INTS,
    "strings": AttributeProto.STRINGS,
}


_ATTRIBUTE_READERS: Mapping[int, Any] = {
    AttributeProto.FLOAT: lambda attribute: attribute.f,
    AttributeProto.INT: lambda attribute: attribute.i,
    AttributeProto.STRING: lambda attribute: attribute.s.decode("utf-8", "replace"),
    AttributeProto.TENSOR: lambda attribute: attribute.t,
    AttributeProto.GRAPH: lambda attribute: attribute.g,
    AttributeProto.SPARSE_TENSOR: lambda attribute: attribute.sparse_tensor,
    AttributeProto.TYPE_PROTO: lambda attribute: attribute.tp,
    AttributeProto.FLOATS: lambda attribute: tuple(attribute.floats),
    AttributeProto.INTS: lambda attribute: tuple(attribute.ints),
    AttributeProto.STRINGS: lambda attribute: tuple(text.decode("utf-8", "replace") for text in attribute.strings),
    AttributeProto.TENSORS: lambda attribute: tuple(attribute.tensors),
    AttributeProto.GRAPHS: lambda attribute: tuple(attribute.graphs),
    AttributeProto.SPARSE_TENSORS: lambda attribute: tuple(attribute.sparse_tensors),
    AttributeProto.TYPE_PROTOS: lambda attribute: tuple(attribute.type_protos),
}
