"""How the words of a figure look: sizes, colours, and how much room they take in centimetres."""

from __future__ import annotations

from dataclasses import dataclass

from onnxviz.draw.figure.figure_parts import POINT, FigureText, Rectangle
from onnxviz.draw.palette import Colour, find_theme
from onnxviz.draw.text import face
from onnxviz.words import number_text

SMALLEST = 6.0
"""Points below which nothing is written, unless a smaller size is asked for."""

# How much of the ink is in what is less important; its contrast with the paper is 6 : 1.
_MUTED, _RULE, _FRAME = 0.69, 0.8, 0.3
_LINE = 1.2
# How far below its middle the baseline of a number is, and how high its digits, in sizes.
_MIDDLE, _CAPITALS = 0.35, 0.72


@dataclass(frozen=True, slots=True)
class Look:
    """The words of a figure.

    Attributes:
        size: points of heads; a title is a point larger, numbers a point smaller.
        theme: `light` or `dark`.
        font: a TrueType or OpenType file; None is the font that Pillow carries.
    """

    size: float = 7.0
    theme: str = "light"
    font: str | None = None

    @property
    def small(self) -> float:
        """Points of numbers: SMALLEST at least, unless heads are smaller."""
        return max(self.size - 1, min(SMALLEST, self.size))

    @property
    def large(self) -> float:
        """Points of the title."""
        return self.size + 1

    @property
    def background(self) -> Colour:
        """The colour of the paper."""
        return find_theme(self.theme).background

    @property
    def ink(self) -> Colour:
        """The colour of heads."""
        return self.mixed(1.0)

    @property
    def muted(self) -> Colour:
        """The colour of numbers."""
        return self.mixed(_MUTED)

    @property
    def rule(self) -> Colour:
        """The colour of ticks and axes."""
        return self.mixed(_RULE)

    @property
    def frame(self) -> Colour:
        """The colour of lines around maps."""
        return self.mixed(_FRAME)

    def mixed(self, share: float) -> Colour:
        """Return the paper's colour with this share of the ink's."""
        theme = find_theme(self.theme)
        red, green, blue = (
            round(paper + (ink - paper) * share) for paper, ink in zip(theme.background, theme.ink, strict=True)
        )
        return red, green, blue

    def line(self, size: float) -> float:
        """Return how high a line of this size is, in centimetres."""
        return size * _LINE * POINT

    def width(self, text: str, size: float) -> float:
        """Return how wide a text is, in centimetres."""
        return face(self.font).em(text) * size * POINT

    def fitted(self, text: str, size: float, width: float) -> str:
        """Return a text in characters of the font, with an ellipsis in its middle if it is wider than `width`."""
        return face(self.font).fit_em(text, width / (size * POINT))

    def number(self, value: float, x: float, y: float, within: Rectangle, anchor: str = "l") -> FigureText:
        """Return a number beside the height y of what it is about, and not above or below this."""
        height = self.small * POINT
        baseline = min(max(y + height * _MIDDLE, within.top + height * _CAPITALS), within.bottom)
        return self.note(number_text(value), x, baseline, anchor)

    def head(self, text: str, x: float, y: float, anchor: str = "l", *, turned: bool = False) -> FigureText:
        """Return a head at a baseline."""
        return FigureText(self._plain(text), x, y, self.size, self.ink, anchor, turned)

    def note(self, text: str, x: float, y: float, anchor: str = "l", *, turned: bool = False) -> FigureText:
        """Return a number or a word of less weight at a baseline."""
        return FigureText(self._plain(text), x, y, self.small, self.muted, anchor, turned)

    def _plain(self, text: str) -> str:
        return face(self.font).plain(text)
