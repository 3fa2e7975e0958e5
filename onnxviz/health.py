"""`Health`: how many values of each channel are NaN, infinite or saturated, and which channels are dead.

Of three channels behind a ReLU6, with two values each, let the first be 0 and 0: it is dead. Let the second be 1 and 6:
one of its values is saturated, as 6 is the most that a ReLU6 lets through. Let the third be NaN and 2: it is alive, and
the NaN is counted. Counts of several inputs are added; then a channel is dead if it is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from onnxviz.bounds import Bounds
from onnxviz.words import number_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onnxviz.extremes import Extremes
    from onnxviz.layout import Array


@dataclass(frozen=True, slots=True)
class HealthTotals:
    """The counts of a layer: of its channels the alive and the dead, of its values those that are not well.

    A channel is neither alive nor dead if none of its values is finite.
    """

    channels: int = 0
    alive: int = 0
    dead: int = 0
    values: int = 0
    nan: int = 0
    inf: int = 0
    saturated_low: int = 0
    saturated_high: int = 0

    @property
    def saturated(self) -> int:
        """How many values are at either end."""
        return self.saturated_low + self.saturated_high

    def share(self, what: str) -> float:
        """Return the share of `nan`, `inf` or `saturated` among the values, or of `dead` among the channels."""
        count: int = getattr(self, what)
        return count / max(1, self.channels if what == "dead" else self.values)

    @property
    def not_finite(self) -> str:
        """How many values are not finite, in words; nothing where all are.

        >>> HealthTotals(values=102400, nan=102400).not_finite, HealthTotals(values=4, nan=1, inf=2).not_finite
        ('102,400 NaN', '1 NaN, 2 inf')
        """
        counts = {"NaN": self.nan, "inf": self.inf}
        return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)

    @property
    def words(self) -> str:
        """What is not well of the values, in words; nothing where all is.

        >>> HealthTotals(8, 5, 3, values=200, nan=2, saturated_low=1, saturated_high=4).words
        '2 NaN, 2.5 % saturated'
        """
        saturated = f"{number_text(100 * self.share('saturated'), 2)} % saturated" if self.saturated else ""
        return ", ".join(filter(None, (self.not_finite, saturated)))

    @property
    def live(self) -> str:
        """How many channels are alive; nothing of a vector of one input, which does not say it.

        >>> HealthTotals(8, 5, 3, values=200).live, HealthTotals(8, 8, 0, values=8).live
        ('5 of 8', '')
        """
        return f"{self.alive:,} of {self.channels:,}" if self.values > self.channels else ""

    def as_json(self) -> dict[str, int]:
        """Return the counts by their names."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """The counts of each channel of a layer, (C,) each.

    Attributes:
        values: how many values were looked at.
        nan, inf: how many of them are NaN, and infinite of either sign.
        saturated_low, saturated_high: how many finite ones are at or beyond an end that counts, see `Bounds`.
        minimum, maximum: the least and the greatest finite value, NaN where there is none.
    """

    values: NDArray[np.int64]
    nan: NDArray[np.int64]
    inf: NDArray[np.int64]
    saturated_low: NDArray[np.int64]
    saturated_high: NDArray[np.int64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    @property
    def dead(self) -> NDArray[np.bool_]:
        """(C,) whether all values are finite and the same but for rounding; False where there is but one value."""
        from onnxviz.extremes import is_constant

        same = is_constant(self.minimum, self.maximum)
        found: NDArray[np.bool_] = same & (self.nan + self.inf == 0) & (self.values > 1)
        return found

    @property
    def alive(self) -> NDArray[np.bool_]:
        """(C,) whether a channel has a finite value and is not dead."""
        found: NDArray[np.bool_] = ~self.dead & (self.minimum == self.minimum)  # NaN is not equal to itself
        return found

    @property
    def totals(self) -> HealthTotals:
        """The counts of the whole layer."""
        sums = {name: int(getattr(self, name).sum()) for name in _COUNTS}
        dead, finite = int(self.dead.sum()), int((self.minimum == self.minimum).sum())
        return HealthTotals(len(self.values), finite - dead, dead, **sums)

    @property
    def whole(self) -> Health:
        """The same with all channels taken for one."""
        import numpy as np

        sums = {name: np.array([getattr(self, name).sum()], np.int64) for name in _COUNTS}
        minimum = np.array([np.fmin.reduce(self.minimum, initial=np.nan)])
        return Health(**sums, minimum=minimum, maximum=np.array([np.fmax.reduce(self.maximum, initial=np.nan)]))

    def merged(self, other: Health) -> Health:
        """Return the counts of both, which are of one layer for two inputs.

        Where one has more channels, as of texts of different lengths, those that the other lacks count as they are.
        """
        import numpy as np

        size = max(len(self.values), len(other.values))
        ours, theirs = self._padded(size), other._padded(size)
        sums = {name: getattr(ours, name) + getattr(theirs, name) for name in _COUNTS}
        minimum, maximum = np.fmin(ours.minimum, theirs.minimum), np.fmax(ours.maximum, theirs.maximum)
        return Health(**sums, minimum=minimum, maximum=maximum)

    def _padded(self, size: int) -> Health:
        """Return the same with so many channels, those that are new without values."""
        import numpy as np

        more = size - len(self.values)
        if not more:
            return self
        counts = {name: np.pad(getattr(self, name), (0, more)) for name in _COUNTS}
        minimum, maximum = (np.pad(end, (0, more), constant_values=np.nan) for end in (self.minimum, self.maximum))
        return Health(**counts, minimum=minimum, maximum=maximum)

    def as_json(self) -> dict[str, Any]:
        """Return all of it for strict JSON: null for NaN, and one number for a column that has no other."""
        found: dict[str, Any] = {"channels": len(self.values)}
        for each in fields(self):
            column = [None if number != number else number for number in getattr(self, each.name).tolist()]
            found[each.name] = column[0] if column and column.count(column[0]) == len(column) else column
        return found

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Health:
        """Return what `as_json` wrote."""
        import numpy as np

        columns: dict[str, Any] = {}
        for each in fields(cls):
            found = document[each.name]
            listed = found if isinstance(found, list) else [found] * document["channels"]
            columns[each.name] = np.array(listed, np.int64 if each.name in _COUNTS else np.float64)
        return cls(**columns)


_COUNTS = ("values", "nan", "inf", "saturated_low", "saturated_high")


def health_of(array: Array, channel_axis: int | None, bounds: Bounds | None = None) -> Health:
    """Return the health of each channel of an array of any dtype and rank, over all its other axes.

    Args:
        array: the values; of complex numbers their magnitudes count. One that holds no numbers has no channels.
        channel_axis: which axis counts the channels; None takes all values for those of one channel.
        bounds: from where on values are saturated; None counts none.

    Example:
        >>> import numpy as np
        >>> found = health_of(np.array([[0.0, 0.0], [1.0, 6.0], [np.nan, 2.0]]), 0, Bounds(high=6.0))
        >>> found.nan, found.saturated_high, found.dead
        (array([0, 0, 1]), array([0, 1, 0]), array([ True, False, False]))
    """
    import numpy as np

    from onnxviz.extremes import extremes_of

    if array.dtype.kind not in "biufc":
        array, channel_axis, bounds = np.empty((0, 1), np.float32), 0, None
    rows = _rows(np.abs(array) if array.dtype.kind == "c" else array, channel_axis)
    low, high = (_rows(end, channel_axis) if end.ndim else end for end in (bounds or Bounds()).ends(array.shape))
    return count_health(rows, (low, high), extremes_of(rows))


def _rows(array: Array, channel_axis: int | None) -> Array:
    import numpy as np

    if channel_axis is None:
        return array.reshape(1, -1)
    front = np.moveaxis(array, channel_axis, 0)
    return front.reshape(len(front), array.size // max(1, len(front)))


def count_health(rows: Array, ends: tuple[Array, Array], known: Extremes) -> Health:
    """Return the health of rows (C, n), whose extremes are known, so that only rows that reach an end are read.

    `ends` are from where on values are saturated, at the low and at the high end: a number each, or (C, n).
    """
    import numpy as np

    values = np.full(len(rows), rows.size // max(1, len(rows)), np.int64)
    low = _reaching(rows, ends[0], known.minimum, known.inf, sign=-1)
    high = _reaching(rows, ends[1], known.maximum, known.inf, sign=1)
    return Health(values, known.nan, known.inf, low, high, known.minimum, known.maximum)


def _reaching(
    rows: Array, end: Array, farthest: NDArray[np.float64], infinite: NDArray[np.int64], *, sign: int
) -> NDArray[np.int64]:
    """Count in each row the finite values at or beyond an end: above it for sign 1, below it for sign -1."""
    import numpy as np

    from onnxviz.extremes import as_floats

    counts = np.zeros(len(rows), np.int64)
    first = end if end.ndim == 0 else np.fmin.reduce(sign * end, axis=1, initial=np.nan) * sign
    with np.errstate(invalid="ignore", over="ignore"):
        for place in np.flatnonzero(farthest * sign >= first * sign):
            row = as_floats(rows[place])
            own = (end if end.ndim == 0 else end[place]).astype(row.dtype)  # else all would be compared as float64
            reached = row >= own if sign > 0 else row <= own
            counts[place] = np.count_nonzero(reached & np.isfinite(row) if infinite[place] else reached)
    return counts
