"""`ExplainOptions`: all that `explain` takes besides the model and its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.runtime.session import RunOptions

DEFAULT_METHODS = ("gradcam", "layercam", "smoothgrad", "occlusion")


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What is explained, by which methods, and how.

    Attributes:
        methods: names of methods; see `onnxviz.explaining.methods.METHODS`.
        target: a class by its name or number, or `top3` for the three strongest.
        unit: a unit of a layer in its place, `LAYER#CHANNEL` or `LAYER#CHANNEL@Y,X`.
        at: a number of an output in its place, `NAME[I,J,...]`, an index for each axis behind the batch.
        layers: the layers of class activation maps, one map each; None is the last with maps, of `layercam` the last
            larger one.
        labels: class names, or a file of them, one a line; None takes the model's own.
        samples: pictures with noise of `smoothgrad`.
        noise: the deviation of that noise, as a share of the input's range.
        gap: how far integrated gradients may be from their sum, as a share of it; steps are doubled until then.
        patch: pixels of the square of `occlusion`; None is a third of the shorter side.
        masks: random masks of `rise`.
        seed: of the noise and the masks.
        check: check how far each map can be trusted.
        theme: `dark` or `light`.
        font: a TrueType or OpenType file.
        raw: a `.npz` file for the arrays.
        export: an `.onnx` file for the model that puts out the first of the maps that one can, for every class.
        feed: how inputs are made.
        run: the device and how it runs.
        fail_fast: stop at the first input that cannot be used.
        force: replace a folder that onnxviz did not make.
    """

    methods: Sequence[str] = DEFAULT_METHODS
    target: str | int = "top3"
    unit: str | None = None
    at: str | None = None
    layers: SelectionText | None = None
    labels: tuple[str, ...] | Path | None = None
    samples: int = 25
    noise: float = 0.1
    gap: float = 0.02
    patch: int | None = None
    masks: int = 2000
    seed: int = 0
    check: bool = False
    theme: str = "dark"
    font: str | None = None
    raw: Path | None = None
    export: Path | None = None
    feed: FeedOptions = field(default_factory=FeedOptions)
    run: RunOptions = field(default_factory=RunOptions)
    fail_fast: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing.

        Raises:
            UsageError: There is one, or both a unit and a place of an output.
        """
        if self.unit is not None and self.at is not None:
            raise UsageError("a unit or a place of an output is explained, not both")
        least = {"samples": self.samples, "masks": self.masks, "patch": 1 if self.patch is None else self.patch}
        for name, number in least.items():
            if number < 1:
                raise UsageError(f"{name} is 1 or more, not {number}")
        for name, share in {"noise": self.noise, "gap": self.gap}.items():
            if not 0 < share < 10:
                raise UsageError(f"{name} is a share above 0, not {share:g}")


class ExplainChanges(TypedDict, total=False):
    """The fields of `ExplainOptions` that a single explanation takes, as keywords, for type checkers."""

    layers: SelectionText | None
    labels: tuple[str, ...] | Path | None
    samples: int
    noise: float
    gap: float
    patch: int | None
    masks: int
    seed: int
    check: bool
    feed: FeedOptions
    run: RunOptions
