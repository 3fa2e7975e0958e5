"""Which tensor each Keras layer makes, recorded while a model is traced: its names are lost in the graph.

Keras 3 traces a model into scopes such as `model_1/conv_1`. No rule can take the `_1` off again, because layers have
such names too. So `Layer.__call__` is wrapped for the time of one trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ..loaded import Row

_SPATIAL = ("Conv", "Pooling", "UpSampling", "ZeroPadding", "Cropping", "BatchNormalization", "GroupNormalization")


@contextmanager
def recorded(tensorflow: ModuleType, keras: ModuleType) -> Iterator[list[Row]]:
    """Give a list that fills with a row for each layer called in a trace, inner layers first.

    A layer that is called again gets `@2` behind its name, its second output `:1`.
    """
    rows: list[Row] = []
    calls: dict[str, int] = {}
    within: list[str] = []
    layer_class = keras.layers.Layer
    original = layer_class.__call__

    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        within.append(self.name)
        path = "/".join(within)
        try:
            result = original(self, *arguments, **options)
        finally:
            within.pop()
        made = [] if tensorflow.executing_eagerly() else tensorflow.nest.flatten(result)
        symbols = [tensor for tensor in made if isinstance(tensor, tensorflow.Tensor) and hasattr(tensor, "graph")]
        if symbols:
            calls[path] = calls.get(path, 0) + 1
            name = path if calls[path] == 1 else f"{path}@{calls[path]}"
            for place, tensor in enumerate(symbols):
                rows.append(
                    Row(f"{name}:{place}" if place else name, type(self).__name__, tensor.name, _layout(self, tensor))
                )
        return result

    layer_class.__call__ = call
    try:
        yield rows
    finally:
        layer_class.__call__ = original


def _layout(layer: Any, tensor: Any) -> str | None:
    """Return the layout of what a spatial layer makes, by its own `data_format`."""
    rank = tensor.shape.rank
    if rank not in (4, 5) or not any(word in type(layer).__name__ for word in _SPATIAL):
        return None
    space = "HW" if rank == 4 else "DHW"
    return f"NC{space}" if getattr(layer, "data_format", "") == "channels_first" else f"N{space}C"
