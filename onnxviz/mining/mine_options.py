"""`MineOptions`: all that `mine` takes besides the model and the data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.runtime.session import RunOptions
from onnxviz.sweeping.sweep_options import SweepOptions

ORDERS = ("unit", "strength", "selectivity", "class")


@dataclass(frozen=True, slots=True)
class MineOptions(SweepOptions):
    """How `mine` works, besides what `SweepOptions` say.

    Attributes:
        count: how many strongest places are kept of each channel.
        order: of the units on the sheets: `unit`, `strength`, `selectivity` or `class`.
        theme: `dark` or `light`.
        sheets: whether contact sheets are drawn; without them the pictures are not opened a second time.
    """

    count: int = 9
    order: str = "unit"
    theme: str = "dark"
    sheets: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        SweepOptions.__post_init__(self)
        if self.count < 1:
            raise UsageError(f"count must be at least 1, not {self.count}")
        if self.order not in ORDERS:
            raise UsageError(f"no order {self.order!r}: {', '.join(ORDERS)}")


class MineChanges(TypedDict, total=False):
    """The fields of MineOptions, as keyword arguments."""

    layers: SelectionText | None
    exclude: tuple[str, ...]
    tap: str
    feed: FeedOptions
    run: RunOptions
    classes: str
    every: int
    workers: int
    dask: str | None
    batch: int
    restart: bool
    force: bool
    count: int
    order: str
    theme: str
    sheets: bool
