"""Where the rows of an overview stand and what they show, as text in its PNG, so that a terminal can show them in turn.

[{"words": "conv1  Conv · 1 x 32 x 112 x 112", "box": [264, 290, 1340, 402], "names": [[0, "mean"], [122, "PCA"]]}]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from onnxviz.draw.arrange import SEQUENCES
from onnxviz.draw.overview.boxes import LABEL, SAMPLES, STRIP, TILE
from onnxviz.draw.overview.row import MapsLook, OverviewRow, VectorLook
from onnxviz.draw.overview.sheet import MEAN, PROJECTION, TILE_STEP, TILES
from onnxviz.words import number_text

ROWS = "Rows"
"""The key of this text."""


def row_places(rows: Sequence[OverviewRow], tops: Sequence[int]) -> str:
    """Return the words, the box (left, top, right, bottom) and the names below it, in pixels from its left, as JSON."""
    return json.dumps([_place(row, top) for row, top in zip(rows, tops, strict=False)])


def _place(row: OverviewRow, top: int) -> dict[str, object]:
    words = f"{row.caption.title}  {row.caption.line}"
    if row.channels:
        words += f"  ·  range {number_text(row.range[0])} .. {number_text(row.range[1])}"
    left, width, height = MEAN, STRIP, TILE
    if row.kind in SEQUENCES and isinstance(row.look, MapsLook):
        left, width = MEAN + LABEL, SAMPLES
    elif isinstance(row.look, MapsLook):
        lines, step = row.look.boxes.lines, row.look.boxes.place(row.look.boxes.columns)[0]
        height = (lines - 1) * step + row.look.boxes.size[0]
    return {"words": words, "box": [left, top, left + width, top + height], "names": list(_names(row))}


def _names(row: OverviewRow) -> Iterator[tuple[int, str]]:
    """Yield what stands below the pictures, each where its picture begins; in one line where they have no columns."""
    look = row.look
    if isinstance(look, VectorLook):
        largest = zip(look.top, look.values, strict=True)
        yield 0, ", ".join(f"{index}: {number_text(value)}" for index, value in largest)
    elif isinstance(look, MapsLook):
        names = [] if row.channels == 1 else ["mean", "PCA"]
        names += map(str, look.top)
        if row.kind in SEQUENCES or not look.boxes.usual or row.channels == 1:
            yield 0, " ".join(names)
            return
        yield from zip((0, PROJECTION - MEAN, *range(TILES - MEAN, STRIP, TILE_STEP)), names, strict=False)
