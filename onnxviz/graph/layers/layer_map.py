"""The layer map: how the author of a converted model called each layer, as the conversion notes it in the metadata.

It is the metadata `onnxviz.layers`: `{"version": 1, "channels": "last", "layers": [{"layer", "class", "tensor",
"value", "layout"}]}`: a layer's path as its author wrote it (`block1/conv`, or a TensorFlow scope), its class or
operator, the tensor it was there, the value that it is here, and that value's layout where the conversion knows it.
`channels` says where the source holds the channels of what no layout is known of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onnxviz.errors import ModelError
from onnxviz.graph.operators.axis_letters import Axes

METADATA_LAYERS = "onnxviz.layers"

_FOLLOWERS = ("relu", "elu", "selu", "activation", "softmax", "sigmoid", "tanh", "softplus", "norm", "dropout")


@dataclass(frozen=True, slots=True)
class MappedLayer:
    """A layer of the author's: its path, its class, and the layout of its value."""

    path: str
    kind: str
    layout: str | None

    @property
    def only_follows(self) -> bool:
        """Whether it is a norm or a nonlinearity of its own, which gives its name to no operator before it."""
        return any(word in self.kind.lower() for word in _FOLLOWERS)

    @property
    def is_norm(self) -> bool:
        """Whether it is a norm, of which a part may be a node of its own."""
        return "norm" in self.kind.lower()


@dataclass(frozen=True, slots=True)
class LayerMap:
    """The layers of the author by value, and whether the source holds channels last."""

    layers: Mapping[str, MappedLayer]
    channels_last: bool = False

    @property
    def axes(self) -> Mapping[str, Axes]:
        """The layouts that are known."""
        return {value: Axes(layer.layout) for value, layer in self.layers.items() if layer.layout is not None}


def read_layer_map(metadata: Mapping[str, str]) -> LayerMap:
    """Return the layers of the author; none where the model has no map.

    Raises:
        ModelError: The map is there and cannot be read.
    """
    text = metadata.get(METADATA_LAYERS)
    if text is None:
        return LayerMap({})
    try:
        written = json.loads(text)
        layers = {_text(entry["value"]): _mapped(entry) for entry in written["layers"]}
        return LayerMap(layers, written.get("channels") == "last")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"the model's metadata {METADATA_LAYERS!r} cannot be read: {error!r}") from None


def _mapped(entry: Mapping[str, Any]) -> MappedLayer:
    layout = entry.get("layout")
    return MappedLayer(_text(entry["layer"]), _text(entry["class"]), None if layout is None else _layout(layout))


def _layout(value: Any) -> str:
    letters = _text(value)
    if not letters.isascii() or not letters.isupper() or len(set(letters)) != len(letters):
        raise ValueError(f"{letters!r} is not a layout")
    return letters


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
