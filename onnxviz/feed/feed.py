"""A feed: the arrays of one run, and what is said and shown of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.feed.arrays import NARROW_FLOATS
from onnxviz.feed.geometry import Geometry
from onnxviz.layout import Array
from onnxviz.strict_json import number
from onnxviz.words import number_text, printable

WARNING = "ATTENTION"
"""How a note begins that says what was guessed, or made up, and may be wrong."""
NOISE = f"{WARNING}: no input is given"
"""How the note of an input begins that was asked to be filled with made up numbers."""


@dataclass(frozen=True, slots=True)
class Fed:
    """What one input was fed.

    `min`, `max` and `mean` are of the array's finite numbers. `picture` shows item 0 as it was fed, after resizing:
    uint8 `(H, W, 3)`. `geometry` leads from positions of the fed array to pixels of the upright original. Both are
    None where the input is not a picture. `preset` is "none" for an array that is fed unchanged.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    min: float
    max: float
    mean: float
    layout: str | None
    preset: str
    source: str
    notes: tuple[str, ...] = ()
    picture: npt.NDArray[np.uint8] | None = None
    geometry: Geometry | None = None

    def describe(self) -> str:
        """Return the line that is printed for this input; its notes are not part of it."""
        name = printable(self.name)
        kind = "x".join(map(str, self.shape)) or "scalar"
        layout = f" {self.layout}" if self.layout else ""
        preset = f"  preset {self.preset}" if self.preset != "none" else ""
        ends = f"{number_text(self.min)}..{number_text(self.max)} mean {number_text(self.mean, 2)}"
        numbers = "" if math.isnan(self.mean) else f"  {ends}"
        return f"{name}  {kind} {self.dtype}{layout}{numbers}{preset}  from {self.source}"

    def as_json(self) -> dict[str, Any]:
        """Return what `view.json` and a report keep of this input."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "min": number(self.min),
            "max": number(self.max),
            "mean": number(self.mean),
            "layout": self.layout,
            "preset": self.preset,
            "source": self.source,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Feed:
    """The inputs of one run: `arrays` by input name, in the model's order, and a description of each.

    `stem` names the run, for folders. `has_guesses` says that sizes or whole numbers were made up, and others may fit.
    """

    arrays: Mapping[str, Array]
    fed: tuple[Fed, ...]
    stem: str
    has_guesses: bool = False

    @property
    def main(self) -> Fed:
        """The input that stands for the run: the picture if there is one, else the first input."""
        return next((fed for fed in self.fed if fed.picture is not None), self.fed[0])

    @property
    def notes(self) -> tuple[str, ...]:
        """All notes; where there are several inputs, each begins with its input's name."""
        several = len(self.fed) > 1
        return tuple(f"{fed.name}: {note}" if several else note for fed in self.fed for note in fed.notes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the notes that say that what is fed was guessed; of noise nothing is right or wrong."""
        given = [fed.notes for fed in self.fed if not any(note.startswith(NOISE) for note in fed.notes)]
        return tuple(note for notes in given for note in notes if note.startswith(WARNING))


@dataclass(frozen=True, slots=True)
class Fitted:
    """An array in the shape and dtype of an input, with the fields of `Fed` that cannot be read off the array."""

    array: Array
    source: str
    notes: list[str]
    layout: str | None = None
    preset: str = "none"
    picture: npt.NDArray[np.uint8] | None = None
    geometry: Geometry | None = None

    def record(self, name: str) -> Fed:
        """Return the description of this array as the input of that name."""
        notes, numbers = list(self.notes), self.array
        if numbers.dtype.name in NARROW_FLOATS:
            numbers = numbers.astype(np.float32)
        if numbers.dtype.kind == "f":
            finite = np.isfinite(numbers)
            if not finite.all():
                notes.append(f"{finite.size - int(finite.sum())} of its {finite.size} numbers are NaN or infinite")
                numbers = numbers[finite]
        low = high = mean = math.nan
        if numbers.size and numbers.dtype.kind != "O":
            low, high, mean = float(numbers.min()), float(numbers.max()), float(numbers.mean(dtype=np.float64))
        return Fed(
            name=name,
            shape=self.array.shape,
            dtype="text" if self.array.dtype.kind == "O" else str(self.array.dtype),
            min=low,
            max=high,
            mean=mean,
            layout=self.layout,
            preset=self.preset,
            source=self.source,
            notes=tuple(notes),
            picture=self.picture,
            geometry=self.geometry,
        )
