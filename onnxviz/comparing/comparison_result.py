"""`Comparison`: what comparing two models found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onnxviz.comparing.closer_look import DifferingMaps
from onnxviz.comparing.compared_layers import ComparedLayer, ComparedOutput
from onnxviz.comparing.matching.matches import Matches
from onnxviz.comparing.standing_out import BELOW
from onnxviz.words import number_text

if TYPE_CHECKING:
    from PIL.Image import Image

    from onnxviz.comparing.impact import Impact
    from onnxviz.comparing.pair_runs import PairRuns


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found.

    Attributes:
        a, b: the files.
        levels: the device and onnxruntime's level of optimisation of each.
        inputs: what was fed, one text a run.
        failures: the inputs that could not be used, each with its error's text.
        matches: which layer of A is which of B.
        layers: the layers that were compared by their names in A, in the order of A's graph.
        outputs: the outputs of both.
        first: the first layer that goes wrong by itself, or is not finite; None where none stands out.
        has_own: whether own errors were computed.
        maps: the channels that differ most of the layer that is drawn; None where there is nothing to draw.
        runs: both models with their inputs, for `impact`.
        trained_apart: whether their weights have nothing in common; no layer goes wrong then, but for one that is not
            finite, and each has its CKA.
    """

    a: str
    b: str
    levels: tuple[str, str]
    inputs: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]
    matches: Matches
    layers: Mapping[str, ComparedLayer]
    outputs: tuple[ComparedOutput, ...]
    first: ComparedLayer | None
    has_own: bool
    maps: DifferingMaps | None
    runs: PairRuns = field(repr=False, compare=False)
    trained_apart: bool = False

    @property
    def worst_first(self) -> tuple[ComparedLayer, ...]:
        """The layers, the worst first: not finite, then furthest below their kind or, trained apart, the least CKA."""
        if self.trained_apart:
            return tuple(sorted(self.layers.values(), key=_least_alike))
        return tuple(sorted(self.layers.values(), key=lambda layer: layer.badness))

    @property
    def headline(self) -> str:
        """One sentence: which layer goes wrong first, or that none stands out."""
        if self.first is not None:
            return _headline_of(self.first)
        if self.trained_apart:
            return self._alignment_words
        compared = [layer for layer in self.layers.values() if layer.overall is not None]
        if not compared:
            return "no layer could be compared"
        if not any(layer.differs for layer in compared):
            return f"no layer differs: all {len(compared)} are equal to the last bit"
        if not self.has_own:
            return "no layer can be named: own errors were not computed"
        known = [layer for layer in compared if layer.margin is not None and layer.own is not None]
        if not known:
            return "no layer can be named: no own error is known"
        lowest = max(known, key=lambda layer: layer.margin or 0.0)
        own = "" if lowest.own is None else f"{number_text(lowest.own.sqnr)} dB, "
        return f"no layer stands out: furthest below its kind is {lowest.name}, {own}by {lowest.margin:.0f} dB"

    @property
    def _alignment_words(self) -> str:
        words = "the two were trained apart, and no channel of one is another's"
        known = next((layer for layer in self.worst_first if layer.cka is not None), None)
        if known is None or known.cka is None:
            return f"{words}: give 16 inputs or more for the CKA of their layers"
        return f"{words}: least alike by their CKA is {known.name}, {known.cka:.2f}"

    def sheet(self, theme: str = "dark") -> Image:
        """Draw the comparison: both errors over depth, and the channels that differ most of one layer."""
        from onnxviz.comparing.comparison_sheet import draw_sheet

        return draw_sheet(self, theme)

    def impact(self) -> Impact:
        """Run B once more with its quantisers switched on one at a time: what each costs at the outputs.

        Where B has none, A runs with the own error of one layer of B after the other.

        Raises:
            UnsupportedError: The two share no output, or there are neither quantisers nor own errors.
        """
        from onnxviz.comparing.impact import find_impact

        return find_impact(self.runs)

    def as_json(self) -> dict[str, Any]:
        """Return what `compare.json` has (schema `onnxviz.compare/1`), without `schema` and `onnxviz`."""
        return {
            "a": {"model": self.a, "runs": self.levels[0]},
            "b": {"model": self.b, "runs": self.levels[1]},
            "inputs": list(self.inputs),
            "failures": [{"source": source, "error": error} for source, error in self.failures],
            "headline": self.headline,
            "first": None if self.first is None else self.first.name,
            "cause": None if self.first is None else self.first.cause or None,
            "below": BELOW,
            "trained_apart": self.trained_apart,
            "outputs": [output.as_json() for output in self.outputs],
            "layers": [layer.as_json() for layer in self.layers.values()],
            "only_a": list(self.matches.only_a),
            "only_b": list(self.matches.only_b),
            "remarks": list(self.matches.remarks),
        }

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.layers)} layers: {self.headline}>"

    def _repr_png_(self) -> bytes | None:
        return self.sheet()._repr_png_()


def _headline_of(first: ComparedLayer) -> str:
    if first.breaks and first.overall is not None:
        count = first.overall.not_finite[1]
        return f"first not finite: {first.name}: {count:,} values in B" + (f"; {first.cause}" if first.cause else "")
    margin = "" if first.margin is None else f", {first.margin:.0f} dB below its kind"
    return f"first to go wrong by itself: {first.name}{margin}" + (f"; {first.cause}" if first.cause else "")


def _least_alike(layer: ComparedLayer) -> tuple[bool, float]:
    return not layer.breaks, 2.0 if layer.cka is None else layer.cka
