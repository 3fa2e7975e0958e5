"""A layer in an overview, as small arrays: its maps need not be kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from onnxviz.draw.arrange import BANDS, BARS, FILMSTRIP, NOTHING, arrange_axes, matching
from onnxviz.draw.bands import strongest
from onnxviz.draw.bars import Columns, spans, vertical_limits
from onnxviz.draw.kinds import picture_kind
from onnxviz.draw.overview.boxes import CURVE, ONE_LINE, SAMPLES, SHOWN, STRIP, THINNEST, Boxes, choose_boxes
from onnxviz.draw.prepare import chosen_channels
from onnxviz.draw.projection import pca_rgb
from onnxviz.draw.scale import own_scale
from onnxviz.draw.statistics import ChannelStatistics, channel_extremes, channel_statistics, irregular_words
from onnxviz.draw.style import Caption, Style
from onnxviz.layout import Array

NAMED = 8
"""How many of a vector's largest values are named."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One number for each channel, the greatest first, thinned to at most CURVE points."""

    points: npt.NDArray[np.float64]
    greatest: float
    median: float


@dataclass(frozen=True, slots=True)
class MapsLook:
    """The pictures of maps; sequences count as maps of one row. A single channel has its tile alone.

    Attributes:
        boxes: where its pictures stand in the row; sequences, which stand one below the other, do not use it.
        mean: the mean over the channels `(h, w) float32`; `mean_range` is that of the mean at full size.
        projection: the three principal components `(h, w, 3) uint8`; `share` is their share of the variance.
        top: of the channels that the style draws those with the greatest spatial deviation, the greatest first; or the
            first of the style's order.
        tiles: their maps `(n, h, w) float32`; `statistics` are theirs at full size.
    """

    mean: npt.NDArray[np.float32]
    mean_range: tuple[float, float]
    projection: npt.NDArray[np.uint8]
    share: float
    top: tuple[int, ...]
    tiles: npt.NDArray[np.float32]
    statistics: ChannelStatistics
    boxes: Boxes = ONE_LINE


@dataclass(frozen=True, slots=True)
class VectorLook:
    """The bars of a vector or a single sequence, its largest values and their indices, and the ends of the axis."""

    columns: Columns
    top: tuple[int, ...]
    values: tuple[float, ...]
    ends: tuple[float, float]


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """A layer in an overview.

    Attributes:
        caption: the layer's name, and a line about it.
        kind: the kind of its maps, see `Arranged`.
        notes: what was assumed or left out to arrange its maps.
        channels: how many there are; in a vector each value is one.
        live: how many of them are not constant and have a finite value; in a vector, not zero.
        irregular: in how many of them values are not finite, in words; else empty.
        range: the least and the greatest finite value; NaN if no value is finite.
        look: the pictures of maps, or the bars of a vector.
        limits: the ends of the scale that all inputs share; None where each picture has its own.
        curve: the spatial deviation of the channels, None for a single one; for a vector, the magnitudes.
    """

    caption: Caption
    kind: str
    notes: tuple[str, ...] = ()
    channels: int = 0
    live: int = 0
    irregular: str = ""
    range: tuple[float, float] = (np.nan, np.nan)
    look: MapsLook | VectorLook | None = None
    limits: tuple[float, float] | None = None
    curve: Curve | None = None

    @property
    def shown(self) -> tuple[int, ...]:
        """The channels whose maps are shown; none of a vector, all of whose bars are."""
        return self.look.top if isinstance(self.look, MapsLook) else ()


def summarise(
    array: Array,
    layout: str | None,
    caption: Caption,
    statistics: ChannelStatistics | None = None,
    style: Style | None = None,
) -> OverviewRow:
    """Return the row of a layer's activation, of item 0; the array is not kept.

    Args:
        array: of any rank and dtype.
        layout: a letter an axis, or None: the rank decides, see `arrange_axes`.
        caption: the layer's name, and a line about it, such as its operator and shape.
        statistics: those of its `item_channels`, where they are known.
        style: its `channels`, `order` and `top` say which channels may be shown, its `limits` on which scale.

    Raises:
        UsageError: the style names a channel that the layer does not have.
    """
    arranged, style = arrange_axes(array, layout), style or Style()
    row = OverviewRow(caption, arranged.kind, arranged.notes, limits=style.limits)
    if arranged.kind == NOTHING:
        return row
    style = picture_kind(arranged).style(style)
    if arranged.kind == BARS:
        return _vector_row(row, arranged.values.astype(np.float64), style)
    return _maps_row(row, arranged.values, style, matching(statistics, arranged, array, layout))


def _vector_row(row: OverviewRow, values: npt.NDArray[np.float64], style: Style) -> OverviewRow:
    finite = values[np.isfinite(values)]
    return replace(
        row,
        channels=len(values),
        live=int(np.count_nonzero(values)),
        irregular=irregular_words(values[:, None], channel_statistics(values[:, None])),
        range=(float(finite.min()), float(finite.max())) if len(finite) else row.range,
        look=_vector_look(values, chosen_channels(values, style), style),
        curve=_curve(np.abs(values)),
    )


def _vector_look(values: npt.NDArray[np.float64], indices: npt.NDArray[np.intp], style: Style) -> VectorLook:
    """Return the bars of the values with these indices."""
    shown = values[indices]
    top = np.lexsort((-shown, np.isnan(shown)))[:NAMED]
    scale = own_scale(values, style)
    columns, ends = spans(shown, min(len(shown), STRIP)), vertical_limits(scale.low, scale.high)
    return VectorLook(columns, tuple(indices[top].tolist()), tuple(shown[top].tolist()), ends)


def _maps_row(row: OverviewRow, values: Array, style: Style, statistics: ChannelStatistics | None) -> OverviewRow:
    """Summarise `(C, ...)`; a volume is shown by its middle slice."""
    whole = channel_statistics(values) if statistics is None else statistics
    notes, shown, statistics = row.notes, values, whole
    if row.kind == FILMSTRIP:
        depth = values.shape[1]
        shown = np.ascontiguousarray(values[:, depth // 2])
        statistics = channel_statistics(shown)
        notes = (*notes, f"slice {depth // 2} of {depth}")
    look: MapsLook | VectorLook
    if row.kind == BANDS and len(values) == 1:
        look = _vector_look(values[0].astype(np.float64), np.arange(values.shape[1]), style)
    else:
        top = _most_varied(statistics, chosen_channels(values, style, whole), style)
        look = (_sequences_look if row.kind == BANDS else _look)(shown, statistics, top)
    return replace(
        row,
        notes=notes,
        channels=len(values),
        live=int(np.count_nonzero(whole.live)),
        irregular=irregular_words(values, whole),
        range=whole.range,
        look=look,
        curve=_curve(statistics.deviation) if len(values) > 1 else None,
    )


def _look(maps: Array, statistics: ChannelStatistics, top: npt.NDArray[np.intp]) -> MapsLook:
    mean = _mean(maps)
    projection, share = pca_rgb(maps) if len(maps) > 1 else (np.zeros((1, 1, 3), np.uint8), 0.0)
    boxes = choose_boxes(1 if len(maps) == 1 else 2 + len(top), *mean.shape)
    return MapsLook(
        mean=shrink(mean, boxes.size),
        mean_range=channel_extremes(mean[None]).range,
        projection=shrink(projection, boxes.size),
        share=share,
        top=tuple(top.tolist()),
        tiles=np.stack([shrink(maps[channel].astype(np.float32), boxes.size) for channel in top]),
        statistics=statistics.take(top),
        boxes=boxes,
    )


def _sequences_look(values: Array, statistics: ChannelStatistics, top: npt.NDArray[np.intp]) -> MapsLook:
    """Return the pictures of sequences `(C, L)`, long ones by their strongest samples."""
    count = min(SAMPLES, values.shape[1])
    starts = np.arange(count) * values.shape[1] // count
    short, mean = strongest(values, starts)[:, None], _mean(values)[None]
    projection, share = pca_rgb(short)
    return MapsLook(
        mean=strongest(mean, starts),
        mean_range=channel_extremes(mean[None]).range,
        projection=projection,
        share=share,
        top=tuple(top.tolist()),
        tiles=short[top].astype(np.float32),
        statistics=statistics.take(top),
    )


def _most_varied(statistics: ChannelStatistics, channels: npt.NDArray[np.intp], style: Style) -> npt.NDArray[np.intp]:
    """Return the first of some channels in the style's order, or those that vary most, the greatest first."""
    if style.order != "index":  # they are in order already
        return channels[:SHOWN]
    strength = np.nan_to_num(statistics.deviation[channels], nan=-1.0)
    return channels[np.argsort(-strength, kind="stable")[:SHOWN]]


def _mean(maps: Array) -> npt.NDArray[np.float32]:
    """Return the mean over the channels; values that are not finite do not count."""
    with np.errstate(all="ignore"):
        mean: npt.NDArray[np.float32] = maps.mean(axis=0).astype(np.float32)
        if not np.isfinite(mean).all():
            finite = np.isfinite(maps)
            mean = np.where(finite, maps, 0).sum(axis=0, dtype=np.float64) / finite.sum(axis=0)
        return mean.astype(np.float32)


def _curve(values: npt.NDArray[np.float64]) -> Curve:
    """Sort values and thin them: each point is the greatest of those that it stands for."""
    ordered = np.sort(np.where(np.isfinite(values), values, 0.0))[::-1]
    starts = np.arange(min(CURVE, len(ordered))) * len(ordered) // min(CURVE, len(ordered))
    return Curve(ordered[starts], float(ordered[0]), float(np.median(ordered)))


def shrink(picture: Array, box: tuple[int, int]) -> Array:
    """Return a picture `(H, W)` or `(H, W, 3)` that fits a box (height, width) of pixels, by area means.

    A long thin picture keeps up to THINNEST pixels across.
    """
    height, width = picture.shape[:2]
    share = min(box[0] / height, box[1] / width)
    if share >= 1:
        return np.array(picture)
    size = tuple(max(min(side, THINNEST), round(side * share)) for side in (width, height))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
