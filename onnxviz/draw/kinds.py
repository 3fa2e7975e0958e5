"""An activation of any shape as pictures: the kind of picture that suits its layout.

Every kind takes one road. `arrange_axes` turns the array into maps `(C, ...)` and names their kind; `prepare` works
out, once, their statistics, their scale and which channels are drawn; the kind's function takes this `Prepared` and
returns the pages. To add a kind:

1. Write `draw/NAME.py` with a function `draw_NAME(prepared: Prepared) -> list[Drawing]`. It lays a `Header` and what
   it draws on a `Page` and ends with `prepared.drawing(page, ...)`; with the style `bare` it draws without words.
2. If the array alone tells the kind, give it a name in `arrange.py`, and a `PictureKind` in `KINDS`, which says what a
   style means for it. A kind that needs more than the array (a picture to lie over, a second activation, patches of
   inputs) has its own entry beside `draw_maps`: it calls `prepare` for each array, with limits in the style where
   several share a scale, and hands on what it needs besides.
3. Add it to `tools/gallery.py` and to `tests/draw`, and look at it in both themes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from onnxviz.draw.arrange import (
    ATTENDED,
    ATTENDED_BANDS,
    ATTENTION,
    BANDS,
    BARS,
    FILMSTRIP,
    MAPS,
    NOTHING,
    SEQUENCES,
    STEP_MAPS,
    Arranged,
    arrange_axes,
    matching,
)
from onnxviz.draw.attention import parse_query
from onnxviz.draw.bands import draw_bands
from onnxviz.draw.bars import draw_bars, draw_wave
from onnxviz.draw.filmstrip import draw_filmstrip, draw_steps
from onnxviz.draw.grid import check_sizes
from onnxviz.draw.header import Header
from onnxviz.draw.montage import draw_montage
from onnxviz.draw.page import BARE, MARGIN, Page
from onnxviz.draw.palette import default_colormap, palette
from onnxviz.draw.prepare import Prepared, check_order, chosen_channels, prepare
from onnxviz.draw.scale import SharedScale, own_scale, parse_scale
from onnxviz.draw.statistics import ChannelStatistics
from onnxviz.draw.style import Caption, Drawing, Style, channel_numbers
from onnxviz.draw.text import face
from onnxviz.layout import Array, Layout

ATTENTION_GAMMA = 0.5
"""The exponent of attention's colours: its rows are spiky, and on a linear scale all but the peaks is black."""


def draw_maps(
    array: Array,
    layout: Layout,
    caption: Caption,
    style: Style,
    statistics: ChannelStatistics | None = None,
) -> list[Drawing]:
    """Draw item 0 of an activation, as one page or several.

    2-D maps become a montage, sequences and tokens bands, a single sequence a wave, volumes and maps in steps a
    filmstrip, vectors and maps of one value bars, attention a montage whose colours lift what is small. What was
    assumed or left out is written behind the caption's line.

    Args:
        array: of any rank and of any dtype; NaN and infinities are shown.
        layout: a letter an axis, such as `NHWC` or `NTC`, or where tokens lie; None or one that does not fit: the rank
            decides.
        caption: the words above; labels are used for a vector of as many values.
        style: how it is drawn.
        statistics: those of its `item_channels`, where they are known.

    Raises:
        UsageError: the style names something that does not exist, such as a channel that the layer does not have.
    """
    arranged = arrange_axes(array, layout)
    if arranged.kind == NOTHING:
        return [_nothing(arranged, caption, style)]
    kind = picture_kind(arranged)
    nameable = arranged.kind == BARS and not arranged.in_steps
    named = nameable and caption.labels is not None and len(caption.labels) == len(arranged.values)
    line = " · ".join(part for part in (caption.line, *arranged.notes) if part)
    labels, first_step = caption.labels if named else arranged.labels, caption.first_step if arranged.in_steps else 0
    token_names = caption.token_names if arranged.kind in _WITH_TOKEN_NAMES else {}
    words = Caption(caption.title, line, labels, first_step, token_names)
    known = matching(statistics, arranged, array, layout)
    prepared = prepare(arranged.values, words, kind.style(style), known)
    prepared = replace(prepared, prefix=arranged.prefix, mark=arranged.mark, groups=arranged.groups)
    return kind.draw(replace(prepared, gamma=kind.gamma, unused=kind.unused_in(style)))


def scale_of(array: Array, layout: Layout, style: Style) -> SharedScale:
    """Return one scale for all that `draw_maps` draws of an array in a style.

    Raises:
        UsageError: the style names something that does not exist.
    """
    arranged = arrange_axes(array, layout)
    if arranged.kind == NOTHING:
        return SharedScale()
    style = picture_kind(arranged).style(style)
    return own_scale(arranged.values[chosen_channels(arranged.values, style)], style)


def check_style(style: Style) -> None:
    """Check a style before there is anything to draw; whether a layer has a channel only `prepare` can say.

    Raises:
        UsageError: a scale, colormap, theme, order, font, size, query or list of channels that does not exist.
    """
    parse_scale(style.scale)
    colormap = default_colormap(False, style.theme) if style.colormap == "auto" else style.colormap
    palette(colormap, style.theme)
    check_order(style.order)
    check_sizes(style)
    parse_query(style.query)
    if style.channels is not None:
        channel_numbers(style.channels)
    face(style.font)


def attention_style(style: Style) -> Style:
    """Return the style with what `auto` means for attention: one scale, magma."""
    return replace(
        style,
        scale="layer" if style.scale == "auto" else style.scale,
        colormap="magma" if style.colormap == "auto" else style.colormap,
    )


def _bars_style(style: Style) -> Style:
    """Return the style of bars, which have one colour and the whole range."""
    return replace(
        style,
        scale="layer" if style.scale == "auto" else style.scale,
        colormap="viridis" if style.colormap == "auto" else style.colormap,
    )


def _wave_style(style: Style) -> Style:
    """Return the style of a wave, whose only channel is drawn."""
    return replace(_bars_style(style), channels=None, order="index", top=None)


@dataclass(frozen=True, slots=True)
class PictureKind:
    """How a kind of picture is made.

    Attributes:
        draw: draws it.
        style: returns what a style means for it.
        gamma: the exponent of its colours.
        unused: the fields of a style that mean nothing for it; a picture says so where they are given.
    """

    draw: Callable[[Prepared], list[Drawing]]
    style: Callable[[Style], Style] = lambda style: style
    gamma: float = 1.0
    unused: tuple[str, ...] = ()

    def unused_in(self, style: Style) -> tuple[str, ...]:
        """Return the fields that a style gives and that mean nothing here."""
        return tuple(name for name in self.unused if getattr(style, name) != getattr(Style(), name))


KINDS = {
    MAPS: PictureKind(draw_montage),
    BANDS: PictureKind(draw_bands, unused=("columns",)),
    BARS: PictureKind(draw_bars, _bars_style, unused=("tile", "columns", "rows")),
    FILMSTRIP: PictureKind(draw_filmstrip),
    STEP_MAPS: PictureKind(draw_steps),
    ATTENTION: PictureKind(draw_montage, attention_style, ATTENTION_GAMMA),
    ATTENDED: PictureKind(draw_montage, attention_style, ATTENTION_GAMMA),
    ATTENDED_BANDS: PictureKind(draw_bands, attention_style, ATTENTION_GAMMA, unused=("columns",)),
}
WAVE = PictureKind(draw_wave, _wave_style, unused=("tile", "columns", "rows", "channels", "order", "top"))
"""The kinds by what `arrange_axes` calls them, and that of a single sequence."""

_WITH_TOKEN_NAMES = (ATTENTION, *SEQUENCES)
"""The kinds along whose axes tokens lie one after the other, so that each may have a name."""


def picture_kind(arranged: Arranged) -> PictureKind:
    """Return how an arranged array is drawn; not for one that has nothing to draw."""
    return WAVE if arranged.kind == BANDS and len(arranged.values) == 1 else KINDS[arranged.kind]


def _nothing(arranged: Arranged, caption: Caption, style: Style) -> Drawing:
    """Return a page that says why there is nothing on it."""
    page, header = Page(2 * BARE, 2 * BARE), Header(caption, arranged.notes)
    if not style.bare:
        page = Page(480, header.height(480, style.font) + MARGIN, style.font)
        header.draw(page)
    return Drawing(page.image("viridis", style.theme), text={"Title": caption.title, "Description": caption.line})
