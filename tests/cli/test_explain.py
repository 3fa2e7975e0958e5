"""The command `explain`, through its files and messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.cli.parameters import METHOD_NAMES
from onnxviz.explaining.methods import METHODS
from tests.explaining.conftest import scoring_model

__all__ = ["scoring_model"]


@pytest.fixture
def folder(tmp_path: Path, scoring_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, :2, 0], picture[2:, 2:, 1] = 255, 255
    Image.fromarray(picture).save("one.png")
    Image.fromarray(picture[::-1]).save("two.png")
    return tmp_path


def test_every_method_is_completed() -> None:
    assert sorted(METHOD_NAMES.split()) == sorted(METHODS)


ARGUMENTS = ("explain", "scoring.onnx", "one.png", "--preset", "zero-one")


def test_one_command_explains_the_strongest_classes(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command(*ARGUMENTS, "--method", "gradcam,occlusion", "--class", "top2")
    assert done.code == 0, done.err
    assert done.out == ""
    assert "one: class 1  0.4" in done.err
    assert "pictures are in scoring-one-why" in done.err
    document = json.loads((folder / "scoring-one-why" / "explain.json").read_text())
    assert len(document["runs"][0]["explanations"]) == 4
    with Image.open(folder / "scoring-one-why" / "sheet.png") as sheet:
        assert sheet.mode == "RGB"


def test_json_is_all_that_is_printed(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command(*ARGUMENTS, "--method", "gradient", "--unit", "conv#0@1,1", "--json", "-q", "-o", "why")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert document["schema"] == "onnxviz.explain/1"
    (one,) = document["runs"][0]["explanations"]
    assert (one["target"], one["kind"], one["index"], one["differentiated"]) == ("conv#0@1,1", "unit", 0, "c")


def test_several_pictures_have_a_folder_each_and_a_broken_one_is_left_out(
    folder: Path, onnxviz_command: Callable[..., object]
) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    done = onnxviz_command(*ARGUMENTS, "two.png", "bad.png", "--method", "gradcam", "-o", "why")
    assert done.code == 4
    assert "left out" in done.err
    assert sorted(path.name for path in (folder / "why").iterdir()) == ["001-one", "002-two", "explain.json"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--method", "grad"), 2, "no method 'grad'"),
        (("--class", "tiger"), 3, "names no classes"),
        (("--unit", "conv"), 2, "a unit is LAYER#CHANNEL"),
        (("--unit", "conv#0", "--at", "shares[0]"), 2, "not both"),
        (("--method", "deconvnet"), 3, "no max pool lies between"),
        (("--layers", "fc"), 3, "has no maps of the picture"),
        (("--class", "0", "--theme", "pink"), 2, "no theme 'pink'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    folder: Path, onnxviz_command: Callable[..., object], options: tuple[str, ...], code: int, words: str
) -> None:
    done = onnxviz_command(*ARGUMENTS, *options, "-o", "why")
    assert done.code == code, done.err
    assert words in done.err
    assert not (folder / "why").exists()
