"""What goes into the model's metadata: which value is which layer, and how the network wants its pixels.

The layer map, under `onnxviz.layers`, is `{"version": 1, "channels": "last", "layers": [{"layer", "class", "tensor",
"value", "layout"}]}`. It names a value once, under the innermost layer that makes it. TensorFlow holds channels last:
`channels` says so of the values that have no layout of their own, unless a layer holds them first.
"""

from __future__ import annotations

import json
import re

from onnx import ModelProto

from .exchange import Kept, KnownPreprocessing
from .loaded import Loaded, channels_come_first, channels_last


def add_layer_map(proto: ModelProto, loaded: Loaded, where: dict[str, Kept]) -> int:
    """Write the layers that are values of the model into its metadata, and return how many there are."""
    made = {name for node in proto.graph.node for name in node.output}
    entries: dict[str, dict[str, str | None]] = {}
    for row in loaded.rows:
        place = where.get(row.tensor) or Kept(value=loaded.renames.get(row.tensor, row.tensor), order=None)
        value, layout = place["value"], _layout_in_onnx(row.layout, place["order"])
        if value in made:
            entry = {"layer": row.layer, "class": row.kind, "tensor": row.tensor, "value": value, "layout": layout}
            entries.setdefault(value, entry)
    first = any(channels_come_first(row.layout) for row in loaded.rows)
    order = {} if first else {"channels": "last"}
    text = json.dumps({"version": 1, **order, "layers": list(entries.values())}, ensure_ascii=False)
    proto.metadata_props.add(key="onnxviz.layers", value=text)
    return len(entries)


def add_preprocessing(proto: ModelProto, loaded: Loaded, known: list[KnownPreprocessing]) -> bool:
    """Write how a network that Keras itself named wants its pixels; return whether it is one of these."""
    name = loaded.facts.get("model", "")
    kinds = {row.kind for row in loaded.rows}
    for entry in known:
        if re.fullmatch(entry["pattern"], name) and (not entry["layers"] or kinds & set(entry["layers"])):
            proto.metadata_props.add(key=entry["key"], value=entry["text"])
            return True
    return False


def _layout_in_onnx(layout: str | None, order: list[int] | None) -> str | None:
    """Return the layout of the ONNX value. An axis that was brought to the front is the channels, whatever `layout` is.

    >>> _layout_in_onnx("NHWC", [0, 2, 3, 1]), _layout_in_onnx(None, [0, 2, 3, 1]), _layout_in_onnx("NHWC", None)
    ('NCHW', 'NCHW', 'NHWC')
    """
    if order is None:
        return layout
    layout = layout or channels_last(len(order))
    if layout is None or len(layout) != len(order):
        return None
    letters = dict(zip(order, layout))
    return "".join(letters[place] for place in range(len(order)))
