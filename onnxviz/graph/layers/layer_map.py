"""The layer map that a conversion leaves in a model's metadata: which value is which layer of its author's.

`onnxviz.layers` holds `{"version": 1, "layers": [{"layer", "class", "tensor", "value", "layout"}]}`: a layer's path as
its author wrote it (`block1/conv`, or a TensorFlow scope), its class or operator, the tensor it was there, the value
that it is here, and that value's layout where the conversion knows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onnxviz.errors import ModelError

METADATA_LAYERS = "onnxviz.layers"


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


_FOLLOWERS = ("relu", "elu", "selu", "activation", "softmax", "sigmoid", "tanh", "softplus", "norm", "dropout")


def read_layer_map(metadata: Mapping[str, str]) -> Mapping[str, MappedLayer]:
    """Return the layers of the author by value; empty where the model has no map.

    Raises:
        ModelError: The map is there and cannot be read.
    """
    text = metadata.get(METADATA_LAYERS)
    if text is None:
        return {}
    try:
        entries = json.loads(text)["layers"]
        return {_text(entry["value"]): _mapped(entry) for entry in entries}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"the model's metadata {METADATA_LAYERS!r} cannot be read: {error!r}") from None


def _mapped(entry: Mapping[str, Any]) -> MappedLayer:
    layout = entry.get("layout")
    return MappedLayer(_text(entry["layer"]), _text(entry["class"]), None if layout is None else _layout(layout))


def _layout(value: Any) -> str:
    letters = _text(value)
    if not letters.isascii() or not letters.isupper() or len(set(letters)) != len(letters):
        raise ValueError(f"{letters!r} is no layout")
    return letters


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
