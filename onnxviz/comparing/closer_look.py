"""`CloserLook`: a second look at the layers that matter, on the input where their error is largest: causes and maps."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from onnxviz.comparing.causes import cause
from onnxviz.comparing.matching.matches import Pair
from onnxviz.draw.arrange import item_channels
from onnxviz.layout import Array


@dataclass(frozen=True, slots=True)
class DifferingMaps:
    """The channels of one layer that differ most, each `(n, H, W)` or `(n, values)`.

    Attributes:
        layer: its name in A.
        channels: their numbers.
        shares: the part of the squared difference in each.
        a: A's.
        b: B's, on A's values where that is known.
        is_own: whether it is.
        source: which input they are of.
    """

    layer: str
    channels: tuple[int, ...]
    shares: tuple[float, ...]
    a: Array
    b: Array
    is_own: bool
    source: str


class CloserLook:
    """Takes the values of a few pairs (see `Visitor`): what their errors look like, and the maps of one of them."""

    def __init__(self, pairs: Sequence[Pair], wrong: Container[int], shown: int, channels: Sequence[int]) -> None:
        """Take the pairs, the places of those that go wrong, that of the one whose maps are kept, and its channels."""
        self._wrong = wrong
        self._pairs = pairs
        self._shown = shown
        self._channels = channels
        self.own_causes: dict[int, str] = {}
        self.overall_causes: dict[int, str] = {}
        self.maps: tuple[Array, Array, bool] | None = None

    def overall(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Look at what B computes by itself."""
        self._look(place, a, b, self.overall_causes, is_own=False)

    def own(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Look at what B's layer makes of A's values."""
        self._look(place, a, b, self.own_causes, is_own=True)

    def missing(self, place: int, reason: str) -> None:
        """Nothing is to be seen then."""

    def cause(self, place: int) -> str:
        """Return in what way a layer goes wrong: what is written otherwise, and what its error looks like."""
        if place not in self._wrong:
            return ""
        seen = self.own_causes.get(place, self.overall_causes.get(place, ""))
        return "; ".join(filter(None, (self._pairs[place].written, seen)))

    def _look(self, place: int, a: Array, b: Array, causes: dict[int, str], *, is_own: bool) -> None:
        layout = self._pairs[place].a.layout
        if place in self._wrong:
            with np.errstate(all="ignore"):
                causes[place] = cause(a, b, layout)
        if place == self._shown and (is_own or self.maps is None):
            self.maps = _kept(a, layout, self._channels), _kept(b, layout, self._channels), is_own


def _kept(array: Array, layout: str | None, channels: Sequence[int]) -> Array:
    """Return these channels of the first item, as float32."""
    maps = item_channels(array, layout, 0) if array.ndim > 1 else array.reshape(1, -1)
    chosen = [channel for channel in channels if channel < len(maps)] or [0]
    return np.array(maps[chosen], np.float32)
