"""`Observer`: hears of the progress of conversions, sessions and runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxviz.conversion.cache import Cached
    from onnxviz.errors import OnnxvizError
    from onnxviz.feed.feed import Feed
    from onnxviz.graph.selection.choices import Choice
    from onnxviz.results.record import LayerRecord, RunRecord
    from onnxviz.runtime.devices import Placement


class Observer:
    """Override what you want to hear; every method does nothing by default.

    Functions that need no more than one of these take it alone, such as `onnxviz.open(path, stage=observer.stage)`.
    """

    def stage(self, name: str) -> None:
        """A conversion from TensorFlow enters a stage."""

    def converted(self, found: Cached) -> None:
        """The cache holds the ONNX model of a TensorFlow source."""

    def chosen(self, choices: Sequence[Choice], remark: str) -> None:
        """A selection was read."""

    def noted(self, text: str) -> None:
        """A sentence is to be said: what is done otherwise than one would expect, such as an option without effect."""

    def planned(self, inputs: int, done: int, passes: int) -> None:
        """So many inputs are to be run, each so many times; those that are done before are among them."""

    def scanned(self) -> None:
        """An input was run for the scale that all inputs share."""

    def swept(self, inputs: int) -> None:
        """So many inputs of a data set are done."""

    def started(self, feed: Feed, layers: int, map_bytes: int) -> None:
        """A run begins: its feed, the number of layers, and the bytes of their maps as far as they are known."""

    def placed(self, placement: Placement) -> None:
        """A session was opened on a device."""

    def drawn(self, layer: LayerRecord) -> None:
        """A layer was drawn."""

    def ended(self, run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
        """A run is done: all its layers, which are kept nowhere else, and the folder where its pictures will lie."""

    def failed(self, source: str, error: OnnxvizError) -> None:
        """One of several inputs could not be used; the others go on."""
