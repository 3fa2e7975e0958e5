"""Text in a model: checked to be text at all, and quoted in errors so that it harms no terminal."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from onnxviz.errors import ModelError

_LONGEST_SHOWN = 120
_DEPTH_LIMIT = 64


def check_texts(message: Message, depth: int = 1) -> None:
    """Refuse text that is no UTF-8: protobuf for Python hands it out as bytes, onnx and onnxruntime fail on it late."""
    if depth > _DEPTH_LIMIT:
        raise ModelError("the model cannot be read: its messages are nested too deeply")
    for descriptor, value in message.ListFields():
        if descriptor.type == FieldDescriptor.TYPE_STRING:
            texts = (value,) if isinstance(value, str | bytes) else value
            for text in texts:
                if not isinstance(text, str):
                    raise ModelError(f"a text in the model ({descriptor.full_name}) is no valid UTF-8: {text[:60]!r}")
        elif descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            for part in (value,) if isinstance(value, Message) else value:
                check_texts(part, depth + 1)


def quoted(name: str) -> str:
    """Return a name as an error shows it: control characters escaped, cut where it is absurdly long."""
    return repr(name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…")
