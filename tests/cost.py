"""What a call costs, counted instead of timed: lines of onnxviz that run, and bytes that are held at the peak.

Both are the same on a busy machine. What runs in C counts as the one line that calls it: a loop there is seen by the
memory that it takes, or not at all.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import onnxviz

_PACKAGE = str(Path(onnxviz.__file__).parent)


@dataclass
class Cost:
    """Lines of onnxviz that ran, one in a loop as often as it ran, and the most bytes that Python and numpy held."""

    lines: int = 0
    peak: int = 0


class _TooMany(BaseException):
    """Ends the work that is counted; no `except Exception` on the way swallows it."""


@contextmanager
def counted(*, lines: int, peak: int | None = None) -> Iterator[Cost]:
    """Count what the block costs, and fail where it is more than this; memory is counted where `peak` is given.

    A block that runs more lines is ended, so that a loop without an end fails as well.
    """
    cost = Cost()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return step if frame.f_code.co_filename.startswith(_PACKAGE) else None

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        cost.lines += event == "line"
        if cost.lines > lines:
            raise _TooMany
        return step

    tracer = sys.gettrace()
    if peak is not None:
        tracemalloc.start()
    sys.settrace(enter)
    try:
        yield cost
    except _TooMany:
        pass
    finally:
        sys.settrace(tracer)
        cost.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert cost.lines <= lines, f"more than {lines:,} lines of onnxviz ran"
    assert peak is None or cost.peak <= peak, f"{cost.peak:,} bytes were held"
