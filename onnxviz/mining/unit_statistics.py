"""Statistics of channels over a data set, as columns: one number a channel in each."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from onnxviz.layout import Array
from onnxviz.mining.histogram import quantile
from onnxviz.mining.state import SUMS, State

Column = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class UnitStatistics:
    """A column each, `(C,)`; `dict(statistics.columns())` makes a table of them, as pandas takes.

    Attributes:
        pictures: pictures without NaN or infinity.
        irregular: pictures with one.
        mean: the mean over all places and pictures, after the nonlinearity.
        std: the deviation of the pictures' means.
        max_mean, max_std: mean and deviation of the pictures' greatest numbers, before a bounded nonlinearity.
        low, high: the least and the greatest of these.
        alive: the share of pictures whose greatest number is above 0.
        full: the share of pictures where it reaches the ceiling of its nonlinearity.
        dead: whether it never is above 0.
        selectivity: how far the class with the greatest mean stands out: (its mean - the mean of the others) / their
            sum where no number is negative (Morcos et al., On the importance of single directions for generalization,
            2018), else the distance in deviations of the pictures' means. NaN without classes.
        best_class: the number of that class, -1 without classes.
    """

    pictures: npt.NDArray[np.int64]
    irregular: npt.NDArray[np.int64]
    mean: Column
    std: Column
    max_mean: Column
    max_std: Column
    low: Column
    high: Column
    alive: Column
    full: Column
    dead: npt.NDArray[np.bool_]
    selectivity: Column
    best_class: npt.NDArray[np.int64]
    _histogram: Array

    def quantile(self, share: float) -> Column:
        """Return below which number a share of the pictures' greatest numbers lies, off by at most 6.3 %."""
        return quantile(self._histogram, share)

    def columns(self) -> dict[str, Array]:
        """Return all columns by name."""
        names = (each.name for each in fields(self) if not each.name.startswith("_"))
        return {name: getattr(self, name) for name in names}


def statistics_of(state: State) -> UnitStatistics:
    """Return the statistics of a state."""
    sums = dict(zip(SUMS, state.sums, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        count = state.pictures.astype(np.float64)
        mean, max_mean = sums["mean"] / count, sums["greatest"] / count
        std = np.sqrt(np.maximum(sums["mean_squared"] / count - mean**2, 0))
        max_std = np.sqrt(np.maximum(sums["greatest_squared"] / count - max_mean**2, 0))
        selectivity, best = _selectivity(state, std)
        return UnitStatistics(
            pictures=state.pictures,
            irregular=state.irregular,
            mean=mean,
            std=std,
            max_mean=max_mean,
            max_std=max_std,
            low=state.low.astype(np.float64),
            high=state.high.astype(np.float64),
            alive=state.alive / count,
            full=state.full / count,
            dead=state.alive == 0,
            selectivity=selectivity,
            best_class=best,
            _histogram=state.histogram,
        )


def _selectivity(state: State, std: Column) -> tuple[Column, npt.NDArray[np.int64]]:
    channels = len(std)
    if len(state.class_sums) < 2:
        return np.full(channels, np.nan), np.full(channels, -1, np.int64)
    means = np.where(state.class_pictures > 0, state.class_sums / state.class_pictures, -np.inf)
    best, column = means.argmax(axis=0), np.arange(channels)
    own, pictures = state.class_sums[best, column], state.class_pictures[best, column]
    rest = (state.class_sums.sum(axis=0) - own) / (state.class_pictures.sum(axis=0) - pictures)
    high = own / pictures
    plain = (high - rest) / (high + rest)
    return np.where((high >= 0) & (rest >= 0), plain, (high - rest) / std), best
