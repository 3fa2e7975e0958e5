"""The skeleton of a model: its own bytes, with all tensor data above 1 KiB replaced by a reference to their place.

A reference is ONNX's own for external data: location, offset and length. raw data and packed float and double data
can be referenced where they lie, whatever their alignment; integers in varints are copied. Tensors up to 1 KiB stay
inside: shape inference then sees all that it would see with the weights. So do those in bodies of a file that
onnxruntime would not read them from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PureWindowsPath

from onnxviz.errors import ModelError, NotAModelError
from onnxviz.graph.storage.wire import DELIMITED, Field, Reader, delimited_field, fields, varint_field

INLINE_LIMIT = 1024
"""Bytes of tensor data up to which a tensor stays in the skeleton."""

_DEPTH_LIMIT = 64
_LONGEST_LOCATION = 4096
# A location by which onnxruntime passes addresses of its own memory between its parts; in a file it is an attack.
_MEMORY_ADDRESS = "_ORT_MEM_ADDR_"


@dataclass(frozen=True, slots=True)
class External:
    """The reference of a tensor of the original to its data in another file; `length` is 0 where it is not given."""

    location: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The skeleton's bytes, and the references that the original held already."""

    content: bytes
    external: tuple[External, ...]


def make_skeleton(reader: Reader, own: str, renamed: Mapping[str, str]) -> Skeleton:
    """Return the skeleton of a model whose own location is `own`, its external data's locations renamed.

    Raises:
        ModelError: The file is damaged, or a reference leads out of the model's folder by its text.
        NotAModelError: There is no graph in it.
    """
    writer = _Writer(reader, own, renamed)
    content = writer.model()
    return Skeleton(content, tuple(writer.external))


class _Kind(Enum):
    """The messages of ONNX that can hold tensors which may be referenced in place."""

    MODEL = "model"
    GRAPH = "graph"
    FUNCTION = "function"
    NODE = "node"
    CONSTANT = "constant node"
    ATTRIBUTE = "attribute"
    CONSTANT_ATTRIBUTE = "attribute of a constant node"
    TENSOR = "tensor"


# Numbers of onnx.proto. Kernels of other operators than Constant may not look for the data of their tensors outside.
_INSIDE: Mapping[_Kind, Mapping[int, _Kind]] = {
    _Kind.MODEL: {7: _Kind.GRAPH, 25: _Kind.FUNCTION},
    _Kind.GRAPH: {1: _Kind.NODE, 5: _Kind.TENSOR},
    _Kind.FUNCTION: {7: _Kind.NODE},
    _Kind.NODE: {5: _Kind.ATTRIBUTE},
    _Kind.CONSTANT: {5: _Kind.CONSTANT_ATTRIBUTE},
    _Kind.ATTRIBUTE: {6: _Kind.GRAPH, 11: _Kind.GRAPH},
    _Kind.CONSTANT_ATTRIBUTE: {5: _Kind.TENSOR},
}
_MODEL_GRAPH = 7
_NODE_OP, _NODE_DOMAIN = 4, 7
_TENSOR_TYPE, _TENSOR_RAW, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 2, 9, 13, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
# Packed numbers lie in the file as raw data does; float_data also holds complex numbers, as pairs.
_PACKED_TYPES: Mapping[int, frozenset[int]] = {4: frozenset({1, 14}), 10: frozenset({11, 15})}
_COPIED_DATA = frozenset({5, 6, 7, 11})
_STRING_TYPE = 8


@dataclass(slots=True)
class _Writer:
    """Writes the skeleton: `own` is the location of the file itself, `renamed` those of its own external data."""

    reader: Reader
    own: str
    renamed: Mapping[str, str]
    external: list[External] = field(default_factory=list)

    def model(self) -> bytes:
        graphs = sum(
            top.number == _MODEL_GRAPH and top.wire_type == DELIMITED
            for top in fields(self.reader, 0, self.reader.size)
        )
        if graphs == 0:
            raise NotAModelError("it holds no graph, so it is not an ONNX model")
        if graphs > 1:
            # protobuf merges the two, other readers keep the last: there is no one truth to show.
            raise ModelError(f"it holds {graphs} graph fields where a model has one")
        return self._message(_Kind.MODEL, 0, self.reader.size, 1)

    def _message(self, kind: _Kind, start: int, end: int, depth: int) -> bytes:
        if depth > _DEPTH_LIMIT:
            raise ModelError(f"the file is damaged at byte {start}: messages lie in each other more than 64 deep")
        pieces: list[bytes] = []
        copied = start
        for part in fields(self.reader, start, end):
            inside = _INSIDE[kind].get(part.number) if part.wire_type == DELIMITED else None
            if inside is None or self._as_it_is(part):
                continue
            payload = self._inside(inside, part, depth)
            pieces += self._range(copied, part.start)
            pieces.append(delimited_field(part.number, payload))
            copied = part.end
        pieces += self._range(copied, end)
        return b"".join(pieces)

    def _inside(self, kind: _Kind, part: Field, depth: int) -> bytes:
        if kind is _Kind.TENSOR:
            return self._tensor(part)
        if kind is _Kind.NODE and self._is_constant(part):
            kind = _Kind.CONSTANT
        if kind is _Kind.CONSTANT_ATTRIBUTE and self._tensors_in(part) != 1:
            return self.reader.read(part.payload, part.length)
        if kind is _Kind.ATTRIBUTE and (".." in self.own or self.reader.links > 1):
            # In bodies onnxruntime 1.32 takes any location with two dots for a way out of the folder, and a file with
            # several hard links, as uv and pnpm install them, for an attack.
            return self.reader.read(part.payload, part.length)
        return self._message(kind, part.payload, part.end, depth + 1)

    def _as_it_is(self, part: Field) -> bool:
        """Return whether a field is too small to hold weights, and holds no reference either."""
        return part.length <= INLINE_LIMIT and b"location" not in self.reader.read(part.payload, part.length)

    def _range(self, start: int, end: int) -> list[bytes]:
        return [self.reader.read(start, end - start)] if end > start else []

    def _is_constant(self, node: Field) -> bool:
        op, domain = b"", b""
        for part in fields(self.reader, node.payload, node.end):
            if part.wire_type == DELIMITED and part.length <= len(b"Constant"):
                if part.number == _NODE_OP:
                    op = self.reader.read(part.payload, part.length)
                elif part.number == _NODE_DOMAIN:
                    domain = self.reader.read(part.payload, part.length)
            elif part.number in (_NODE_OP, _NODE_DOMAIN):
                return False
        return op == b"Constant" and domain in (b"", b"ai.onnx")

    def _tensors_in(self, attribute: Field) -> int:
        return sum(part.number == 5 for part in fields(self.reader, attribute.payload, attribute.end))

    def _tensor(self, tensor: Field) -> bytes:
        """Return a tensor with its data referenced, or as it is where they are small, not raw or outside already."""
        data: Field | None = None
        element_type, outside, entries, plain = 0, False, False, True
        for part in fields(self.reader, tensor.payload, tensor.end):
            if part.number == _TENSOR_RAW or part.number in _PACKED_TYPES:
                plain = plain and data is None and part.wire_type == DELIMITED
                data = part
            elif part.number in _COPIED_DATA:
                plain = False
            elif part.number == _TENSOR_TYPE:
                element_type = part.value
            elif part.number == _TENSOR_EXTERNAL:
                entries = True
            elif part.number == _TENSOR_LOCATION:
                outside = part.value == 1
        if outside:
            return self._moved(tensor)
        if data is None or entries or not plain or not _referable(data, element_type):
            return self.reader.read(tensor.payload, tensor.length)
        return b"".join(
            [
                *self._range(tensor.payload, data.start),
                *self._range(data.end, tensor.end),
                _entry("location", self.own),
                _entry("offset", str(data.payload)),
                _entry("length", str(data.length)),
                varint_field(_TENSOR_LOCATION, 1),
            ]
        )

    def _moved(self, tensor: Field) -> bytes:
        """Return a tensor whose data lie outside, its location made relative to the common folder."""
        pieces: list[bytes] = []
        entries: dict[str, str] = {}
        for part in fields(self.reader, tensor.payload, tensor.end):
            if part.number == _TENSOR_EXTERNAL and part.wire_type == DELIMITED:
                key, value = self._read_entry(part)
                entries[key] = value
            elif part.number != _TENSOR_RAW:
                pieces.append(self.reader.read(part.start, part.end - part.start))
        external = _checked(entries)
        self.external.append(external)
        entries["location"] = self.renamed.get(external.location, external.location)
        return b"".join([*pieces, *(_entry(key, value) for key, value in entries.items())])

    def _read_entry(self, entry: Field) -> tuple[str, str]:
        texts = {_ENTRY_KEY: b"", _ENTRY_VALUE: b""}
        for part in fields(self.reader, entry.payload, entry.end):
            if part.number in texts and part.wire_type == DELIMITED:
                texts[part.number] = self.reader.read(part.payload, part.length)
        try:
            return texts[_ENTRY_KEY].decode(), texts[_ENTRY_VALUE].decode()
        except UnicodeDecodeError:
            raise ModelError(f"the file is damaged at byte {entry.start}: a location is not valid UTF-8 text") from None


def _referable(data: Field, element_type: int) -> bool:
    if data.length <= INLINE_LIMIT or element_type == _STRING_TYPE:
        return False
    return data.number == _TENSOR_RAW or element_type in _PACKED_TYPES[data.number]


def _entry(key: str, value: str) -> bytes:
    entry = delimited_field(_ENTRY_KEY, key.encode()) + delimited_field(_ENTRY_VALUE, value.encode())
    return delimited_field(_TENSOR_EXTERNAL, entry)


def _checked(entries: Mapping[str, str]) -> External:
    """Return the reference, if it is one that stays in the model's folder by its text."""
    location = entries.get("location", "")
    steps = location.replace("\\", "/").split("/")
    if not location or "\0" in location or _MEMORY_ADDRESS in location or len(location) > _LONGEST_LOCATION:
        raise ModelError(f"its external data have a location that is not a file: {location[:80]!r}")
    if steps[0] == "" or PureWindowsPath(location).drive or ".." in steps:
        raise ModelError(f"its external data lie outside the model's folder: {location!r}; such a model is not opened")
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or -1)
    except ValueError:
        raise ModelError(f"its external data in {location!r} have an offset or length that is not a number") from None
    if offset < 0 or length < -1:
        raise ModelError(f"its external data in {location!r} have a negative offset or length")
    return External(location, offset, max(length, 0))
