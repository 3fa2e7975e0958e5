"""`Explanation`: what one method says of one target on one input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onnxviz.explaining.target import Target
from onnxviz.layout import Array
from onnxviz.strict_json import number

if TYPE_CHECKING:
    from PIL import Image

    from onnxviz.draw.heat import RgbPixels
    from onnxviz.explaining.check import FaithfulnessCheck


@dataclass(frozen=True, slots=True)
class Explanation:
    """A heat map of an input.

    Attributes:
        method: by which method, such as `gradcam`.
        target: what is explained.
        value: the number that the target has on this input, before a softmax or other saturating end.
        array: (h, w) float32 in the cells of a layer or the pixels of the input as fed; (H, W, C) where colours are.
        layer: the layer whose maps it was made of; empty where it was made of the input.
        settings: what the method was made with.
        says: what the method can and cannot say.
        look: how it is drawn.
        picture: the input as it was fed, (H, W, 3) uint8.
        seconds: how long the method took, for all targets together.
        check: what checks say of it, where they were asked for.
    """

    method: str
    target: Target
    value: float
    array: Array
    layer: str
    settings: Mapping[str, float | str]
    says: str
    look: str
    picture: RgbPixels = field(repr=False)
    seconds: float = 0.0
    check: FaithfulnessCheck | None = None

    @property
    def image(self) -> Image.Image:
        """The explanation as a picture of the input's size, mode RGB, on a dark page."""
        return self.drawn("dark")

    def drawn(self, theme: str) -> Image.Image:
        """Return the explanation as a picture of the input's size, mode RGB; zero of a map alone suits the theme."""
        from onnxviz.draw.heat import draw_heat

        return draw_heat(self.array, self.picture, self.look, theme)

    def as_json(self) -> dict[str, Any]:
        """Return what `explain.json` keeps of it."""
        target = self.target
        score = None if target.score is None else number(target.score)
        return {
            "method": self.method,
            "target": target.name,
            "kind": target.kind,
            "index": target.index,
            "value": number(self.value),
            "score": score,
            "differentiated": target.value,
            "layer": self.layer or None,
            "shape": list(self.array.shape),
            "min": number(float(self.array.min())),
            "max": number(float(self.array.max())),
            "settings": {name: number(one) if isinstance(one, float) else one for name, one in self.settings.items()},
            "says": self.says,
            "seconds": round(self.seconds, 3),
            **({} if self.check is None else {"check": self.check.as_json()}),
        }
