"""`FigureOptions`: all that `figure` takes besides the model and its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from onnxviz.draw.figure.common_scale import RowStyle
from onnxviz.draw.figure.layout_cm import COLORBARS, FigureFrame
from onnxviz.draw.figure.look import Look
from onnxviz.draw.kinds import check_style
from onnxviz.draw.style import Style
from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.runtime.session import RunOptions

MOST = 16
"""Channels of a layer that are drawn where there are several inputs and nothing says which."""

_WIDEST = 200.0


@dataclass(frozen=True, slots=True)
class FigureOptions:
    """What a figure shows and how.

    Attributes:
        layers: a selection, a row each; to be given, unless `weights` are.
        exclude: selections to take away.
        tap: `act` (after norm and nonlinearity) or `op` (the node's own output).
        weights: a selection of layers whose kernels are drawn; nothing is fed then.
        width_cm: the figure's width; its height follows.
        font_size: points of the heads; a title is a point larger, numbers a point smaller, but 6 at least.
        font: a TrueType or OpenType file, which the figure's file will hold.
        title: above all; None for the layer's name where there is one row and one column, `""` for none.
        row_labels: in place of the layers' names.
        column_labels: in place of the inputs' names.
        channels: draw these only, such as `0-15,32`; None for all, of several inputs the first 16.
        order: `index`, `deviation` or `mean`, the greatest over all inputs first, or `listed`, as `channels` are.
        top: how many to draw, the first of that order.
        query: whose attention is drawn, as that of `Style`.
        columns: maps in a row.
        numbers: write each channel's number above its map.
        scale: as that of `Style`; a scale holds for all inputs.
        same_scale: one scale for all channels of a layer.
        percentile: one scale for all channels of a layer, which leaves out this many percent of the magnitudes.
        colormap: its name, or `auto`: viridis, or gray with zero in its middle; both survive a printer without colours.
        theme: `light` or `dark`.
        colorbar: `auto`, `right`, `bottom` or `none`.
        pictures: whether the inputs are in a first row; None: where there are several pictures.
        feed: how inputs are made.
        run: the device and how it runs.
    """

    layers: SelectionText | None = None
    exclude: tuple[str, ...] = ()
    tap: str = "act"
    weights: SelectionText | None = None
    width_cm: float = 17.0
    font_size: float = 7.0
    font: str | None = None
    title: str | None = None
    row_labels: Sequence[str] | None = None
    column_labels: Sequence[str] | None = None
    channels: str | Sequence[int] | None = None
    order: str = "index"
    top: int | None = None
    query: str = "auto"
    columns: int | None = None
    numbers: bool = False
    scale: str = "auto"
    same_scale: bool = False
    percentile: float | None = None
    colormap: str = "auto"
    theme: str = "light"
    colorbar: str = "auto"
    pictures: bool | None = None
    feed: FeedOptions = field(default_factory=FeedOptions)
    run: RunOptions = field(default_factory=RunOptions)

    @property
    def style(self) -> Style:
        """The style of the maps."""
        return Style(
            scale=self.scale,
            colormap=self.colormap,
            theme=self.theme,
            columns=self.columns,
            order=self.order,
            top=self.top,
            channels=self.channels,
            query=self.query,
            font=self.font,
        )

    @property
    def row_style(self) -> RowStyle:
        """How rows are drawn."""
        return RowStyle(self.style, self.same_scale, self.percentile, self.numbers)

    @property
    def look(self) -> Look:
        """The look of the words."""
        return Look(self.font_size, self.theme, self.font)

    def frame(self, title: str, columns: tuple[str, ...], *, heads: bool = True) -> FigureFrame:
        """Return what stands around the maps."""
        return FigureFrame(self.width_cm, title, columns, heads, self.colorbar, self.look)

    def check(self) -> None:
        """Refuse what does not exist before anything is run.

        Raises:
            UsageError: a scale, colormap, theme, order, font, size or list of channels that does not exist.
        """
        check_style(self.style)
        if self.colorbar not in COLORBARS:
            raise UsageError(f"no colour bar {self.colorbar!r}: {', '.join(COLORBARS)}")
        if not 0 < self.width_cm <= _WIDEST:
            raise UsageError(f"a figure is up to {_WIDEST:g} cm wide, not {self.width_cm:g}")
        if not 1 <= self.font_size <= 72:
            raise UsageError(f"a font has 1 to 72 points, not {self.font_size:g}")
        if self.percentile is not None and not 0 <= self.percentile < 50:
            raise UsageError(f"percentile leaves out 0 to 50 percent, not {self.percentile:g}")


class FigureChanges(TypedDict, total=False):
    """The fields of `FigureOptions` as keywords, for type checkers and completion."""

    layers: SelectionText | None
    exclude: tuple[str, ...]
    tap: str
    weights: SelectionText | None
    width_cm: float
    font_size: float
    font: str | None
    title: str | None
    row_labels: Sequence[str] | None
    column_labels: Sequence[str] | None
    channels: str | Sequence[int] | None
    order: str
    top: int | None
    query: str
    columns: int | None
    numbers: bool
    scale: str
    same_scale: bool
    percentile: float | None
    colormap: str
    theme: str
    colorbar: str
    pictures: bool | None
    feed: FeedOptions
    run: RunOptions
