"""`RunPlan`: the pieces of graph that a run takes one after the other, and how each value is fetched from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onnxviz.graph.graph import Graph
from onnxviz.graph.guard import check_bounds
from onnxviz.graph.readout import Reading, read_out
from onnxviz.graph.segments import item_bytes, plan
from onnxviz.layout import TensorSpec
from onnxviz.runtime.executor import Piece


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run: the pieces of graph, and for each output to fetch the value that it stands for."""

    pieces: tuple[Piece, ...]
    readings: Mapping[str, Reading]


def plan_run(graph: Graph, values: Sequence[str], types: Mapping[str, TensorSpec], memory: int) -> RunPlan:
    """Cut a graph to what these values need, in pieces whose maps fit in `memory` bytes.

    There is a piece only where a node makes one of the values; inputs are fetched from none. The sizes in `types`
    decide where the pieces end, but do not go into them: they may be those of another input, and onnxruntime's
    inference of some models fails once the sizes of their inputs are fixed (silero_vad's If).
    """
    readout = read_out(graph, [value for value in values if value in graph.producers], types)
    outputs = list(readout.readings)
    sizes = {name: size for name, spec in readout.types.items() if (size := item_bytes(spec)) is not None}
    segments = plan(readout.graph, outputs, _without_sizes(readout.types), memory, sizes) if outputs else ()
    pieces = tuple(Piece(skeleton_of(part.graph), part.inputs, part.outputs) for part in segments)
    return RunPlan(pieces, readout.readings)


def piece_of(graph: Graph) -> Piece:
    """Return a whole graph as one piece.

    Raises:
        RunError: The model is damaged.
    """
    names = tuple(spec.name for spec in graph.inputs)
    return Piece(skeleton_of(graph), names, tuple(info.name for info in graph.proto.graph.output))


def skeleton_of(graph: Graph) -> bytes:
    """Return a graph for the runtime, which reads its weights from the original file.

    Raises:
        RunError: The model is damaged.
    """
    check_bounds(graph.proto)
    return graph.to_bytes()


def _without_sizes(types: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """Return types with their ranks but no sizes."""
    return {
        name: replace(spec, shape=None if spec.shape is None else (None,) * len(spec.shape))
        for name, spec in types.items()
    }
