"""The page of a comparison: A's maps, B's, their difference and B's own error as four runs of one report.

The page of `view` so serves: keys 1 to 4 turn between the four at the same layer, channel and place, and the chosen
channel stands beside itself in all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnxviz.activations import Activation
from onnxviz.comparing.compared_layers import ComparedLayer
from onnxviz.feed.feed import Feed
from onnxviz.layout import Array
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.contents import LayerFinding, LayerWords, ReportModel, ReportRun
from onnxviz.reporting.html_file import write_report
from onnxviz.reporting.report import SIZE, ModelFacts
from onnxviz.words import number_text

if TYPE_CHECKING:
    from onnxviz.comparing.comparison_result import Comparison
    from onnxviz.comparing.matching.matches import Pair

A, B, DIFFERENCE, OWN = range(4)
RUNS = ("A", "B", "B - A", "own error of B")
"""The runs of the page. The own error is what B's layer makes of A's values, minus what A's makes of them."""

_KEYS = "Keys {} turn between A, B, their difference and B's own error, at the same layer, channel and place."
_ROWS = "Each row shows some of the maps of a stage. Choose one to see all channels of its layer."


def write_page(comparison: Comparison, path: Path, size: int = SIZE) -> None:
    """Write the maps of all compared layers on one input, that on which the layer that is drawn differs most.

    Raises:
        InputError: That input cannot be fed any more.
        OSError: The file cannot be written.
    """
    runs = comparison.runs
    places = [place for place, pair in enumerate(runs.pairs) if pair.a.layer in comparison.layers]
    with Collector(path.parent) as collected, path.open("xb") as file:
        maps = _PageMaps(comparison, runs.pairs, collected)
        feed = runs.once(0 if comparison.maps is None else int(comparison.maps.source), places, maps)
        shown = RUNS if maps.has_own else RUNS[:OWN]
        for number, name in enumerate(shown):
            collected.end_run(_run(name, feed, is_difference=number >= DIFFERENCE))
        names = [Path(model).name for model in (comparison.a, comparison.b)]
        title = f"A: {names[0]}, B: {names[1]}"
        lead = (
            f"{comparison.headline[:1].upper()}{comparison.headline[1:]}.",
            _KEYS.format(f"1 to {len(shown)}"),
            _ROWS,
        )
        about = ReportModel(title, ", ".join(dict.fromkeys(comparison.levels)), lead=lead)
        write_report(file, about, collected, size)


def _run(name: str, feed: Feed | None, *, is_difference: bool) -> ReportRun:
    fed = () if feed is None else feed.fed
    return ReportRun(name, {each.name: each.source for each in fed}, fed, is_difference=is_difference)


class _PageMaps:
    """Takes the values of every pair (see `Visitor`) and puts them onto the page."""

    def __init__(self, comparison: Comparison, pairs: tuple[Pair, ...], collected: Collector) -> None:
        self._comparison = comparison
        self._pairs = pairs
        self._collected = collected
        self._facts = ModelFacts(comparison.runs.models[0], None)
        self.has_own = False

    def overall(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Take what both compute by themselves."""
        self._add(place, A, a)
        self._add(place, B, b)
        self._add(place, DIFFERENCE, _difference(a, b))

    def own(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Take what B's layer makes of A's values."""
        self.has_own = True
        self._add(place, OWN, _difference(a, b))

    def missing(self, place: int, reason: str) -> None:
        """Nothing is to be seen then."""

    def _add(self, place: int, run: int, array: Array) -> None:
        pair = self._pairs[place]
        layer = self._comparison.layers.get(pair.a.layer)
        if layer is None:
            return
        activation = Activation(pair.a.layer, pair.a.value, "act", array, pair.a.layout, pair.a.operator)
        self._collected.add_to(run, activation, self._facts.layer(activation), words_of(layer))


def words_of(layer: ComparedLayer) -> LayerWords:
    """Return what the page says of a layer, and the badge of one that goes wrong."""
    b = layer.pair.b.layer
    notes = [f"B's {b}" if b != layer.name else "", f"matched by {layer.pair.status}"]
    if layer.overall is not None:
        notes.append(f"{_decibels(layer.overall.sqnr)} overall")
    if layer.own is not None:
        margin = "" if layer.margin is None else f", {layer.margin:.0f} dB below its kind" if layer.margin > 0 else ""
        notes.append(f"{_decibels(layer.own.sqnr)} by itself{margin}")
    notes.append(layer.cause)
    finding = None
    if layer.breaks:
        finding = LayerFinding("not finite", "B has values that are not finite", True, "not finite")
    elif layer.stands_out:
        badge = "" if layer.own is None else _decibels(layer.own.sqnr)
        words = f"{badge} by itself" + (f": {layer.cause}" if layer.cause else "")
        finding = LayerFinding(badge, words, True, "to go wrong by itself")
    return LayerWords(tuple(filter(None, notes)), finding=finding)


def _decibels(sqnr: float) -> str:
    return f"{number_text(sqnr)} dB" if np.isfinite(sqnr) else "equal"


def _difference(a: Array, b: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(b.astype(np.float32) - a.astype(np.float32))
