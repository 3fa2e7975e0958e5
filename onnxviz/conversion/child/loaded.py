"""What every route makes of its source: one frozen graph with its ends, and the layers that its author knew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Row:
    """A layer: its name as its author wrote it, its class or operator, and the TensorFlow tensor that it makes.

    `layout` is the tensor's layout in TensorFlow where that is known, such as `NHWC`.
    """

    layer: str
    kind: str
    tensor: str
    layout: str | None = None


@dataclass
class Loaded:
    """A frozen graph, its inputs and outputs as tensor names, the names these take in ONNX, and its layers.

    `rows` are empty where nothing but the names of nodes tells the layers.
    """

    graph: Any
    inputs: list[str]
    outputs: list[str]
    renames: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
