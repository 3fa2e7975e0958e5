"""The film of a run, its frames read back from the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import onnxviz
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.style import Caption, Style
from onnxviz.results.folder import is_ours
from onnxviz.results.record import ViewRecord
from onnxviz.viewing.options import ViewOptions
from tests.models import model_of

LAYERS = """g (float[1,3,8,8] x) => (float[1,3,4,4] z) {
    y = Sigmoid (x)
    s = Sub (y, x)
    z = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (s)
}"""

STEPS = """g (float[1,2,6,6] x, int64 n) => (float[1,2,6,6] y) {
    go = Constant <value = bool {1}> ()
    y = Loop (n, go, x) <body = b (int64 i, bool c, float[1,2,6,6] v) => (bool d, float[1,2,6,6] e) {
        d = Identity (c)
        e = Add (v, v)
    }>
}"""


def frames(record: ViewRecord) -> tuple[list[np.ndarray], list[int]]:
    """Return the colours of each frame of the first run's film, and how long each stays."""
    run = record.runs[0]
    with Image.open(record.directory / run.directory / run.film) as film:
        pixels, durations = [], []
        for place in range(getattr(film, "n_frames", 1)):
            film.seek(place)
            durations.append(film.info["duration"])
            pixels.append(np.asarray(film.convert("RGB")))
        assert film.info["loop"] == 0
    return pixels, durations


def drawn(array: np.ndarray, layout: str, caption: Caption, style: Style) -> np.ndarray:
    return np.asarray(draw_maps(array, layout, caption, style)[0].image.convert("RGB"))


def test_a_frame_a_layer_with_just_the_colours_of_its_picture(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", LAYERS)
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    record = onnxviz.view(model, x, tmp_path / "maps", ViewOptions(layers='"y","s","z"', gif=True))
    pixels, durations = frames(record)
    assert durations == [1000, 1000, 1000]
    style = Style(top=24, order="deviation")
    for frame, activation in zip(pixels, model.run(x, layers='"y","s","z"').values(), strict=True):
        wanted = drawn(activation.array, "NCHW", Caption(activation.name, activation.caption_line), style)
        assert np.array_equal(frame[: wanted.shape[0], : wanted.shape[1]], wanted)
    assert record.document()["runs"][0]["film"] == "film.gif"
    # The folder is still one of onnxviz's own, which a second command may replace.
    assert is_ours(tmp_path / "maps")


def test_a_layer_in_steps_has_a_frame_a_step_on_one_scale(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", STEPS)
    x = np.arange(72, dtype=np.float32).reshape(1, 2, 6, 6)
    fed = {"x": x, "n": np.int64(3)}
    record = onnxviz.view(model, fed, tmp_path / "maps", ViewOptions(layers='"y/body/e"', gif=True))
    pixels, durations = frames(record)
    assert durations == [400, 400, 400]
    # Twice, four and eight times the input: on one scale each frame is brighter than the one before.
    means = [frame[150:].mean() for frame in pixels]
    assert means[0] < means[1] < means[2]


def test_there_is_no_film_unless_it_is_asked_for(doubling_model: Path, tmp_path: Path) -> None:
    x = np.array([[[[1, -2], [3, 0]]]], np.float32)
    record = onnxviz.view(doubling_model, x, tmp_path / "maps", ViewOptions(layers="conv"))
    assert record.document()["runs"][0]["film"] is None
    assert not list((tmp_path / "maps").glob("*.gif"))
