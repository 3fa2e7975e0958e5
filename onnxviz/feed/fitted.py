"""What the makers of arrays for inputs share: what they are told, and what they return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxviz.feed.feed import Shown
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.input_shapes import FreeSizes
from onnxviz.layout import Array, TensorSpec


@dataclass(frozen=True, slots=True)
class Job:
    """What the inputs of one run share; `sizes` learns the model's symbols as arrays are made."""

    inputs: tuple[TensorSpec, ...]
    options: FeedOptions
    metadata: Mapping[str, str]
    sizes: FreeSizes


@dataclass(frozen=True, slots=True)
class Fitted:
    """An array for an input, how it is shown, and what is to be said."""

    array: Array
    shown: Shown
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Source:
    """What pictures come from: a name for messages, the number of files, and whether it is a matrix."""

    name: str
    files: int = 1
    matrix: bool = False

    @property
    def words(self) -> str:
        """What is shown as the source of a batch."""
        return self.name if self.files == 1 else f"{self.name} and {self.files - 1} more"


def batched(job: Job, spec: TensorSpec, array: Array, has_batch: bool, notes: list[str]) -> Array:
    """Repeat a batch of one where the model is fixed at more, and say so in the notes."""
    wanted = job.sizes.known(spec.shape[0]) if spec.shape and has_batch else None
    if wanted is None or array.ndim == 0 or array.shape[0] == wanted or array.shape[0] != 1:
        return array
    notes.append(f"the model takes batches of {wanted}: the one input is repeated, item 0 is shown")
    return np.repeat(array, wanted, axis=0)
