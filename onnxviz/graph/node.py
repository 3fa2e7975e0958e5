"""A node: one operator call, with its attributes read as the types that they must have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import onnx

from onnxviz.graph.attributes import attribute_value

DEFAULT_DOMAINS = ("", "ai.onnx")
STANDARD_DOMAINS = (*DEFAULT_DOMAINS, "com.microsoft")
"""ONNX's own domain by both its names, and onnxruntime's."""

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator call.

    Attributes:
        index: its place in the graph.
        name: as the file has it, often empty.
        op: the operator's name as the file has it, whoever defines it.
        domain: who does: empty for ONNX, else such as `com.microsoft`.
        captured: the outer values that the bodies of an If, Loop or Scan read.
        is_call: whether the node calls a function of the model, whatever operator has the same name.
        has_own_name: whether no other node is called by its name.
    """

    index: int
    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    captured: tuple[str, ...]
    proto: onnx.NodeProto
    is_call: bool = False
    has_own_name: bool = True

    @property
    def operator(self) -> str:
        """The operator of ONNX or onnxruntime that the node calls; empty for a custom one and for a function."""
        return "" if self.is_call or self.domain not in STANDARD_DOMAINS else self.op

    @property
    def key(self) -> str:
        """The node's name if no other node is called by it, else its first output."""
        if self.name and self.has_own_name:
            return self.name
        return next((output for output in self.outputs if output), self.name or f"#{self.index}")

    @property
    def reads(self) -> tuple[str, ...]:
        """All values that the node needs, each once: its inputs and what its bodies capture."""
        return tuple(dict.fromkeys(value for value in (*self.inputs, *self.captured) if value))

    @property
    def scope(self) -> str:
        """The module path that PyTorch's newer exporter writes, such as `layer1.0.conv1`, or an empty text."""
        for entry in self.proto.metadata_props:
            if entry.key == _SCOPES_KEY:
                return _module_path(entry.value)
        return ""

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute as str, int, float or a tuple of these; tensors and graphs as they are in the file."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return attribute_value(attribute, default)
        return default

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number.

        Raises:
            ValueError: It is anything else.
        """
        found = self.attribute(name, default)
        if not isinstance(found, int):
            raise ValueError(f"the attribute {name!r} is {found!r}, not a whole number")
        return found

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Return an attribute that is a list of whole numbers, None where it is left out.

        Raises:
            ValueError: It is anything else.
        """
        found = self.attribute(name)
        if found is not None and not (isinstance(found, tuple) and all(isinstance(number, int) for number in found)):
            raise ValueError(f"the attribute {name!r} is {found!r}, not a list of whole numbers")
        return found

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a text.

        Raises:
            ValueError: It is anything else.
        """
        found = self.attribute(name, default)
        if not isinstance(found, str):
            raise ValueError(f"the attribute {name!r} is {found!r}, not a text")
        return found


def _module_path(scopes: str) -> str:
    """Return the module path in a text such as "['', 'layer1', 'layer1.0', 'conv2d']", whose last part is the call."""
    path = ""
    parts = [first or second for first, second in re.findall(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", scopes)]
    for part in parts[:-1]:
        # Each part repeats the path to it; a part that does not is one level below.
        path = part if not path or part.startswith(path + ".") else f"{path}.{part}" if part else path
    return path
