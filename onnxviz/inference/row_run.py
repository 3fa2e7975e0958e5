"""A run that hands out values of every picture as rows: whole, or pooled over their places in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxviz.feed.feed import Feed
from onnxviz.graph.attach import MapShape, Pooling, attach_pooled
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.inference import Inference
from onnxviz.inference.reduction import looked_at
from onnxviz.inference.refusals import LeftOut
from onnxviz.inference.run_plan import skeleton_of
from onnxviz.runtime.executor import Executor, Piece

NO_POOL, MEAN, GREATEST = "none", "mean", "max"
POOLS = (NO_POOL, MEAN, GREATEST)


@dataclass(frozen=True, slots=True)
class LayerRows:
    """A layer whose rows are handed out.

    Attributes:
        choice: what was chosen.
        shape: which of its axes is what, with its sizes for what is fed.
        row: the sizes of one picture's row.
        output: the output to fetch.
        dtype: its own in the model.
    """

    choice: Choice
    shape: MapShape
    row: tuple[int, ...]
    output: str
    dtype: str


@dataclass(frozen=True, slots=True)
class RowRun:
    """The piece of graph to run, and what is fetched from it."""

    piece: Piece
    layers: tuple[LayerRows, ...]


def row_run(
    inference: Inference, choices: Sequence[Choice], fed: Feed, executor: Executor, left_out: LeftOut, *,
    pool: str, dtype: str,
) -> RowRun:  # fmt: skip
    """Return the run that hands out what is chosen, for feeds of these sizes; the model is run once for the layouts.

    Of a model that folds windows of a picture into the batch, a row has an axis of windows before all others; pooled,
    it is pooled over them too. What lies in a Loop, and what has no channels where they are pooled, is `left_out`.

    Args:
        inference, choices, fed, executor, left_out: as of any run.
        pool: one of POOLS.
        dtype: `float32` or `float16`.

    Raises:
        UnsupportedError: Nothing is left.
    """
    found = looked_at(inference, choices, fed, executor, left_out, channels=pool != NO_POOL)
    graph, types = inference.fetchable([choice.value for choice, _, _ in found], fed, executor)
    poolings = [Pooling(choice.value, shape, pool) for choice, _, shape in found]
    graph, outputs = attach_pooled(graph, poolings, types, dtype)
    layers = tuple(
        LayerRows(choice, shape, _row(shape, pool), output, activation.dtype)
        for (choice, activation, shape), output in zip(found, outputs, strict=True)
    )
    piece = Piece(skeleton_of(graph), tuple(spec.name for spec in graph.inputs), tuple(dict.fromkeys(outputs)))
    return RowRun(piece, layers)


def _row(shape: MapShape, pool: str) -> tuple[int, ...]:
    """Return the sizes of a row, from what one picture made."""
    sizes = tuple(size or 0 for size in shape.sizes)
    if pool != NO_POOL:
        return (shape.channels or 0,)
    items = shape.layout.find("N")
    if items < 0:
        return sizes[1:] if not shape.layout and sizes[:1] == (1,) else sizes
    rest = sizes[:items] + sizes[items + 1 :]
    return rest if sizes[items] == 1 else (sizes[items], *rest)
