"""An activation of any shape as pictures: the kind of drawing that suits its layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from onnxviz.draw.arrange import ATTENTION, BANDS, BARS, FILMSTRIP, NOTHING, Arranged, arrange_axes, fitting
from onnxviz.draw.bands import draw_bands
from onnxviz.draw.bars import draw_bars, draw_wave
from onnxviz.draw.filmstrip import draw_filmstrip
from onnxviz.draw.grid import check_sizes
from onnxviz.draw.header import Header
from onnxviz.draw.montage import check_order, draw_montage
from onnxviz.draw.page import BARE, MARGIN, Page
from onnxviz.draw.palette import default_colormap, palette
from onnxviz.draw.scale import ChannelStatistics, parse_scale
from onnxviz.draw.style import Caption, Drawing, Style, channel_numbers
from onnxviz.draw.text import face

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

ATTENTION_GAMMA = 0.5
"""The exponent of attention's colours: its rows are spiky, and on a linear scale all but the peaks is black."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an activation: names of a vector's values, and the statistics of its `item_channels`."""

    labels: Sequence[str] | None = None
    statistics: ChannelStatistics | None = None


def draw_maps(
    array: npt.NDArray[Any], layout: str | None, caption: Caption, style: Style, known: Known | None = None
) -> list[Drawing]:
    """Draw item 0 of an activation, as one page or several.

    2-D maps and tokens on a square grid become a montage, sequences bands, a single sequence a wave, volumes a
    filmstrip, vectors and maps of one value bars, attention a montage whose colours lift what is small. What was
    assumed or left out is written behind the caption's line.

    Args:
        array: of any rank and of any dtype; NaN and infinities are shown.
        layout: a letter an axis, such as `NHWC` or `NTC`; None or one that does not fit: the rank decides.
        caption: the words above.
        style: how it is drawn.
        known: what need not be found out.
    """
    arranged = arrange_axes(array, layout)
    if arranged.kind == NOTHING:
        return [_nothing(arranged, caption, style)]
    known = known or Known()
    statistics = fitting(known.statistics, arranged, array, layout)
    caption = Caption(caption.title, " · ".join(part for part in (caption.line, *arranged.notes) if part))
    if arranged.kind == BARS:
        return draw_bars(arranged.values, caption, style, known.labels)
    if arranged.kind == BANDS and len(arranged.values) == 1:
        return draw_wave(arranged.values[0], caption, style)
    if arranged.kind == BANDS:
        return draw_bands(arranged.values, caption, style, statistics)
    if arranged.kind == FILMSTRIP:
        return draw_filmstrip(arranged.values, caption, style)
    if arranged.kind == ATTENTION:
        return draw_montage(arranged.values, caption, attention_style(style), gamma=ATTENTION_GAMMA)
    return draw_montage(arranged.values, caption, style, statistics=statistics)


def check_style(style: Style) -> None:
    """Refuse a style before there is anything to draw with it; whether a layer has a channel is only known there.

    Raises:
        UsageError: a scale, colormap, theme, order, font, size or list of channels that does not exist.
    """
    parse_scale(style.scale)
    colormap = default_colormap(False, style.theme) if style.colormap == "auto" else style.colormap
    palette(colormap, style.theme)
    check_order(style.order)
    check_sizes(style)
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


def _nothing(arranged: Arranged, caption: Caption, style: Style) -> Drawing:
    """Return a page that says why there is nothing on it."""
    text = {"Title": caption.title, "Description": caption.line}
    if style.bare:
        return Drawing(Page(2 * BARE, 2 * BARE).image("viridis", style.theme), text=text)
    header = Header(caption, arranged.notes)
    height = header.height(480, style.font)
    page = Page(480, height + MARGIN, style.font)
    header.draw(page)
    return Drawing(page.image("viridis", style.theme), text=text)
