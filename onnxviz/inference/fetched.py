"""What a run hands out of a Loop, a Scan or a sequence, as arrays: one where all steps have one size, else several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxviz.graph.readout import Reading
from onnxviz.inference.refusals import reason_against
from onnxviz.layout import Array, Dimension, Steps, TensorSpec


@dataclass(frozen=True, slots=True)
class Stack:
    """How the steps of a value come out of what holds them.

    Attributes:
        noun: what one is called: `step`, or `element` of a sequence.
        axes: how many leading axes of each array are steps, those of Scans.
        count: the output that says how many steps there were, where only those that are kept come out; else empty.
    """

    noun: str = "element"
    axes: int = 0
    count: str = ""


@dataclass(frozen=True, slots=True)
class Elements:
    """The arrays of some steps or elements, and which they are; of a Loop without steps there is not one."""

    arrays: Sequence[Array]
    steps: Steps

    @property
    def alike(self) -> bool:
        """Whether all have one size."""
        return len({array.shape for array in self.arrays}) == 1

    @property
    def reason_against(self) -> str:
        """Why there is nothing to show; empty where there is."""
        if self.arrays:
            return ""
        noun, total = self.steps.noun, self.steps.total
        if not total:
            return "no step was made" if noun == "step" else "an empty sequence"
        return f"it has {total:,} {noun}s; none of {self.steps.first:,} to {self.steps.last:,}"


def elements(result: Any, keep: range, stack: Stack, count: int | None = None) -> Elements | None:
    """Return the steps to keep of a result of a run; None where it is not made of arrays.

    Args:
        result: an array, whose leading axes are steps, or a list of arrays.
        keep: the numbers of the steps to show.
        stack: how they come out.
        count: how many steps there were, where the list has only those to keep.
    """
    parts = [result] if isinstance(result, np.ndarray) else list(result)
    if not all(isinstance(part, np.ndarray) for part in parts):
        return None
    inner = 1
    if stack.axes:
        found = [array for part in parts for array in part.reshape(-1, *part.shape[stack.axes :])]
        inner = len(found) // len(parts) if parts else 1
        parts = found
    if count is None:
        total, first, kept = len(parts), keep.start, parts[keep.start : keep.stop]
    else:
        total, first, kept = count * inner, keep.start * inner, parts
    last = first + len(kept) - 1 if kept else keep.stop - 1
    return Elements(kept, Steps(first, last, total, stack.noun))


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a run hands out for a value: an array or whatever else, or its steps or elements.

    `reading` says what stands for the value in the result.
    """

    reading: Reading
    result: Any
    elements: Elements | None = None

    @property
    def value(self) -> str:
        """The value's name."""
        return self.reading.value

    @classmethod
    def of(cls, reading: Reading, result: Any, keep: range, stack: Stack | None, count: int | None = None) -> Fetched:
        """Take a result; one with a stack, or a list, is made of steps or elements (see `elements`)."""
        parts = (
            elements(result, keep, stack or Stack(), count) if stack is not None or isinstance(result, list) else None
        )
        return cls(reading, result, parts)

    @property
    def reason_against(self) -> str:
        """Why it cannot be shown; empty where it can."""
        return reason_against(self.result) if self.elements is None else self.elements.reason_against

    @property
    def spec(self) -> TensorSpec | None:
        """Its type and shape, of one step where it has steps; None where it is not an array."""
        arrays = [self.result] if self.elements is None else self.elements.arrays
        if not arrays or not isinstance(arrays[0], np.ndarray):
            return None
        shape: tuple[Dimension, ...] | None = None
        if len({array.ndim for array in arrays}) == 1:
            sizes = zip(*(array.shape for array in arrays), strict=True)
            shape = tuple(axis[0] if len(set(axis)) == 1 else None for axis in sizes)
        return TensorSpec(self.value, self.reading.dtype or str(arrays[0].dtype), shape)


class Fetching:
    """Takes what a run puts out, and joins the steps of a value with the count of all, which comes beside them."""

    def __init__(self, readings: Mapping[str, Reading], stacks: Mapping[str, Stack], keep: range) -> None:
        """Take what outputs stand for, how the steps of values come out, and the numbers of those to show."""
        self._readings = readings
        self._stacks = stacks
        self._keep = keep
        self._counted = {stack.count: value for value, stack in stacks.items() if stack.count}
        self._own = {reading.value: reading for reading in readings.values()}
        self._found: dict[str, Any] = {}

    def take(self, output: str, result: Any) -> Fetched | None:
        """Return the value that an output makes known; None for one that is carried on, or known in part."""
        reading = self._readings.get(output)
        if reading is None:
            return None
        value = self._counted.get(reading.value, reading.value)
        stack = self._stacks.get(value)
        if stack is None or not stack.count:
            return Fetched.of(reading, result, self._keep, stack)
        self._found[reading.value] = result
        if not {value, stack.count} <= self._found.keys():
            return None
        steps, count = self._found.pop(value), int(self._found.pop(stack.count))
        return Fetched.of(self._own[value], steps, self._keep, stack, count)
