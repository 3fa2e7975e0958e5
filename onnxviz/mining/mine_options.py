"""`MineOptions`: all that `mine` takes besides the model and the data set."""

from __future__ import annotations

from dataclasses import dataclass

from onnxviz.errors import UsageError
from onnxviz.sweeping.sweep_options import SweepOptions

ORDERS = ("unit", "strength", "selectivity", "class")


@dataclass(frozen=True, slots=True)
class MineOptions(SweepOptions):
    """How `mine` works, besides what `SweepOptions` say.

    Attributes:
        count: how many strongest places are kept of each channel.
        order: of the units on the sheets: `unit`, `strength`, `selectivity` or `class`.
        theme: `dark` or `light`.
    """

    count: int = 9
    order: str = "unit"
    theme: str = "dark"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        SweepOptions.__post_init__(self)
        if self.count < 1:
            raise UsageError(f"count must be at least 1, not {self.count}")
        if self.order not in ORDERS:
            raise UsageError(f"no order {self.order!r}: {', '.join(ORDERS)}")
