"""The command `figure`, through its files and messages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.cli.parameters import length
from onnxviz.errors import UsageError
from tests.draw.figure.reading import read_pdf


@pytest.fixture
def folder(tmp_path: Path, doubling_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("one.npy", np.array([[[[0, 1], [2, 4]]]], np.float32))
    np.save("two.npy", np.array([[[[8, 0], [0, 0]]]], np.float32))
    return tmp_path


def test_one_command_makes_one_figure(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command(
        *("figure", "doubling.onnx", "one.npy", "two.npy", "--layers", "c,r", "--same-scale", "--width", "89mm"),
        *("--title", "Doubling", "--row-labels", "before,after", "-o", "figure.pdf"),
    )
    assert done.code == 0, done.err
    found = read_pdf((folder / "figure.pdf").read_bytes())
    assert found.size[0] == pytest.approx(8.9, abs=0.001)
    assert all(word in found.words for word in ("Doubling", "one", "two", "before", "after"))
    assert f"a figure of 8.9 x {found.size[1]:.1f} cm is in figure.pdf" in done.err
    assert done.out == ""


def test_json_says_what_is_where(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command(
        *("figure", "doubling.onnx", "one.npy", "two.npy", "--layers", "r", "--same-scale", "--channels", "1,0"),
        "--no-pictures",
        *("-o", "figure.svg", "--json", "-q"),
    )
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert (document["schema"], document["file"], document["width_cm"]) == ("onnxviz.figure/1", "figure.svg", 17.0)
    first, second = document["panels"]
    assert (first["layer"], first["input"], first["channels"]) == ("r", "one", [1, 0])
    assert (second["input"], second["place_cm"][1]) == ("two", first["place_cm"][1])
    (bar,) = document["bars"]
    assert (bar["layers"], bar["low"], bar["high"]) == (["r"], 0.0, 16.0)


def test_scales_without_numbers_have_none_in_json(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command("figure", "doubling.onnx", "one.npy", "--layers", "r", "-o", "f.svg", "--json", "-q")
    assert json.loads(done.out)["bars"][0]["low"] is None


def test_the_name_of_the_file_follows_from_the_model(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    assert onnxviz_command("figure", "doubling.onnx", "one.npy", "--layers", "r", "-q").code == 0
    assert (folder / "doubling-figure.pdf").is_file()


def test_pixels_have_the_dots_that_are_asked_for(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command(
        *("figure", "doubling.onnx", "one.npy", "--layers", "r", "--width", "1in", "--dpi", "200", "-o", "f.tiff")
    )
    assert done.code == 0, done.err
    with Image.open(folder / "f.tiff") as image:
        assert image.width == 200


def test_kernels_need_no_input(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command("figure", "doubling.onnx", "--weights", "conv", "-o", "kernels.svg")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("one.npy", "--layers", "r", "-o", "f.jpg"), 2, "figures are not written as '.jpg': .pdf, .svg"),
        (("one.npy", "-o", "f.svg"), 2, "a figure shows what is selected: --layers"),
        (("one.npy", "--layers", "r", "--width", "wide"), 2, "--width takes a length such as 8.9cm"),
        (("one.npy", "--layers", "r", "--channels", "9", "-o", "f.svg"), 2, "no channel 9"),
        (("one.npy", "--layers", "nothing", "-o", "f.svg"), 3, "nothing is called `nothing`"),
        (("none.npy", "--layers", "r", "-o", "f.svg"), 4, "none.npy"),
        (("one.npy", "--layers", "r", "-o", "taken.svg"), 6, "taken.svg exists: --force"),
        (("--weights", "conv", "--layers", "r", "-o", "f.svg"), 2, "kernels are drawn as they are in the model"),
    ],
)
def test_what_goes_wrong_is_one_clear_line(
    folder: Path, onnxviz_command: Callable[..., object], arguments: tuple[str, ...], code: int, message: str
) -> None:
    (folder / "taken.svg").write_text("mine")
    before = sorted(path.name for path in folder.iterdir())
    done = onnxviz_command("figure", "doubling.onnx", *arguments)
    assert (done.code, message in done.err) == (code, True), done.err
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "taken.svg").read_text() == "mine"


def test_an_input_is_not_written_over(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    Image.new("L", (2, 2)).save("one.png")
    done = onnxviz_command("figure", "doubling.onnx", "one.png", "--layers", "r", "-o", "one.png", "--force")
    assert done.code == 6
    assert "one.png" in done.err


def test_without_fpdf2_a_pdf_is_refused_before_the_model_is_run(
    folder: Path, onnxviz_command: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    done = onnxviz_command("figure", "doubling.onnx", "one.npy", "--layers", "r")
    assert done.code == 2
    assert done.err.startswith("onnxviz: PDF is written by fpdf2: pip install 'onnxviz[pdf]'")


@pytest.mark.parametrize(("text", "wanted"), [("3.5in", 8.89), ("252pt", 8.89), (" 8.9 CM", 8.9), ("10", 10.0)])
def test_lengths(text: str, wanted: float) -> None:
    assert length(text) == pytest.approx(wanted)


@pytest.mark.parametrize("text", ["", "cm", "8,9cm", "8.9km"])
def test_what_is_not_a_length(text: str) -> None:
    with pytest.raises(UsageError, match="--width takes a length"):
        length(text)
