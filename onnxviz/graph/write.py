"""Write a graph as a file: standalone, with all weights in it, or linked, with the weights left where they are.

The graph in hand is a skeleton, whose large tensors are references into the model's files. A standalone file is its
protobuf with each reference replaced by the bytes it names, copied straight from file to file; since protobuf puts
a message's length before it, all lengths are added up first. Element types that the original kept in a packed field
of their own (`float_data`) become `raw_data`: the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import Message

from onnxviz.errors import ModelError, OutputError
from onnxviz.files import check_space, copy_range, writing
from onnxviz.graph.graph import Graph
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.storage.wire import DELIMITED, encode_varint

LINK_FILE = "onnxviz.linked.file"
LINK_SIZE = "onnxviz.linked.size"
LINK_DIGEST = "onnxviz.linked.sha256"

LARGEST = (1 << 31) - 1
"""Bytes that protobuf takes as one message: onnx and onnxruntime read no larger file."""

_HOLD_TENSORS = frozenset(
    f"{kind}Proto"
    for kind in ("Model", "Graph", "Node", "Attribute", "Tensor", "SparseTensor", "Function", "TrainingInfo")
)


def write_standalone(graph: Graph, file: ModelFile, path: Path, *, force: bool) -> None:
    """Write a file that needs no other: the graph with its weights, byte for byte those of the model's files.

    Raises:
        OutputError: `path` exists and `force` is not set, is a file that the model is read from (force or no force),
            cannot be written, or would be larger than 2 GB.
        ModelError: the model's files changed since they were opened.
    """
    file.check_apart(path)
    file.check_complete()
    proto = _with_link(graph.proto, {})
    _complete_lengths(proto, file.folder)
    pieces = _pieces(proto)
    size = sum(len(piece) for piece in pieces)
    if size > LARGEST and file.size <= LARGEST:
        raise OutputError(
            f"a standalone file of {size / 1e9:.1f} GB could not be read again: protobuf ends at 2 GB\n"
            "--linked leaves the weights where they are, --only keeps what the chosen layers need"
        )
    file.check_unchanged()
    with ExitStack() as opened, writing(path, force=force) as target:
        check_space(path, size)
        sources: dict[str, int] = {}
        for piece in pieces:
            if isinstance(piece, bytes):
                target.write(piece)
                continue
            if piece.location not in sources:
                sources[piece.location] = _open(file.folder / piece.location, opened)
            copy_range(sources[piece.location], target, piece.offset, piece.length)
        file.check_unchanged()


def write_linked(graph: Graph, file: ModelFile, path: Path, *, force: bool) -> None:
    """Write a file of some kB whose weights are read from the original's files.

    onnxruntime and the checker follow such references only into the file's own folder and below, so the original
    must lie there. The new file's metadata holds the original's name, size and fingerprint, for `check_link`.

    Raises:
        OutputError: the original lies elsewhere, or `path` cannot be written or is a file that the model is read from.
        ModelError: the original changed since it was opened.
    """
    base = Path(os.path.realpath(path.parent))
    link = _link(graph, file, base)
    proto = _with_link(graph.proto, link)
    file.check_apart(path, base / link[LINK_FILE])
    for tensor in _references(proto):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = _below(file.folder / entry.value, base)
    file.check_unchanged()
    with writing(path, force=force) as target:
        target.write(proto.SerializeToString())


def check_link(graph: Graph, folder: Path) -> None:
    """Check that the original of a linked file is what it was; does nothing for a graph that is not linked.

    Args:
        graph: the graph of the linked file.
        folder: the folder that the linked file lies in.

    Raises:
        ModelError: the original is missing or changed.
    """
    if LINK_FILE not in graph.metadata:
        return
    name = graph.metadata[LINK_FILE]
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ModelError(f"the file is linked to {name!r}, outside its folder: such a link is not followed")
    original = folder / name
    if not original.is_file():
        raise ModelError(f"the file is linked to {original}, which holds its weights and is missing")
    same_size = str(original.stat().st_size) == graph.metadata.get(LINK_SIZE)
    if not same_size or _digest(ModelFile.open(original)) != graph.metadata.get(LINK_DIGEST):
        raise ModelError(
            f"the file is linked to {original}, which has changed since: its weights may be others\n"
            "make it anew with: onnxviz expose --linked"
        )


@dataclass(frozen=True, slots=True)
class _Weights:
    """Bytes of a file that stand for themselves in what is written."""

    location: str
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


_Written = bytes | _Weights


def _pieces(message: Message) -> list[_Written]:
    """Return a message as what it serializes to, with each tensor's reference replaced by the place it names.

    Fields may stand in any order, so those that hold references come last, in their own order.
    """
    if isinstance(message, onnx.TensorProto) and message.data_location == onnx.TensorProto.EXTERNAL:
        return _tensor_pieces(message)
    rest = type(message)()
    rest.CopyFrom(message)
    heavy: list[_Written] = []
    for number, name, inner in _holders(message):
        if any(True for _ in _references(*inner)):
            rest.ClearField(name)
            for part in inner:
                pieces = _pieces(part)
                heavy += [_head(number, sum(len(piece) for piece in pieces)), *pieces]
    return [rest.SerializeToString(), *heavy]


def _tensor_pieces(tensor: onnx.TensorProto) -> list[_Written]:
    weights = _weights(tensor)
    rest = onnx.TensorProto()
    rest.CopyFrom(tensor)
    rest.ClearField("external_data")
    rest.ClearField("data_location")
    return [rest.SerializeToString() + _head(onnx.TensorProto.RAW_DATA_FIELD_NUMBER, len(weights)), weights]


def _references(*messages: Message) -> Iterator[onnx.TensorProto]:
    """Yield all tensors within the messages whose data lies in a file."""
    for message in messages:
        if isinstance(message, onnx.TensorProto):
            if message.data_location == onnx.TensorProto.EXTERNAL:
                yield message
            continue
        for _, _, inner in _holders(message):
            yield from _references(*inner)


def _holders(message: Message) -> Iterator[tuple[int, str, Sequence[Message]]]:
    """Yield number, name and messages of each field that can hold tensors."""
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.name in _HOLD_TENSORS:
            yield field.number, field.name, [value] if isinstance(value, Message) else list(value)


def _weights(tensor: onnx.TensorProto) -> _Weights:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    return _Weights(entries["location"], int(entries.get("offset") or 0), int(entries["length"]))


def _complete_lengths(proto: onnx.ModelProto, folder: Path) -> None:
    """Write the length of each reference that leaves it out and thereby means the rest of its file."""
    for tensor in _references(proto):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if not entries.get("length"):
            size = (folder / entries["location"]).stat().st_size
            tensor.external_data.add(key="length", value=str(size - int(entries.get("offset") or 0)))


def _head(number: int, length: int) -> bytes:
    """Return what stands before the payload of a field that holds a message or bytes."""
    return encode_varint(number << 3 | DELIMITED) + encode_varint(length)


def _open(source: Path, opened: ExitStack) -> int:
    try:
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise ModelError(f"cannot read the weights in {source}: {(error.strerror or str(error)).lower()}") from error
    opened.callback(os.close, descriptor)
    return descriptor


def _link(graph: Graph, file: ModelFile, base: Path) -> dict[str, str]:
    """Return the metadata that ties a linked file in `base` to its original.

    The original of a linked file that is exposed again is the file that holds the weights, not the one between.
    """
    here = Path(os.path.realpath(file.path.parent))
    if LINK_FILE in graph.metadata:
        size, digest = graph.metadata.get(LINK_SIZE, ""), graph.metadata.get(LINK_DIGEST, "")
        return {LINK_FILE: _below(here / graph.metadata[LINK_FILE], base), LINK_SIZE: size, LINK_DIGEST: digest}
    original, digest = here / file.path.name, _digest(file)
    if original.is_symlink() and not original.is_relative_to(base):
        original = Path(os.path.realpath(original))
        # Opened by this name, its external data may not be found, and the skeleton is another one.
        digest = _digest(ModelFile.open(original))
    return {LINK_FILE: _below(original, base), LINK_SIZE: str(file.size), LINK_DIGEST: digest}


def _digest(file: ModelFile) -> str:
    import hashlib

    return hashlib.sha256(file.skeleton).hexdigest()


def _with_link(source: onnx.ModelProto, link: dict[str, str]) -> onnx.ModelProto:
    """Copy a model with these entries instead of the link that it may have."""
    proto = onnx.ModelProto()
    proto.CopyFrom(source)
    own = [entry for entry in source.metadata_props if entry.key not in {LINK_FILE, LINK_SIZE, LINK_DIGEST}]
    del proto.metadata_props[:]
    proto.metadata_props.extend(own)
    for key, value in link.items():
        proto.metadata_props.add(key=key, value=value)
    return proto


def _below(source: Path, base: Path) -> str:
    """Return the place of a file from a folder that holds it, with forward slashes."""
    try:
        return source.relative_to(base).as_posix()
    except ValueError:
        raise OutputError(
            f"a linked file must lie beside its weights or in a folder above them, as {source.parent}\n"
            "write it there, or leave out --linked for a standalone file"
        ) from None
