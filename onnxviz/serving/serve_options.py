"""`ServeOptions`: all that `serve` takes besides the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onnxviz.draw.style import Style
from onnxviz.errors import UsageError
from onnxviz.explaining.methods import check_methods
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.runtime.session import RunOptions

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How `serve` works.

    Attributes:
        layers, exclude, tap: which layers the page has, as in `ViewOptions`.
        feed: how pictures are fed.
        run: the device and how it runs.
        style: how the page begins to draw.
        labels: class names, or a file of them, one a line; None takes the model's own.
        explain: methods of `explain` that the page shows for the three strongest classes, often none; class activation
            maps are quick, `smoothgrad` takes seconds a picture.
        picture: what the page begins with; None is the bundled cat.
        host: the address to listen at; another than LOOPBACK opens the page to whoever has the address with its token.
        port: the port, 0 for any that is free.
    """

    layers: SelectionText | None = None
    exclude: tuple[str, ...] = ()
    tap: str = "act"
    feed: FeedOptions = field(default_factory=FeedOptions)
    run: RunOptions = field(default_factory=RunOptions)
    style: Style = field(default_factory=Style)
    labels: tuple[str, ...] | Path | None = None
    explain: Sequence[str] = ("gradcam",)
    picture: str | None = None
    host: str = LOOPBACK
    port: int = 0

    def __post_init__(self) -> None:
        """Refuse a port or a method that does not exist.

        Raises:
            UsageError: There is one.
        """
        if self.explain:
            check_methods(self.explain)
        if not 0 <= self.port < 65536:
            raise UsageError(f"a port is a number from 0 to 65535, not {self.port}")
