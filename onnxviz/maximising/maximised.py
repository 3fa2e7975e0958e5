"""`Maximised`: a picture that was made, and how strongly it, noise and a photograph are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.layout import Array
from onnxviz.maximising.objectives import Objective
from onnxviz.strict_json import number

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a unit answers one picture.

    Attributes:
        source: `made`, `noise`, or the name of a photograph.
        pixels: the picture, `(H, W, channels)` in 0..1, as it was fed.
        map: the unit's map of it, `(h, w)`; of a class `(1, 1)`.
    """

    source: str
    pixels: Array
    map: Array

    @property
    def greatest(self) -> float:
        """The greatest number of the map."""
        return float(np.nanmax(self.map))

    @property
    def image(self) -> Image:
        """The picture, as a Pillow image of mode RGB or L."""
        # Not at the top: numbers alone need no Pillow to be loaded.
        from onnxviz.draw.captioned_rows import picture_of

        return picture_of(self.pixels)


@dataclass(frozen=True, slots=True, eq=False)
class Maximised:
    """A picture that was made for a unit, a channel, a direction or a class.

    Attributes:
        objective: what it was made for.
        made: the picture, and what the unit answers it.
        found: that of the bundled photographs which the unit answers most.
        noise: the same of noise.
        course: what the objective came to at each step.
        seed: of the first picture and the views; a later one than asked for where that had no gradient.
    """

    objective: Objective
    made: Answer
    found: Answer
    noise: Answer
    course: tuple[float, ...]
    seed: int

    @property
    def name(self) -> str:
        """What it was made for, in words."""
        return self.objective.name

    @property
    def image(self) -> Image:
        """The picture, as a Pillow image."""
        return self.made.image

    @property
    def pixels(self) -> Array:
        """The picture, `(H, W, channels)` float32 in 0..1."""
        return self.made.pixels

    @property
    def value(self) -> float:
        """The greatest number of the unit's map of it, before the nonlinearity; of a class its score."""
        return self.made.greatest

    def as_json(self) -> dict[str, Any]:
        """Return it as `onnxviz maximise --json` prints it."""
        height, width = self.pixels.shape[:2]
        return {
            "name": self.name,
            "value_name": self.objective.value,
            "size": [height, width],
            "seed": self.seed,
            "made": number(self.value),
            "noise": number(self.noise.greatest),
            "found": {"picture": self.found.source, "value": number(self.found.greatest)},
            "course": [number(each) for each in self.course],
        }

    def __repr__(self) -> str:
        return f"<Maximised {self.name!r}: {self.value:.3g}, found {self.found.greatest:.3g}>"
