"""The film of a run: a frame for each layer, from the input to the output; of a layer in steps one for each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from onnxviz.activations import Activation
from onnxviz.draw.encode import encode
from onnxviz.draw.film import FilmFrame, gif
from onnxviz.draw.kinds import draw_maps, scale_of
from onnxviz.draw.style import Caption, Style
from onnxviz.errors import OutputError

FILM = "film.gif"
"""The file's name, beside the pictures of its run."""

LAYER_MILLISECONDS, STEP_MILLISECONDS = 1000, 400
CHANNELS = 24
"""How many channels a frame has where the style names none: those that vary most."""


class Film:
    """Takes the layers of a run as they come, and saves them as one film."""

    def __init__(self, style: Style) -> None:
        """Begin; a style that chooses no channels shows those that vary most, so that frames are of like size."""
        chosen = style.top is not None or style.channels is not None
        self._style = style if chosen else replace(style, top=CHANNELS, order="deviation")
        self._frames: list[FilmFrame] = []

    def add(self, activation: Activation, caption: Caption, limits: tuple[float, float] | None) -> None:
        """Draw the frames of a layer; `limits` are the ends of its scale where inputs share it."""
        style = replace(self._style, limits=limits)
        steps = list(_steps_of(activation))
        if len(steps) > 1 and limits is None:
            ends = scale_of(activation.array, activation.seen_by(style.query), style).ends
            style = style if np.isnan(ends[0]) else replace(style, limits=ends)
        for step in steps:
            words = replace(caption, line=step.caption_line, first_step=0)
            drawing = draw_maps(step.array, step.seen_by(style.query), words, style)[0]
            png = encode(drawing.image, ".png", enlarged=True)
            self._frames.append(FilmFrame(png, STEP_MILLISECONDS if len(steps) > 1 else LAYER_MILLISECONDS))

    def save(self, folder: Path) -> str:
        """Write the film and return its file's name.

        Raises:
            OutputError: It cannot be written.
        """
        try:
            (folder / FILM).write_bytes(gif(self._frames))
        except OSError as error:
            raise OutputError(f"{folder / FILM} cannot be written: {error.strerror or error}") from error
        return FILM


def _steps_of(activation: Activation) -> Iterator[Activation]:
    """Yield an activation at each of its steps; one without steps, or of a number a step, is yielded as it is."""
    layout, steps = activation.layout or "", activation.steps
    axis = layout.find("S")
    if axis < 0 or steps is None or layout == "S":
        yield activation
        return
    for place, array in enumerate(np.moveaxis(activation.array, axis, 0)):
        number = steps.first + place
        yield replace(
            activation,
            array=array,
            layout=layout.replace("S", ""),
            steps=replace(steps, first=number, last=number),
        )
