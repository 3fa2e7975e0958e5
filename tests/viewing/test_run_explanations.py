"""Explanations on the page of `view`, against those of `Model.explain` on the same input."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import UsageError
from onnxviz.results.observer import Observer
from onnxviz.results.record import LayerRecord, RunRecord
from onnxviz.viewing.options import ViewOptions
from tests.explaining.conftest import picture, scoring, scoring_model
from tests.reporting.conftest import ReadReport, read_report

__all__ = ["picture", "read_report", "scoring", "scoring_model"]

FEED = onnxviz.FeedOptions(preset="zero-one")
LABELS = ("reddish", "greenish", "neither")
OPTIONS = ViewOptions(layers="conv", feed=FEED, labels=LABELS, explain=("gradcam", "occlusion"))


@pytest.fixture
def files(tmp_path: Path, picture: np.ndarray) -> list[Path]:
    """Two pictures, of which the second is green where the first is red."""
    paths = [tmp_path / "red.png", tmp_path / "green.png"]
    brighter = np.array([1.0, 0.6, 1.0])
    Image.fromarray((picture * brighter).astype(np.uint8)).save(paths[0])
    Image.fromarray((picture * brighter).astype(np.uint8)[:, :, [1, 0, 2]]).save(paths[1])
    return paths


def test_each_input_is_explained_for_its_own_classes(
    scoring: Any, files: list[Path], tmp_path: Path, read_report: Callable[[Path], ReadReport]
) -> None:
    record = onnxviz.view(scoring, files, tmp_path / "maps", OPTIONS)
    report = read_report(tmp_path / "maps/report.html")
    layers = report.index["layers"]
    assert [layer["name"] for layer in layers] == ["conv", "gradcam/conv", "occlusion"]
    assert [layer.get("explains") for layer in layers] == [None, "class", "class"]
    named = [part.get("labels", layers[1]["labels"]) for part in layers[1]["runs"]]
    assert named[0] != named[1]
    for run, (path, labels) in enumerate(zip(files, named, strict=True)):
        for place, method in ((1, "gradcam"), (2, "occlusion")):
            assert report.values(place, run).shape == (3, 4, 4)
            for maps, label in zip(report.values(place, run), labels, strict=True):
                expected = scoring.explain(path, method=method, target=label, labels=LABELS, feed=FEED).array
                # A byte a value, between the ends.
                assert maps == pytest.approx(expected.reshape(4, 4), abs=float(np.ptp(expected)) / 255 + 1e-7)
        written = record.document()["runs"][run]["explanations"]
        assert [(one["method"], one["target"]) for one in written] == [
            (method, label) for method in ("gradcam", "occlusion") for label in labels
        ]
        assert all("seconds" not in one for one in written)


def test_units_have_what_drives_them(
    scoring: Any, files: list[Path], tmp_path: Path, read_report: Callable[[Path], ReadReport]
) -> None:
    options = onnxviz.ViewOptions(layers="conv", feed=FEED, unit=("conv#1", "conv#0@0,1"))
    record = onnxviz.view(scoring, files[0], tmp_path / "maps", options)
    report = read_report(tmp_path / "maps/report.html")
    drivers = report.index["layers"][1]
    assert (drivers["name"], drivers["explains"], drivers["labels"][1]) == ("guided of units", "unit", "conv#0@0,1")
    assert drivers["labels"][0].startswith("conv#1@")
    # A 1x1 convolution sees one pixel, and channel 0 takes red as it is.
    assert np.argwhere(report.values(1)[1]).tolist() == [[0, 1]]
    assert report.values(1)[1, 0, 1] == pytest.approx(1)
    (run,) = record.document()["runs"]
    assert [(one["method"], one["kind"]) for one in run["explanations"]] == [("guided", "unit")] * 2


def test_a_view_that_was_stopped_goes_on_to_the_same_page(scoring: Any, files: list[Path], tmp_path: Path) -> None:
    options = onnxviz.ViewOptions(layers="conv", feed=FEED, explain=("gradcam",), resume=True)

    class Stops(Observer):
        def ended(self, run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        onnxviz.view(scoring, files, tmp_path / "stopped", options, Stops())
    onnxviz.view(scoring, files, tmp_path / "stopped", options)
    onnxviz.view(scoring, files, tmp_path / "whole", options)
    for name in ("report.html", "view.json"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_model_that_cannot_be_explained_is_shown_all_the_same(
    doubling_model: Path, tmp_path: Path, read_report: Callable[[Path], ReadReport]
) -> None:
    said = list[str]()

    class Hears(Observer):
        def noted(self, text: str) -> None:
            said.append(text)

    inputs = [np.ones((1, 1, 2, 2), np.float32)] * 2
    onnxviz.view(doubling_model, inputs, tmp_path / "maps", ViewOptions(explain=("gradcam",)), Hears())
    assert not any(layer.get("explains") for layer in read_report(tmp_path / "maps/report.html").index["layers"])
    (reason,) = (text for text in said if text.startswith("not explained"))
    assert "no output of the model holds class scores" in reason


def test_what_does_not_fit_is_refused(
    scoring_model: Path, files: list[Path], tmp_path: Path, onnxviz_command: Callable[..., Any]
) -> None:
    with pytest.raises(UsageError, match="--no-html excludes --explain"):
        ViewOptions(html=False, explain=("gradcam",))
    words = ("view", scoring_model, files[0], "-o", tmp_path / "maps")
    for more, message in {
        ("--method", "gradcam"): "--method says how --explain explains: give both",
        ("--explain", "--method", "gradcams"): "no method 'gradcams'",
        ("--explain", "--no-html"): "--no-html excludes --explain",
        ("--unit", "conv#0", "--no-html"): "--no-html excludes --unit,",
        ("--unit", "conv"): "a unit is LAYER#CHANNEL, or LAYER#CHANNEL@Y,X, not 'conv'",
        ("--unit", "absent#1"): "nothing is called `absent`",
    }.items():
        refused = onnxviz_command(*words, *more)
        assert (refused.code, message in refused.err) == (3 if "absent#1" in more else 2, True), refused.err
    assert not (tmp_path / "maps").exists()
    assert onnxviz_command(*words, "--explain", "-q").code == 0
    (run,) = json.loads((tmp_path / "maps" / "view.json").read_text("utf-8"))["runs"]
    assert {one["method"] for one in run["explanations"]} == {"gradcam", "smoothgrad"}
