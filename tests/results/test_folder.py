from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import onnxviz
from onnxviz.draw.style import Style
from onnxviz.errors import OutputError, UsageError
from onnxviz.results.folder import default_directory
from onnxviz.viewing.options import ViewOptions

X = np.array([[[[1, -2], [3, 0]]]], np.float32)


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini"])
def test_what_systems_leave_in_a_folder_is_replaced_with_it(doubling_model: Path, tmp_path: Path, name: str) -> None:
    maps, options = tmp_path / "maps", ViewOptions(layers="conv", html=False)
    for _ in range(2):
        onnxviz.view(doubling_model, X, maps, options)
        (maps / name).write_bytes(b"left")
    (maps / "notes.txt").touch()
    with pytest.raises(OutputError, match="--force"):
        onnxviz.view(doubling_model, X, maps, options)


def test_the_default_folder_is_named_for_model_and_input(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    assert default_directory(model, ["a/cat.jpg"]) == Path("doubling-cat-maps")
    assert default_directory(model, ["a.npy", "b.npy", "c.npy"]) == Path("doubling-a-and-2-more-maps")
    assert default_directory(model, []) == Path("doubling-random-maps")


def test_folders_of_what_has_no_name(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    for source in (X, np.float32(1), Image.new("RGB", (2, 2)), {"x": X}):
        assert default_directory(model, source) == Path("doubling-array-maps")
    assert default_directory(model, ()) == Path("doubling-random-maps")


def test_nothing_that_is_needed_is_replaced(doubling_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "things"
    folder.mkdir()
    np.save(folder / "x.npy", X)
    (folder / "labels.txt").write_text("a\nb\n", "utf-8")
    weights = tmp_path / "weights"
    weights.mkdir()
    split = onnx.load(doubling_model)
    onnx.save(
        split, weights.parent / "split.onnx", save_as_external_data=True, location="weights/w.bin", size_threshold=0
    )
    forced = ViewOptions(force=True)
    for inputs, options in (
        ({"x": folder / "x.npy"}, forced),
        ({"x": str(folder / "x.npy")}, forced),
        ([folder / "x.npy"], forced),
        (X, ViewOptions(force=True, labels=folder / "labels.txt")),
        (X, ViewOptions(force=True, style=Style(font=str(folder / "font.ttf")))),
    ):
        with pytest.raises((OutputError, UsageError), match=r"is or holds .*things|cannot be read as a font"):
            onnxviz.view(doubling_model, inputs, folder, options)
    assert sorted(path.name for path in folder.iterdir()) == ["labels.txt", "x.npy"]
    with pytest.raises(OutputError, match="is or holds"):
        onnxviz.view(tmp_path / "split.onnx", X, weights, forced)
    assert (weights / "w.bin").exists()
