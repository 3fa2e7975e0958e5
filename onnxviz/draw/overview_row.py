"""What an overview keeps of a layer: small arrays only, so that its maps can be let go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from onnxviz.draw.arrange import BANDS, BARS, FILMSTRIP, NOTHING, arrange_axes, fitting
from onnxviz.draw.bars import Columns, spans
from onnxviz.draw.projection import pca_rgb
from onnxviz.draw.scale import Array, ChannelStatistics, channel_statistics

if TYPE_CHECKING:
    import numpy.typing as npt

TILE = 112
"""The longer side, in pixels, of every picture in a row; larger maps are averaged down to it."""

SHOWN = 7
"""How many channels are shown in a row."""

NAMED = 8
"""How many of a vector's largest values are told."""

THINNEST = 8
"""Pixels that the shorter side of a picture keeps."""

CURVE = 150
"""Pixels, and therefore points at most, of the sorted curve."""

STRIP = 2 * (TILE + 10) + 14 + SHOWN * (TILE + 6) - 6
"""Width in pixels of a vector's bars, which take the place of the tiles."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A number a channel, sorted, the greatest first, and thinned to at most CURVE points."""

    points: npt.NDArray[np.float64]
    greatest: float
    median: float


@dataclass(frozen=True, slots=True)
class MapsLook:
    """What is shown of maps.

    Attributes:
        mean: the mean over the channels `(h, w) float32`; `mean_range` is that of the mean at full size.
        projection: the three principal components `(h, w, 3) uint8`; `share` is their share of the variance.
        top: the channels with the greatest spatial deviation, the greatest first.
        tiles: their maps `(n, h, w) float32`; `statistics` are theirs at full size.
    """

    mean: npt.NDArray[np.float32]
    mean_range: tuple[float, float]
    projection: npt.NDArray[np.uint8]
    share: float
    top: tuple[int, ...]
    tiles: npt.NDArray[np.float32]
    statistics: ChannelStatistics


@dataclass(frozen=True, slots=True)
class VectorLook:
    """What is shown of a vector: its bars, and where its largest values are."""

    columns: Columns
    top: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """A layer in an overview.

    Attributes:
        name: the layer's name.
        line: its operator and shape, or whatever is to be said of it.
        kind: the kind of its maps, see `Arranged`.
        notes: what was assumed or left out when its maps were arranged.
        channels: how many there are; a vector has as many as values.
        live: how many of them are not constant and have a finite value; in a vector, not zero.
        irregular: how many have values that are not finite.
        range: the least and the greatest finite value, NaN where there is none.
        look: what is shown: pictures of the maps, or a vector's bars.
        curve: the spatial deviation of the channels; of a vector, the magnitudes.
    """

    name: str
    line: str
    kind: str
    notes: tuple[str, ...] = ()
    channels: int = 0
    live: int = 0
    irregular: int = 0
    range: tuple[float, float] = (np.nan, np.nan)
    look: MapsLook | VectorLook | None = None
    curve: Curve | None = None


def summarise(
    array: npt.NDArray[Any],
    layout: str | None,
    name: str,
    line: str,
    statistics: ChannelStatistics | None = None,
) -> OverviewRow:
    """Return what an overview shows of a layer's activation (item 0 of it); the array is not kept.

    Args:
        array: of any rank and dtype.
        layout: a letter an axis, or None: the rank decides, see `arrange_axes`.
        name: the layer's name.
        line: what is to be said of it, such as its operator and shape.
        statistics: those of its `item_channels`, where they are known.
    """
    arranged = arrange_axes(array, layout)
    row = OverviewRow(name, line, arranged.kind, arranged.notes)
    if arranged.kind == NOTHING:
        return row
    if arranged.kind == BARS:
        return _vector_row(row, arranged.values.astype(np.float64))
    return _maps_row(row, arranged.values, fitting(statistics, arranged, array, layout))


def _vector_row(row: OverviewRow, values: npt.NDArray[np.float64]) -> OverviewRow:
    finite = values[np.isfinite(values)]
    top = np.lexsort((-values, np.isnan(values)))[:NAMED]
    return replace(
        row,
        channels=len(values),
        live=int(np.count_nonzero(values)),
        irregular=len(values) - len(finite),
        range=(float(finite.min()), float(finite.max())) if len(finite) else row.range,
        look=VectorLook(spans(values, min(len(values), STRIP)), tuple(top.tolist()), tuple(values[top].tolist())),
        curve=_curve(np.abs(values)),
    )


def _maps_row(row: OverviewRow, values: Array, statistics: ChannelStatistics | None) -> OverviewRow:
    """Summarise `(C, ...)`: a sequence is a map of one row, a volume is shown by its middle slice."""
    whole = channel_statistics(values) if statistics is None else statistics
    notes, shown, statistics = row.notes, values, whole
    if row.kind == FILMSTRIP:
        depth = values.shape[1]
        shown = np.ascontiguousarray(values[:, depth // 2])
        statistics = channel_statistics(shown)
        notes = (*notes, f"slice {depth // 2} of {depth}")
    elif row.kind == BANDS:
        shown = values[:, None]
    return replace(
        row,
        notes=notes,
        channels=len(values),
        live=int(np.count_nonzero(~whole.constant & ~np.isnan(whole.minimum))),
        irregular=int(np.count_nonzero(whole.irregular)),
        range=whole.range,
        look=_look(shown, statistics),
        curve=_curve(statistics.deviation),
    )


def _look(maps: Array, statistics: ChannelStatistics) -> MapsLook:
    mean = _mean(maps)
    finite = mean[np.isfinite(mean)]
    projection, share = pca_rgb(maps)
    top = np.argsort(-np.nan_to_num(statistics.deviation, nan=-1.0), kind="stable")[:SHOWN]
    return MapsLook(
        mean=shrink(mean),
        mean_range=(float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan),
        projection=shrink(projection),
        share=share,
        top=tuple(top.tolist()),
        tiles=np.stack([shrink(maps[channel].astype(np.float32)) for channel in top]),
        statistics=statistics.take(top),
    )


def _mean(maps: Array) -> npt.NDArray[np.float32]:
    """Return the mean over the channels; what is not finite in some of them does not count."""
    with np.errstate(all="ignore"):
        mean: npt.NDArray[np.float32] = maps.mean(axis=0).astype(np.float32)
        if not np.isfinite(mean).all():
            finite = np.isfinite(maps)
            mean = np.where(finite, maps, 0).sum(axis=0, dtype=np.float64) / finite.sum(axis=0)
        return mean.astype(np.float32)


def _curve(values: npt.NDArray[np.float64]) -> Curve:
    """Sort and thin: each point is the greatest of those it stands for."""
    ordered = np.sort(np.where(np.isfinite(values), values, 0.0))[::-1]
    starts = np.arange(min(CURVE, len(ordered))) * len(ordered) // min(CURVE, len(ordered))
    return Curve(ordered[starts], float(ordered[0]), float(np.median(ordered)))


def shrink(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a picture `(H, W)` or `(H, W, 3)` whose longer side is at most TILE, by area means.

    A long thin picture keeps up to THINNEST pixels across.
    """
    height, width = picture.shape[:2]
    longer = max(height, width)
    if longer <= TILE:
        return np.array(picture)
    size = tuple(max(min(side, THINNEST), round(side * TILE / longer)) for side in (width, height))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
