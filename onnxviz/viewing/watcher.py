"""What `view` tells as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxviz.errors import OnnxvizError
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.runtime.session import Placement
from onnxviz.viewing.record import LayerRecord, RunRecord


class Watcher:
    """Override what you want to hear; all of it is silent by default."""

    def chosen(self, choices: Sequence[Choice], remark: str) -> None:
        """What a selection came to."""

    def started(self, feed: Feed, layers: int, map_bytes: int) -> None:
        """One run begins: what is fed, how many layers come and how large their maps are."""

    def placed(self, placement: Placement) -> None:
        """A session was opened on a device."""

    def drawn(self, layer: LayerRecord) -> None:
        """A layer was drawn."""

    def ended(self, run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
        """One run is done: all its layers, and the folder where its pictures will lie. They are kept nowhere else."""

    def failed(self, source: str, error: OnnxvizError) -> None:
        """One of several inputs could not be used; the others go on."""
