"""The layer map: which value of the ONNX model is which layer of its author's, with its layout.

It lies in the model's metadata under `onnxviz.layers`: `{"version": 1, "layers": [{"layer", "class", "tensor", "value",
"layout"}]}`. A value stands there once, under the innermost layer that makes it.
"""

from __future__ import annotations

from typing import Any

from .loaded import Loaded
from .strip import Kept


def layer_map(proto: Any, loaded: Loaded, where: dict[str, Kept]) -> list[dict[str, Any]]:
    """Return the entries of the layers that are values of the model."""
    made = {name for node in proto.graph.node for name in node.output}
    entries: dict[str, dict[str, Any]] = {}
    for row in loaded.rows:
        place = where.get(row.tensor) or Kept(loaded.renames.get(row.tensor, row.tensor))
        if place.value not in made:
            continue
        layout = _in_onnx(row.layout, place.order)
        entry = {"layer": row.layer, "class": row.kind, "tensor": row.tensor, "value": place.value, "layout": layout}
        entries.setdefault(place.value, entry)
    return list(entries.values())


def _in_onnx(layout: str | None, order: list[int] | None) -> str | None:
    """Return the layout of the ONNX value; what was brought to the front is a channel, whatever the source says.

    >>> _in_onnx("NHWC", [0, 2, 3, 1]), _in_onnx(None, [0, 2, 3, 1]), _in_onnx("NHWC", None)
    ('NCHW', 'NCHW', 'NHWC')
    """
    if order is None:
        return layout
    if layout is None:
        layout = {3: "NLC", 4: "NHWC", 5: "NDHWC"}.get(len(order))
    if layout is None or len(layout) != len(order):
        return None
    letters = dict(zip(order, layout))
    return "".join(letters[place] for place in range(len(order)))
