"""What every route makes of its source: one frozen graph with its inputs and outputs, and the layers of its author."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType

from .exchange import Facts, Refusal
from .graph_def import GraphDef


@dataclass(frozen=True)
class Row:
    """A layer: its name as its author wrote it, its class or operator, and the TensorFlow tensor that it makes.

    `layout` is the tensor's layout in TensorFlow, such as `NHWC`, where that is known.
    """

    layer: str
    kind: str
    tensor: str
    layout: str | None = None


@dataclass
class Loaded:
    """A frozen graph, its inputs and outputs as tensor names, the names of these in ONNX, and its layers.

    A TensorFlow Lite model has no graph, because tf2onnx reads it by itself. `rows` is empty where only the names of
    nodes say what the layers are. Not frozen: a graph holds all weights, and goes as soon as nothing needs it.
    """

    graph: GraphDef | None
    inputs: list[str]
    outputs: list[str]
    renames: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    facts: Facts = field(default_factory=lambda: Facts())


@contextmanager
def refusing_damage(tensorflow: ModuleType, what: str) -> Iterator[None]:
    """Turn what TensorFlow raises while it restores weights into a Refusal that begins with `what`.

    Raises:
        Refusal: Weights are missing, damaged or cut short.
    """
    try:
        yield
    except (tensorflow.errors.OpError, OSError, IndexError) as error:
        text = " ".join(str(error).split())
        if "Op type not registered" in text:
            raise
        reason = "missing" if "Failed to find any matching files" in text else "damaged or cut short"
        raise Refusal(f"{what} {reason}\ncopy the whole folder again, with all its files") from error
