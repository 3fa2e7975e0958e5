"""`Tally`: adds up what both models compute, layer by layer, over all inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from onnxviz.comparing.alignment import Examples
from onnxviz.comparing.compared_layers import ComparedLayer, ComparedOutput
from onnxviz.comparing.matching.matches import Pair
from onnxviz.comparing.measures import Measures, Sums
from onnxviz.comparing.standing_out import margins, stands_out
from onnxviz.layout import Array, channel_axis


class Tally:
    """Takes the values of every pair (see `Visitor`); those of several inputs are joined."""

    def __init__(self, pairs: Sequence[Pair], *, apart: bool = False) -> None:
        """Begin with nothing added; of networks that were trained `apart` examples for their CKA are kept."""
        self._pairs = pairs
        self._apart = apart
        self._examples: dict[int, Examples] = {}
        self._overall = [Sums(channel_axis(pair.a.layout)) for pair in pairs]
        self._own = [Sums(channel_axis(pair.a.layout)) for pair in pairs]
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._remarks: dict[int, str] = {}
        self._same_top: dict[int, list[bool]] = {}

    def overall(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Add what B computes by itself."""
        self._overall[place].add(a, b, at_ends)
        self._shapes[place] = a.shape
        if self._apart:
            self._examples.setdefault(place, Examples()).add(a, b, self._pairs[place].a.layout)
        if _holds_scores(a):
            tops = [each.reshape(len(a), -1).argmax(1) for each in (a, b)]
            self._same_top.setdefault(place, []).extend((tops[0] == tops[1]).tolist())

    def own(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Add what B's layer makes of A's values."""
        self._own[place].add(a, b, at_ends)

    def missing(self, place: int, reason: str) -> None:
        """Keep why a pair is not compared."""
        self._remarks.setdefault(place, reason)

    @property
    def is_empty(self) -> bool:
        """Whether no pair was compared."""
        return not self._shapes

    def remark(self, place: int) -> str:
        """Return why a pair is not compared."""
        return self._remarks.get(place, "nothing came out")

    def join(self, other: Tally) -> None:
        """Add what another has added up of the same pairs."""
        for mine, theirs in zip((*self._overall, *self._own), (*other._overall, *other._own), strict=True):
            mine.join(theirs)
        self._shapes |= other._shapes
        self._remarks |= other._remarks
        for place, examples in other._examples.items():
            self._examples.setdefault(place, Examples()).join(examples)
        for place, tops in other._same_top.items():
            self._same_top.setdefault(place, []).extend(tops)

    def worst_channels(self, place: int, most: int) -> list[int]:
        """Return the channels of a layer that differ most, by its own error where that is known."""
        sums = self._own[place] if self._own[place].count else self._overall[place]
        return [int(channel) for channel in sums.worst_channels[:most]]

    def channel_shares(self, place: int, channels: Sequence[int]) -> list[float]:
        """Return the part of the squared difference that lies in each of these channels."""
        sums = self._own[place] if self._own[place].count else self._overall[place]
        total = float(sums.squares_of_difference.sum()) or 1.0
        return [float(sums.squares_of_difference[channel]) / total for channel in channels]

    def worst_input(self, place: int) -> int:
        """Return the number of the input at which a layer's own error is largest, else its overall error."""
        each = self._own[place].each or self._overall[place].each
        return int(np.argmin(each)) if each else 0

    def layers(
        self, places: Sequence[int], outputs: frozenset[str], reasons: Mapping[int, str], coded_a: frozenset[int]
    ) -> tuple[ComparedLayer, ...]:
        """Return what was found of the pairs at these places.

        Args:
            places: those of the pairs.
            outputs: the outputs of A.
            reasons: why the own error of a pair is not known.
            coded_a: the places of the pairs whose values A keeps as codes.
        """
        owns = [self._measures(self._own[place]) for place in places]
        below = margins([self._pairs[place].a for place in places], owns)
        found = []
        for place, own, margin in zip(places, owns, below, strict=True):
            pair, overall = self._pairs[place], self._measures(self._overall[place])
            layer = ComparedLayer(
                pair,
                self._shapes.get(place),
                overall,
                own,
                tuple(self._overall[place].each),
                margin,
                remark=pair.comparable or self._remarks.get(place, "") or reasons.get(place, ""),
                cka=self._examples[place].cka if place in self._examples else None,
            )
            if own is not None and margin is not None and layer.differs and not self._apart:
                both_coded = place in coded_a and own.at_ends is not None
                wrong = stands_out(pair, own, margin, is_output=pair.a.value in outputs, both_coded=both_coded)
                layer = replace(layer, stands_out=wrong)
            found.append(layer)
        return tuple(found)

    def output(self, place: int) -> ComparedOutput:
        """Return what was found of a pair of outputs."""
        pair, tops = self._pairs[place], self._same_top.get(place)
        measures, remark = self._measures(self._overall[place]), self._remarks.get(place, "")
        if tops is None:
            return ComparedOutput(pair.a.value, pair.b.value, measures, remark=remark)
        return ComparedOutput(pair.a.value, pair.b.value, measures, sum(tops), len(tops), remark)

    def _measures(self, sums: Sums) -> Measures | None:
        return sums.measures if sums.count or sums.each else None


def _holds_scores(array: Array) -> bool:
    """Return whether an array has a row of at least two scores for each item."""
    rows = [size for size in array.shape[1:] if size != 1]
    return array.ndim >= 2 and array.dtype.kind == "f" and len(rows) == 1 and array.size > 0
