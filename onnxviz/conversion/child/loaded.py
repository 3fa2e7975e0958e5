"""What every route makes of its source: a frozen graph, the layers of its author, and which of these stay visible.

With folding only those layers stay visible that the user named, else all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType

from .exchange import Facts, Refusal
from .graph_def import GraphDef
from .graph_nodes import did_you_mean, node_of, tensor_name


@dataclass(frozen=True)
class Row:
    """A layer: its name as its author wrote it, its class or operator, and the TensorFlow tensor that it makes.

    `layout` is the tensor's layout in TensorFlow, such as `NHWC`, where that is known.
    """

    layer: str
    kind: str
    tensor: str
    layout: str | None = None


def channels_last(rank: int | None) -> str | None:
    """Return the layout of a tensor whose last axis holds the channels.

    >>> channels_last(3), channels_last(4), channels_last(None)
    ('NLC', 'NHWC', None)
    """
    return {2: "NC", 3: "NLC", 4: "NHWC", 5: "NDHWC"}.get(rank or 0)


def channels_come_first(layout: str | None) -> bool:
    """Return whether the channels come before space.

    >>> channels_come_first("NCHW"), channels_come_first("NHWC"), channels_come_first("NC")
    (True, False, False)
    """
    return layout is not None and len(layout) > 2 and layout[1] == "C"


@dataclass(frozen=True)
class LiteFile:
    """The file that TensorFlow Lite runs, the one that tf2onnx reads, and the names of its tensors in their order.

    `sources` says for each output of a DEQUANTIZE which tensor it holds as floats, and `rounded` for each output of a
    QUANTIZE what it was before. `between` are tensors that were rounded on the way from layer to layer. `asked` gives
    for an input that says which shape an operator makes the shape that the file notes.
    """

    source: str
    path: str
    names: list[str]
    sources: dict[str, str]
    rounded: dict[str, str]
    between: list[str]
    asked: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class Loaded:
    """A frozen graph, its inputs and outputs as tensor names, the names of these in ONNX, and its layers.

    A TensorFlow Lite model has no graph but a `lite` file, because tf2onnx reads it by itself. `rows` is empty where
    only the names of nodes say what the layers are. Not frozen: a graph holds all weights, and goes as soon as nothing
    needs it.
    """

    graph: GraphDef | None
    inputs: list[str]
    outputs: list[str]
    renames: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    facts: Facts = field(default_factory=lambda: Facts())
    lite: LiteFile | None = None


def chosen(loaded: Loaded, keep: list[str], fold: bool) -> list[str]:
    """Return the tensors to keep, in the graph's order, without the graph's own inputs and outputs.

    Raises:
        Refusal: A name in `keep` is not a layer, node or tensor of the source.
    """
    nodes = [] if loaded.graph is None else list(loaded.graph.node)
    order = {node.name: place for place, node in enumerate(nodes)}
    wanted = [_resolved(loaded, order, name) for name in keep]
    if not fold:
        wanted += [row.tensor for row in loaded.rows] + (loaded.lite.between if loaded.lite else [])
    left_out = {node_of(name) for name in loaded.inputs} | {node.name for node in nodes if node.op == "Const"}
    kept = [name for name in dict.fromkeys(wanted) if name not in loaded.outputs and node_of(name) not in left_out]
    return sorted(kept, key=lambda name: order.get(node_of(name), 0))


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


def _resolved(loaded: Loaded, nodes: dict[str, int], name: str) -> str:
    layers = [row.tensor for row in loaded.rows if row.layer == name or row.layer.endswith(f"/{name}")]
    if layers:
        return layers[-1]
    if node_of(tensor_name(name)) in nodes:
        return tensor_name(name)
    hint = did_you_mean(name, [row.layer for row in loaded.rows] + sorted(nodes))
    raise Refusal(f"there is no layer '{name}' to keep{hint}", "usage")
