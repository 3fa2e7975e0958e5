from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

import onnxviz
from onnxviz.activations import Activation
from onnxviz.errors import UsageError
from onnxviz.reporting.classes import ClassScore, top_classes
from onnxviz.viewing.classes import class_outputs
from onnxviz.viewing.options import ViewOptions
from onnxviz.viewing.record import is_ours, number
from onnxviz.viewing.view import Watcher, default_directory, evenly

X = np.array([[[[1, -2], [3, 0]]]], np.float32)


def scores(*values: float) -> Activation:
    return Activation("scores", "scores", "value", np.array([values], np.float32), "NC")


def test_the_record_says_what_was_drawn(doubling_model: Path, tmp_path: Path) -> None:
    heard: list[str] = []

    class Ear(Watcher):
        def drawn(self, layer: object) -> None:
            heard.append(layer.name)

    record = onnxviz.view(doubling_model, X, tmp_path / "maps", ViewOptions(layers="conv"), Ear())
    (layer,) = record.runs[0].layers
    assert heard == ["conv"]
    assert (layer.name, layer.output, layer.tap, layer.shape, layer.range) == ("conv", "r", "act", (1, 2, 2, 2), (0, 6))
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "000-conv.png",
        "overview.png",
        "report.html",
        "view.json",
    ]
    assert is_ours(tmp_path / "maps")
    written = json.loads((tmp_path / "maps" / "view.json").read_text("utf-8"))
    assert written == json.loads(json.dumps(record.as_json()))
    assert written["runs"][0]["layers"][0]["channels"][1]["max"] == 2


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    node = helper.make_node("Log", ["x"], ["y"], name="log")
    spec = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [spec("x", 1, [1, 1, 2, 2])], [spec("y", 1, [1, 1, 2, 2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "log.onnx")
    record = onnxviz.view(tmp_path / "log.onnx", X, tmp_path / "maps", ViewOptions(layers="y"))
    (channel,) = record.as_json()["runs"][0]["layers"][0]["channels"]
    assert (channel["nan"], channel["inf"]) == (1, 1)
    assert channel["min"] == 0
    assert channel["max"] == pytest.approx(np.log(3))
    assert (number(float("nan")), number(float("inf")), number(2)) == (None, None, 2)


def test_classes_need_labels_or_a_distribution() -> None:
    assert top_classes(scores(0.25, 0.75), None) == (ClassScore("class 1", 1, 0.75), ClassScore("class 0", 0, 0.25))
    assert top_classes(scores(-2, 5), None) == ()
    assert top_classes(scores(-2, 5), ("cat", "dog")) == (ClassScore("dog", 1, 5), ClassScore("cat", 0, -2))
    assert top_classes(scores(-2, 5), ("cat",)) == ()
    assert top_classes(scores(float("nan"), 1), ("cat", "dog")) == ()


def test_a_selection_at_the_front_does_not_run_the_whole_model(bundled_model: Path) -> None:
    model = onnxviz.open(bundled_model)
    front, _ = model.choose("conv[0]")
    back, _ = model.choose("conv[-1]")
    assert class_outputs(model, front, None) == ()
    assert [choice.value for choice in class_outputs(model, back, None)] == ["probabilities"]


def test_names_and_places() -> None:
    assert sorted(evenly(9, 3)) == [0, 4, 8]
    assert len(evenly(1000, 64)) == 64
    with pytest.raises(UsageError, match="unknown picture format 'gif'"):
        ViewOptions(format="gif")


def test_the_default_folder_is_named_for_model_and_input(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    assert default_directory(model, ["a/cat.jpg"]) == Path("doubling-cat-maps")
    assert default_directory(model, ["a.npy", "b.npy", "c.npy"]) == Path("doubling-a-and-2-more-maps")
    assert default_directory(model, []) == Path("doubling-random-maps")


def test_a_deep_model_has_an_overview_that_can_be_read(tmp_path: Path) -> None:
    nodes = [helper.make_node("Abs", [f"v{place}"], [f"v{place + 1}"], name=f"abs{place}") for place in range(70)]
    spec = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [spec("v0", 1, [1, 1, 2, 2])], [spec("v70", 1, [1, 1, 2, 2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "deep.onnx")
    record = onnxviz.view(tmp_path / "deep.onnx", X, tmp_path / "maps", ViewOptions(layers="other"))
    assert len(record.runs[0].layers) == 70
    with Image.open(tmp_path / "maps" / "overview.png") as deep:
        assert deep.height < 64 * 160 + 400
