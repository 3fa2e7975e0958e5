"""Which tensor each Keras layer makes, recorded while a model is traced: its names are lost in the graph.

Keras 3 traces a model into scopes such as `model_1/conv_1`. No rule can take the `_1` off again, because layers have
such names too. So `Layer.__call__` is wrapped for the time of one trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

from ..loaded import Row, channels_come_first, channels_last

_SPATIAL = ("Conv", "Pooling", "UpSampling", "ZeroPadding", "Cropping", "LSTM", "GRU", "RNN")
_UNKNOWN = ("Permute", "Dot")
_IN_ATTENTION = ("EinsumDense", "Softmax", "Dropout")


@contextmanager
def recorded(tensorflow: ModuleType, keras: ModuleType) -> Iterator[list[Row]]:
    """Give a list that fills with a row for each layer called in a trace, inner layers first.

    A layer that is called again gets `@2` behind its name, its second output `:1`.
    """
    rows: list[Row] = []
    calls: dict[str, int] = {}
    within: list[Any] = []
    layer_class = keras.layers.Layer
    original = layer_class.__call__

    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        within.append(self)
        path = "/".join(layer.name for layer in within)
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
                layout = _layout([*within, self], tensor.shape.rank)
                rows.append(Row(f"{name}:{place}" if place else name, type(self).__name__, tensor.name, layout))
        return result

    layer_class.__call__ = call
    try:
        yield rows
    finally:
        layer_class.__call__ = original
    rows[:] = _settled(rows)


def _layout(within: list[Any], rank: int | None) -> str | None:
    """Return the layout of what the last of these layers makes, each of which holds the next.

    Keras holds channels last, but where `data_format` or the axis of a norm says otherwise. A layer that turns axes
    round has none of its own, and inside attention heads lie beside the channels.
    """
    layer = within[-1]
    kind = type(layer).__name__
    if kind in _UNKNOWN:
        return None
    if kind in _IN_ATTENTION and rank == 4 and any("Attention" in type(holder).__name__ for holder in within[:-1]):
        return "NLGC" if kind == "EinsumDense" else None
    axis = getattr(layer, "axis", None) if "BatchNorm" in kind or "GroupNorm" in kind else None
    first = getattr(layer, "data_format", "") == "channels_first" or (axis in (1, [1], (1,)) and rank != 2)
    last = channels_last(rank)
    return last if last is None or not first else last[0] + last[-1] + last[1:-1]


def _settled(rows: list[Row]) -> list[Row]:
    """Take channels last back where some layer holds them first: a layer without a `data_format` then does as well."""
    if not any(channels_come_first(row.layout) for row in rows):
        return rows
    own = (*_SPATIAL, "Norm")
    return [row if any(word in row.kind for word in own) else replace(row, layout=None) for row in rows]
