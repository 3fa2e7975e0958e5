"""`ExtractOptions`: all that `extract` takes besides the model and the data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.inference.row_run import NO_POOL, POOLS
from onnxviz.runtime.session import RunOptions
from onnxviz.sweeping.sweep_options import SweepOptions

DTYPES = ("float32", "float16")
NPY, ZARR = "npy", "zarr"
FORMATS = (NPY, ZARR)


@dataclass(frozen=True, slots=True)
class ExtractOptions(SweepOptions):
    """How `extract` works, besides what `SweepOptions` say.

    Attributes:
        pool: `none` for whole maps; `mean` or `max` for one number a channel, over all places, tokens of no place too.
        dtype: `float32` or `float16`; what is beyond 65504 is infinite in float16.
        format: `npy`, or `zarr` for compressed arrays (zarr v3, sharded), which need `pip install 'onnxviz[zarr]'`.
    """

    pool: str = NO_POOL
    dtype: str = "float32"
    format: str = NPY

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        SweepOptions.__post_init__(self)
        if self.pool not in POOLS:
            raise UsageError(f"no pool {self.pool!r}: {', '.join(POOLS)}")
        if self.dtype not in DTYPES:
            raise UsageError(f"no dtype {self.dtype!r}: {', '.join(DTYPES)}")
        if self.format not in FORMATS:
            raise UsageError(f"no format {self.format!r}: {', '.join(FORMATS)}")


class ExtractChanges(TypedDict, total=False):
    """The fields of ExtractOptions, as keyword arguments."""

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
    pool: str
    dtype: str
    format: str
