"""What was fed: the arrays, and all that is to be said and shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.feed.geometry import Geometry
from onnxviz.strict_json import number
from onnxviz.words import printable


@dataclass(frozen=True, slots=True)
class Fed:
    """What one input was fed.

    `min`, `max` and `mean` are of the array's finite numbers. `picture` is what the eye would see of it, uint8
    `(H, W, 3)` of item 0 after resizing; `geometry` leads from positions of the fed array to pixels of the upright
    original. Both are None where the input is no picture. `preset` is "none" for what is fed as it is.
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
        """Return the line that is printed of it, notes left out."""
        name = printable(self.name)
        kind = "x".join(map(str, self.shape)) or "scalar"
        layout = f" {self.layout}" if self.layout else ""
        preset = f"  preset {self.preset}" if self.preset != "none" else ""
        numbers = f"{self.min:.3g}..{self.max:.3g} mean {self.mean:.2g}"
        return f"{name}  {kind} {self.dtype}{layout}  {numbers}{preset}  from {self.source}"

    def as_json(self) -> dict[str, Any]:
        """Return what `view.json` and a report say of it."""
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
    """One run's inputs: `arrays` by input name, in the model's order, and what is to be said of each.

    `stem` names the run, for folders.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    fed: tuple[Fed, ...]
    stem: str

    @property
    def main(self) -> Fed:
        """What the run is about: the picture if there is one, else the first input."""
        return next((fed for fed in self.fed if fed.picture is not None), self.fed[0])

    @property
    def notes(self) -> tuple[str, ...]:
        """All notes, each led by its input's name where there are several inputs."""
        several = len(self.fed) > 1
        return tuple(f"{fed.name}: {note}" if several else note for fed in self.fed for note in fed.notes)


@dataclass(frozen=True, slots=True)
class Shown:
    """How an array is described and shown, before its numbers are known."""

    layout: str | None
    preset: str
    source: str
    picture: npt.NDArray[np.uint8] | None = None
    geometry: Geometry | None = None


def record(name: str, array: npt.NDArray[Any], shown: Shown, notes: list[str]) -> Fed:
    """Return what is to be said of an array that is fed."""
    numbers = array
    if array.dtype.kind == "f":
        finite = np.isfinite(array)
        if not finite.all():
            notes.append(f"{array.size - int(finite.sum())} of its {array.size} numbers are NaN or infinite")
            numbers = array[finite]
    low, high, mean = (
        (float(numbers.min()), float(numbers.max()), float(numbers.mean(dtype=np.float64)))
        if numbers.size
        else (float("nan"),) * 3
    )
    return Fed(
        name=name,
        shape=array.shape,
        dtype=str(array.dtype),
        min=low,
        max=high,
        mean=mean,
        layout=shown.layout,
        preset=shown.preset,
        source=shown.source,
        notes=tuple(notes),
        picture=shown.picture,
        geometry=shown.geometry,
    )
