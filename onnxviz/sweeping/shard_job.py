"""A job: what is to be made of each shard, and how two results become one. A result depends on nothing but its shard.

A job travels to workers by pickle, and each worker opens it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from onnxviz.layout import Array
from onnxviz.sweeping.dataset import Shard


class StoppedError(Exception):
    """A shard was given up because the sweep stops."""


@dataclass(frozen=True, slots=True, eq=False)
class ShardResult:
    """What became of one shard, or of several that were merged.

    Attributes:
        arrays: numbers by name; what they are is the job's own affair.
        failed: the numbers of pictures that could not be used, each with the reason.
    """

    arrays: Mapping[str, Array]
    failed: tuple[tuple[int, str], ...] = ()


class OpenShardJob(Protocol):
    """A job with all that it needs open, for one thread."""

    def shard(self, shard: Shard, stopped: Callable[[], bool]) -> ShardResult:
        """Return the result of a shard.

        Raises:
            StoppedError: `stopped` became true.
        """


class ShardJob(Protocol):
    """What to do with shards."""

    @property
    def fingerprint(self) -> str:
        """What the results depend on, besides the shards."""

    def open(self) -> OpenShardJob:
        """Open what the work needs, such as a session."""

    def merge(self, first: ShardResult, second: ShardResult) -> ShardResult:
        """Return the result of two neighbours, the earlier one first."""
