"""`explain --check`: how far a map can be trusted, in numbers and in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxviz.draw.heat import stretched
from onnxviz.explaining.covering_curves import CoveringCurves, curves_of, random_curves
from onnxviz.explaining.explanation import Explanation
from onnxviz.explaining.method_work import Explaining
from onnxviz.explaining.target import Target
from onnxviz.explaining.weight_sanity import Sanity, ShuffledNetworks
from onnxviz.layout import Array
from onnxviz.strict_json import number
from onnxviz.words import listed, number_text

HARDLY_CHANGES = 0.7
"""The correlation from which on a map is called the same although half of what was learnt, or more, is lost."""

NO_CLASS = 0.95
"""The correlation from which on a map is called the same although only what tells classes apart is lost."""


@dataclass(frozen=True, slots=True)
class FaithfulnessCheck:
    """What checks say of one explanation.

    Attributes:
        curves: what becomes of the answer while the picture is covered and uncovered in the order of the map.
        random: the same for squares in random order.
        sanity: how the map compares with those of models with shuffled kernels.
        gap: how far the map's sum is from the difference that it must come to, as a share; None where it has no sum.
    """

    curves: CoveringCurves
    random: CoveringCurves
    sanity: Sequence[Sanity]
    gap: float | None = None

    @property
    def lines(self) -> list[str]:
        """The checks in a few words for a sheet."""
        return [
            f"covered {number_text(self.curves.deletion_area)}, at random {number_text(self.random.deletion_area)}",
            f"uncovered {number_text(self.curves.insertion_area)}, at random {number_text(self.random.insertion_area)}",
            f"kernels shuffled: {_correlations(self.sanity)}",
            *([self._verdict.partition(": ")[2]] if self.sanity else []),
            *([] if self.gap is None else [f"off its sum by {100 * self.gap:.1f} %"]),
        ]

    @property
    def says(self) -> list[str]:
        """The checks in plain words, a sentence each."""
        return [*self._coverings(), *self._sanity(), *self._completeness()]

    def as_json(self) -> dict[str, Any]:
        """Return what `explain.json` keeps of it."""
        curves: Mapping[str, tuple[CoveringCurves, str]] = {
            "deletion": (self.curves, "deletion"),
            "insertion": (self.curves, "insertion"),
            "random_deletion": (self.random, "deletion"),
            "random_insertion": (self.random, "insertion"),
        }
        found: dict[str, Any] = {
            name: {
                "area": number(getattr(made, f"{kind}_area")),
                "curve": [number(value) for value in getattr(made, kind)],
            }
            for name, (made, kind) in curves.items()
        }
        found["sanity"] = [
            {"kernels": one.kernels, "of": one.of, "correlation": one.correlation} for one in self.sanity
        ]
        return {**found, "completeness_gap": None if self.gap is None else number(self.gap), "says": self.says}

    def _coverings(self) -> Iterator[str]:
        down, up = self.curves, self.random
        yield (
            f"Covered brightest first, the answer falls {_compared(down.deletion_area, up.deletion_area, 'sooner')} "
            f"than covered at random: area {number_text(down.deletion_area)} against {number_text(up.deletion_area)}."
        )
        yield (
            f"Uncovered brightest first, it comes back {_compared(up.insertion_area, down.insertion_area, 'sooner')}: "
            f"area {number_text(down.insertion_area)} against {number_text(up.insertion_area)}."
        )

    def _sanity(self) -> Iterator[str]:
        if self.sanity:
            counts = listed(str(one.kernels) for one in self.sanity)
            yield (
                f"With the last {counts} of {self.sanity[0].of} kernels shuffled the map {self._verdict} "
                f"(its ranks correlate by {_correlations(self.sanity)})."
            )

    @property
    def _verdict(self) -> str:
        deep = [one.correlation or 0 for one in self.sanity if one.kernels > 1]
        if max(deep, default=0) >= HARDLY_CHANGES:
            return "hardly changes: it does not depend on what was learnt"
        if any(one.kernels == 1 and (one.correlation or 0) >= NO_CLASS for one in self.sanity):
            return "stays the same at first: it does not depend on the class"
        return "becomes another one: it depends on what was learnt"

    def _completeness(self) -> Iterator[str]:
        if self.gap is not None:
            yield f"What it adds up to is {100 * self.gap:.1f} % off the difference that it explains."


class Checking:
    """The checks of the explanations of one input, with what they share."""

    def __init__(self, work: Explaining) -> None:
        """Take what is explained; random orders are run at once, for all targets together."""
        self._work = work
        watched = [target.watched for target in work.targets]
        found = random_curves(work.network, watched, work.axes, work.options.seed)
        self._random: Mapping[Target, CoveringCurves] = dict(zip(work.targets, found, strict=True))
        self._shuffled = ShuffledNetworks(work)

    def check(self, shown: Explanation) -> FaithfulnessCheck:
        """Return what checks say of an explanation."""
        work, size = self._work, self._work.network.array.shape
        heat = stretched(_flat(shown.array), (size[work.axes[0]], size[work.axes[1]]))
        curves = curves_of(work.network, shown.target.watched, work.axes, heat, work.options.seed)
        gap = shown.settings.get("gap")
        sanity = tuple(self._shuffled.sanity(shown))
        return FaithfulnessCheck(curves, self._random[shown.target], sanity, gap if isinstance(gap, float) else None)


def _flat(array: Array) -> Array:
    """Return a map of one number a place: of colours their size."""
    return array if array.ndim == 2 else np.abs(array).sum(-1)


def _correlations(sanity: Sequence[Sanity]) -> str:
    return ", ".join("no map" if one.correlation is None else f"{one.correlation:.2f}" for one in sanity)


def _compared(smaller: float, larger: float, word: str) -> str:
    return word if smaller < larger else f"no {word}"
