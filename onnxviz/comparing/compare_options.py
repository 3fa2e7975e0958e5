"""`CompareOptions`: all that `compare` takes besides models and inputs; `Tolerance`: what is still the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from onnxviz.comparing.measures import Measures
from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.runtime.session import RunOptions


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far B may be from A: at least `sqnr` dB, or at most `relative` of A's length; values not finite break both.

    >>> Tolerance.parse("30dB"), Tolerance.parse("rel:1e-3")
    (Tolerance(sqnr=30.0, relative=inf), Tolerance(sqnr=-inf, relative=0.001))
    """

    sqnr: float = -math.inf
    relative: float = math.inf

    @classmethod
    def parse(cls, text: str, option: str = "--tolerance") -> Tolerance:
        """Read a text such as `30dB` or `rel:1e-3`.

        Raises:
            UsageError: It is neither.
        """
        bare = text.strip().lower()
        try:
            if bare.startswith("rel:") and float(bare[4:]) >= 0:
                return cls(relative=float(bare[4:]))
            if bare.endswith("db") and math.isfinite(float(bare[:-2])):
                return cls(sqnr=float(bare[:-2]))
        except ValueError:
            pass
        raise UsageError(f"{option} takes decibels such as 30dB, or a share such as rel:1e-3, not {text!r}")

    def is_kept(self, measures: Measures) -> bool:
        """Return whether a layer or an output is within it."""
        return not measures.breaks and measures.sqnr >= self.sqnr and measures.relative <= self.relative

    @property
    def words(self) -> str:
        """It in words."""
        return f"{self.sqnr:g} dB" if math.isfinite(self.sqnr) else f"{self.relative:g} of A's length"


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How `compare` works.

    Attributes:
        layers: a selection of A's layers to compare, or None for all that are matched.
        exclude: selections to take away.
        own: also run each layer of B on A's values, by which it is known where an error begins; it takes a second run.
        same: layers of A by name, and those of B that they are, where matching would not find it.
        feed: how inputs are made for A; B is fed the same.
        run_a: the device of A, and how it runs; `memory` bounds what both hold together.
        run_b: the same of B.
        fail_fast: stop at the first input that cannot be used.
    """

    layers: SelectionText | None = None
    exclude: tuple[str, ...] = ()
    own: bool = True
    same: Mapping[str, str] = field(default_factory=dict)
    feed: FeedOptions = field(default_factory=FeedOptions)
    run_a: RunOptions = field(default_factory=RunOptions)
    run_b: RunOptions = field(default_factory=RunOptions)
    fail_fast: bool = False


class CompareChanges(TypedDict, total=False):
    """The fields of CompareOptions, as keyword arguments."""

    layers: SelectionText | None
    exclude: tuple[str, ...]
    own: bool
    same: Mapping[str, str]
    feed: FeedOptions
    run_a: RunOptions
    run_b: RunOptions
    fail_fast: bool
