"""`SweepOptions`: what every command over a data set takes besides the model and the data set."""

from __future__ import annotations

from dataclasses import dataclass, field

from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.runtime.session import RunOptions


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """Which layers, of which pictures, and who computes them.

    Attributes:
        layers: a selection, or None for `conv,pool`.
        exclude: selections to take away.
        tap: `act` (after norm and nonlinearity) or `op` (the node's own output).
        feed: how pictures are made into what the model takes.
        run: the device and how it runs; 0 threads mean one, as each worker has a session of its own.
        classes: `auto`, `folder`, `none`, or a table of path and class.
        every: only every so many-th picture.
        workers: threads that run the model; 0 means one a core.
        dask: the address of a Dask scheduler, whose workers then run the model, or `local` for so many workers as
            processes of this machine; None for threads.
        batch: pictures of one run; the results are the same whatever it is.
        restart: begin anew where an earlier start of the command left something.
        force: replace a folder that onnxviz did not make.
    """

    layers: SelectionText | None = None
    exclude: tuple[str, ...] = ()
    tap: str = "act"
    feed: FeedOptions = field(default_factory=FeedOptions)
    run: RunOptions = field(default_factory=RunOptions)
    classes: str = "auto"
    every: int = 1
    workers: int = 1
    dask: str | None = None
    batch: int = 1
    restart: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in ("every", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.workers < 0:
            raise UsageError(f"workers must not be negative: {self.workers}")
