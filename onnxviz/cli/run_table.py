"""The table of one run: its layers, where their pictures are, and its classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxviz.cli.terminal import print_table
from onnxviz.layout import shape_text
from onnxviz.results.record import LayerRecord, RunRecord
from onnxviz.words import printable

TITLES = ("layer", "tap", "shape", "range")


def print_run(run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
    """Print a run; one of several is headed by its inputs."""
    if run.directory != ".":
        print(f"\n{printable(', '.join(run.source.values()))}")
    rows = [_row(layer) for layer in layers]
    print_table((*TITLES, f"picture in {folder.as_posix()}"), rows, left=(True,) * 5)
    for found in run.top:
        print(f"{found.value:8.3f}  {printable(found.name)}")


def _row(layer: LayerRecord) -> tuple[str, ...]:
    more = f" (+{len(layer.pictures) - 1})" if len(layer.pictures) > 1 else ""
    ends = f"{layer.range[0]:.4g} .. {layer.range[1]:.4g}"
    return layer.name, layer.tap, shape_text(layer.shape), ends, f"{layer.pictures[0]}{more}"
