"""What the drawing functions take besides an array, and what they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from PIL import Image

from onnxviz.errors import UsageError


@dataclass(frozen=True, slots=True)
class Style:
    """How maps are drawn.

    Attributes:
        scale: `auto`, `clipped`, `channel`, `signed`, `layer`, `percentile`, `symmetric`, `std` or `fixed:LOW,HIGH`.
        colormap: its name, or `auto`: viridis, or a diverging one where values have both signs.
        theme: `dark` or `light`.
        tile: the wanted size of a map's longer side, in pixels; None chooses it by the number of maps.
        columns: maps in a row; None chooses a page of about 1.4 : 1.
        rows: rows of maps on a page; None fills the page.
        order: `index`, `deviation` (over space) or `mean` (of the absolute value); the greatest first. The values of a
            vector go by their magnitude in either. `listed` is the order of `channels`; where `index` is given an
            overview shows the most varied of them first.
        top: how many to draw, the first of that order.
        channels: draw these only: numbers, or a text such as `0-15,32`, where 15 is drawn, too. A vector may lack some
            of them.
        font: a TrueType or OpenType file; None takes the font that Pillow carries.
        small: make smaller files, in more time.
        limits: the ends of the scale, (low, high), for pictures on one scale; `scale` is then not used.
        bare: draw the maps alone, without title, captions, bars and rulers; an overview keeps its words.
    """

    scale: str = "auto"
    colormap: str = "auto"
    theme: str = "dark"
    tile: int | None = None
    columns: int | None = None
    rows: int | None = None
    order: str = "index"
    top: int | None = None
    channels: str | Sequence[int] | None = None
    font: str | None = None
    small: bool = False
    limits: tuple[float, float] | None = None
    bare: bool = False


RANKED = ("deviation", "mean")
"""The orders that put the greatest first."""


class StyleChanges(TypedDict, total=False):
    """The fields of `Style` as keywords, for type checkers and completion."""

    scale: str
    colormap: str
    theme: str
    tile: int | None
    columns: int | None
    rows: int | None
    order: str
    top: int | None
    channels: str | Sequence[int] | None
    font: str | None
    small: bool
    limits: tuple[float, float] | None
    bare: bool


@dataclass(frozen=True, slots=True)
class Caption:
    """The words on a picture.

    Attributes:
        title: the layer's name.
        line: what is said of it: operator, shape, dtype and tap.
        labels: a name for each channel, such as class names; None numbers them.
    """

    title: str
    line: str = ""
    labels: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished page.

    Attributes:
        image: the page, mode P for maps and RGB for an overview.
        enlarged: whether pixels of the maps are repeated, which decides how a PNG is best compressed.
        text: what the file says about it: title, scale, range, colormap.
    """

    image: Image.Image
    enlarged: bool = False
    text: Mapping[str, str] = field(default_factory=dict)


def channel_numbers(channels: str | Sequence[int]) -> tuple[int, ...]:
    """Return the channels that a style names, each once.

    >>> channel_numbers("0-2,7")
    (0, 1, 2, 7)

    Raises:
        UsageError: the text is not a list of numbers and ranges.
    """
    if not isinstance(channels, str):
        return tuple(dict.fromkeys(channels))
    found: list[int] = []
    for part in channels.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise UsageError(f"channels are numbers and ranges, such as 0-15,32, not {channels!r}")
        if dash and int(last) - int(first) > 1_000_000:
            raise UsageError(f"the channels {part.strip()} are more than any layer has")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(dict.fromkeys(found))
