"""`ViewOptions`: all that `view` takes besides the model and its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypedDict

from onnxviz.draw.style import Style
from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.reporting.report import SIZE
from onnxviz.runtime.session import RunOptions

FORMATS = ("png", "jpg", "jpeg", "webp", "tiff", "tif")


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """How `view` works: what it shows, how it feeds, runs and draws, and what it writes.

    Attributes:
        layers: a selection, or None for `conv,pool`.
        exclude: selections to take away.
        tap: `act` (after norm and nonlinearity) or `op` (the node's own output).
        feed: how inputs are made.
        run: the device and how it runs.
        style: how the pictures are drawn.
        pictures: draw pictures; without, `view.json`, the page and the arrays alone are made.
        format: the pictures' file format: png, jpg, webp or tiff.
        gif: write `film.gif` beside the pictures, too: a frame for each layer, of a layer in steps one for each step.
        raw: a `.npz` file for the arrays, unscaled.
        labels: class names, or a file of them, one a line; None takes the model's own.
        html: the page to explore: True for `report.html` beside the pictures, a path, or False for none.
        explain: methods by which the page explains the three strongest classes; see
            `onnxviz.explaining.methods.METHODS`.
        unit: units, `LAYER#CHANNEL`, of which the page shows what in the input drives them, by `guided`.
        html_size: bytes that the page takes at most; it says what that took.
        same_scale: draw a layer of all inputs on one scale, the style's, of all channels that are drawn; each input is
            then run twice.
        like: a `view.json`, or a folder with one: the overviews show the layers and channels that its first shows.
        units: a folder that `mine` left: the page shows beside a channel its strongest patches, and links to its unit.
        fail_fast: stop at the first input that cannot be used.
        resume: go on where the same command was interrupted: the inputs that are done are kept.
        force: replace a folder that onnxviz did not make.
    """

    layers: SelectionText | None = None
    exclude: tuple[str, ...] = ()
    tap: str = "act"
    feed: FeedOptions = field(default_factory=FeedOptions)
    run: RunOptions = field(default_factory=RunOptions)
    style: Style = field(default_factory=Style)
    pictures: bool = True
    format: str = "png"
    gif: bool = False
    raw: Path | None = None
    labels: tuple[str, ...] | Path | None = None
    html: bool | Path = True
    html_size: int = SIZE
    explain: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    same_scale: bool = False
    like: Path | None = None
    units: Path | None = None
    fail_fast: bool = False
    resume: bool = False
    force: bool = False

    @property
    def results(self) -> dict[str, Any]:
        """The options that the results depend on, besides the selection; of a path the path alone, or its file."""
        others = ("layers", "exclude", "tap", "fail_fast", "resume", "force", "raw", "html")
        found = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in others}
        font = Path(self.style.font) if self.style.font else None
        return found | {"raw": self.raw is not None, "html": bool(self.html), "font": font}

    def __post_init__(self) -> None:
        """Refuse a format that is not written, and options of pictures or of the page where these are left out."""
        if self.format not in FORMATS:
            raise UsageError(f"unknown picture format {self.format!r}: {', '.join(FORMATS)}")
        drawn = {"--gif": self.gif, "--like": self.like is not None}
        if not self.pictures and any(drawn.values()):
            raise UsageError(f"--no-pictures excludes {_first(drawn)}")
        on_page = {"--explain": bool(self.explain), "--unit": bool(self.unit), "--units": self.units is not None}
        if not self.html and any(on_page.values()):
            raise UsageError(f"--no-html excludes {_first(on_page)}, which the page shows")


def _first(given: Mapping[str, bool]) -> str:
    return next(name for name, is_given in given.items() if is_given)


class ViewChanges(TypedDict, total=False):
    """The fields of ViewOptions, as keyword arguments."""

    layers: SelectionText | None
    exclude: tuple[str, ...]
    tap: str
    feed: FeedOptions
    run: RunOptions
    style: Style
    pictures: bool
    format: str
    gif: bool
    raw: Path | None
    labels: tuple[str, ...] | Path | None
    html: bool | Path
    html_size: int
    explain: tuple[str, ...]
    unit: tuple[str, ...]
    same_scale: bool
    like: Path | None
    units: Path | None
    fail_fast: bool
    resume: bool
    force: bool
