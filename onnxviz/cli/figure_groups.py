"""The options of `figure` that go together: what stands around the maps, and which maps are drawn; see `groups`."""

# Without `from __future__ import annotations`: the annotations are handed to typer as they are.
from dataclasses import dataclass
from typing import Annotated

from onnxviz.cli import parameters
from onnxviz.cli.parameters import option


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """What stands around the maps of a figure, in its own units."""

    width_cm: float
    font_size: float
    font: str | None
    title: str | None
    row_labels: tuple[str, ...] | None
    column_labels: tuple[str, ...] | None
    colorbar: str
    pictures: bool | None


def paper_options(
    width: Annotated[str, option("--width", "The figure's width, such as 8.9cm, 89mm or 3.5in.", "LENGTH")] = "17cm",
    font_size: Annotated[float, option("--font-size", "Points of the heads; numbers have 6 at least.", "PT")] = 7.0,
    font: Annotated[str | None, option("--font", "A TrueType or OpenType font, which is embedded.", "FILE")] = None,
    title: Annotated[str | None, option("--title", "A line above all; '' for none.", "TEXT")] = None,
    row_labels: Annotated[str | None, option("--row-labels", "In place of the layers' names.", "A,B,...")] = None,
    column_labels: Annotated[str | None, option("--column-labels", "In place of the inputs' names.", "A,B,...")] = None,
    colorbar: Annotated[
        str, option("--colorbar", "auto, right, bottom or none.", "WHERE", "auto right bottom none")
    ] = "auto",
    pictures: Annotated[
        bool | None,
        option("--pictures/--no-pictures", "The pictures fed in a first row; else where there are several."),
    ] = None,
) -> PaperOptions:
    """Make the options of what stands around the maps of a figure.

    Raises:
        UsageError: The width cannot be read.
    """
    return PaperOptions(
        width_cm=parameters.length(width),
        font_size=font_size,
        font=font,
        title=title,
        row_labels=parameters.labels_of(row_labels),
        column_labels=parameters.labels_of(column_labels),
        colorbar=colorbar,
        pictures=pictures,
    )


@dataclass(frozen=True, slots=True)
class MapOptions:
    """Which maps of a layer a figure shows, and on which scale."""

    channels: str | None
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


def map_options(
    channels: parameters.ChannelList = None,
    order: parameters.OrderName = "index",
    top: parameters.TopCount = None,
    query: parameters.AskedQuery = "auto",
    columns: parameters.MapColumns = None,
    numbers: Annotated[bool, option("--numbers", "Each channel's number above its map.")] = False,
    scale: parameters.ScaleName = "auto",
    same_scale: Annotated[bool, option("--same-scale", "One scale, with numbers, for all maps of a layer.")] = False,
    percentile: Annotated[
        float | None, option("--percentile", "The same, without P percent of the magnitudes.", "P")
    ] = None,
    colormap: parameters.ColormapName = "auto",
    theme: parameters.ThemeName = "light",
) -> MapOptions:
    """Make the options of the maps of a figure."""
    return MapOptions(channels, order, top, query, columns, numbers, scale, same_scale, percentile, colormap, theme)


PaperGroup = Annotated[PaperOptions, paper_options]
MapGroup = Annotated[MapOptions, map_options]
