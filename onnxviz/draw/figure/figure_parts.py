"""What a figure is made of: pictures, filled areas and texts, each with its place on the paper.

Lengths are centimetres from the upper left corner, to the right and downwards; sizes of text are points.

    Figure 8.9 x 6.2 cm
      Panel "stem/conv" x "cat"     place 0.5, 0.8, 2.6, 2.6     16 pictures of 112 x 112
      FigureBar "stem/conv"         place 8.0, 0.8, 0.2, 2.6     0 .. 5.9
      FigureText "cat"              7 pt at 1.8, 0.6
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from onnxviz.draw.encode import encode
from onnxviz.draw.palette import Colour
from onnxviz.errors import UsageError

POINT = 2.54 / 72
"""Centimetres in a point."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle on the paper, in centimetres."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.top + self.height

    def moved(self, right: float, down: float) -> Rectangle:
        """Return the same rectangle elsewhere."""
        return replace(self, left=self.left + right, top=self.top + down)

    def grown(self, by: float) -> Rectangle:
        """Return the rectangle with a margin of this width around it."""
        return Rectangle(self.left - by, self.top - by, self.width + 2 * by, self.height + 2 * by)


@dataclass(frozen=True, slots=True, eq=False)
class FigureImage:
    """A picture, one pixel a value of its map.

    Attributes:
        place: where it is printed.
        pixels: (H, W) uint8 indices into `colours`, or (H, W, 3) uint8 of red, green and blue.
        colours: (256, 3) uint8, None for a picture of red, green and blue.
    """

    place: Rectangle
    pixels: npt.NDArray[np.uint8]
    colours: npt.NDArray[np.uint8] | None = None

    @property
    def rgb(self) -> npt.NDArray[np.uint8]:
        """The pixels as (H, W, 3) uint8."""
        return self.pixels if self.colours is None else self.colours[self.pixels]

    @property
    def png(self) -> bytes:
        """The picture as a PNG of its own pixels."""
        image = Image.fromarray(self.pixels)
        if self.colours is not None:
            image.putpalette(self.colours.tobytes())
        return encode(image, ".png", enlarged=False, small=True)

    def moved(self, right: float, down: float) -> FigureImage:
        """Return the same picture elsewhere."""
        return replace(self, place=self.place.moved(right, down))


@dataclass(frozen=True, slots=True)
class FigureArea:
    """A filled rectangle: a bar of a plot, a tick, a frame below a picture."""

    place: Rectangle
    colour: Colour

    def moved(self, right: float, down: float) -> FigureArea:
        """Return the same area elsewhere."""
        return replace(self, place=self.place.moved(right, down))


@dataclass(frozen=True, slots=True)
class FigureText:
    """A line of text.

    Attributes:
        text: in characters that the figure's font has.
        x: where it begins (anchor `l`), is centred (`m`) or ends (`r`).
        y: its baseline.
        size: in points.
        colour: of the letters.
        anchor: `l`, `m` or `r`.
        turned: whether it reads upwards; `x` is then its baseline, and `y` the place of its anchor.
    """

    text: str
    x: float
    y: float
    size: float
    colour: Colour
    anchor: str = "l"
    turned: bool = False

    def moved(self, right: float, down: float) -> FigureText:
        """Return the same text elsewhere."""
        return replace(self, x=self.x + right, y=self.y + down)


@dataclass(frozen=True, slots=True)
class FigureMarks:
    """What is drawn: areas first, then images, then texts."""

    areas: tuple[FigureArea, ...] = ()
    images: tuple[FigureImage, ...] = ()
    texts: tuple[FigureText, ...] = ()

    def moved(self, right: float, down: float) -> FigureMarks:
        """Return the same elsewhere."""
        return FigureMarks(
            tuple(area.moved(right, down) for area in self.areas),
            tuple(image.moved(right, down) for image in self.images),
            tuple(text.moved(right, down) for text in self.texts),
        )


def joined(parts: Iterable[FigureMarks]) -> FigureMarks:
    """Return the marks of several parts as one."""
    kept = list(parts)
    return FigureMarks(
        tuple(area for part in kept for area in part.areas),
        tuple(image for part in kept for image in part.images),
        tuple(text for part in kept for text in part.texts),
    )


@dataclass(frozen=True, slots=True)
class Panel:
    """The maps of one layer for one input.

    Attributes:
        layer, source: the layer's head, and the input's; empty where a figure has none.
        place: the room of all its maps.
        marks: what is drawn.
        channels: their numbers in the layer, in the order in which they stand.
    """

    layer: str
    source: str
    place: Rectangle
    marks: FigureMarks
    channels: tuple[int, ...] = ()

    def moved(self, right: float, down: float) -> Panel:
        """Return the same panel elsewhere."""
        return replace(self, place=self.place.moved(right, down), marks=self.marks.moved(right, down))


@dataclass(frozen=True, slots=True)
class FigureBar:
    """A bar of the colours of a scale.

    Attributes:
        layers: the layers that are drawn on this scale.
        place: the room of the bar itself.
        marks: the colours, the ticks and what is written at them.
        low, high: the numbers at its ends; NaN where each channel has a scale of its own.
    """

    layers: tuple[str, ...]
    place: Rectangle
    marks: FigureMarks
    low: float
    high: float

    def moved(self, right: float, down: float) -> FigureBar:
        """Return the same bar elsewhere."""
        return replace(self, place=self.place.moved(right, down), marks=self.marks.moved(right, down))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure for print: its size, and all that is on it. `onnxviz.figure` makes one; it can be changed, and saved.

    Attributes:
        width_cm: its width.
        height_cm: its height.
        panels: the maps, row by row.
        bars: the colour bars.
        around: title, heads and legend.
        background: the colour of the paper, red, green and blue.
        font: a TrueType or OpenType file; None is the font that Pillow carries.
        notes: what a caption should say, such as how many channels are shown.
    """

    width_cm: float
    height_cm: float
    panels: tuple[Panel, ...] = ()
    bars: tuple[FigureBar, ...] = ()
    around: FigureMarks = FigureMarks()
    background: Colour = (255, 255, 255)
    font: str | None = None
    notes: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str], *, dpi: int = 300, force: bool = False) -> None:
        """Write the figure; the suffix chooses the format: `.pdf`, `.svg`, `.png`, `.tif` or `.tiff`.

        `dpi` is for the two last, which have pixels. The file appears whole or not at all.

        Raises:
            UsageError: Figures are not written in this format, or fpdf2 is missing, which writes PDF.
            OutputError: The file exists and `force` is not given, or it cannot be written.
        """
        from onnxviz.files import writing

        with writing(Path(path), force=force) as target:
            target.write(self.encoded(Path(path).suffix, dpi=dpi))

    def encoded(self, suffix: str, *, dpi: int = 300) -> bytes:
        """Return the figure as the bytes of a file with this suffix; see `save`."""
        from onnxviz.draw.figure.writers import encode_figure

        return encode_figure(self, suffix, dpi)

    def above(self, other: Figure, gap_cm: float = 0.3) -> Figure:
        """Return both as one figure, this one above the other.

        Raises:
            UsageError: Their fonts or backgrounds differ.
        """
        return self._with(other, 0.0, self.height_cm + gap_cm)

    def beside(self, other: Figure, gap_cm: float = 0.3) -> Figure:
        """Return both as one figure, this one at the left of the other.

        Raises:
            UsageError: Their fonts or backgrounds differ.
        """
        return self._with(other, self.width_cm + gap_cm, 0.0)

    @property
    def marks(self) -> FigureMarks:
        """All that is drawn."""
        return joined([self.around, *(panel.marks for panel in self.panels), *(bar.marks for bar in self.bars)])

    def _with(self, other: Figure, right: float, down: float) -> Figure:
        if (self.font, self.background) != (other.font, other.background):
            raise UsageError("two figures that are joined need one font and one background")
        return replace(
            self,
            width_cm=max(self.width_cm, other.width_cm + right),
            height_cm=max(self.height_cm, other.height_cm + down),
            panels=(*self.panels, *(panel.moved(right, down) for panel in other.panels)),
            bars=(*self.bars, *(bar.moved(right, down) for bar in other.bars)),
            around=joined([self.around, other.around.moved(right, down)]),
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
        )

    def _repr_png_(self) -> bytes:
        return self.encoded(".png", dpi=150)

    def __repr__(self) -> str:
        return f"<Figure {self.width_cm:.1f} x {self.height_cm:.1f} cm: {len(self.panels)} panels>"
