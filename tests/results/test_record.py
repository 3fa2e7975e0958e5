from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import onnxviz
from onnxviz.results.observer import Observer
from onnxviz.results.record import LayerRecord
from onnxviz.strict_json import number
from onnxviz.viewing.options import ViewOptions

X = np.array([[[[1, -2], [3, 0]]]], np.float32)


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    node = helper.make_node("Log", ["x"], ["y"], name="log")
    spec = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [spec("x", 1, [1, 1, 2, 2])], [spec("y", 1, [1, 1, 2, 2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "log.onnx")
    record = onnxviz.view(tmp_path / "log.onnx", X, tmp_path / "maps", ViewOptions(layers="y"))
    (channel,) = record.document()["runs"][0]["layers"][0]["channels"]
    assert (channel["nan"], channel["inf"]) == (1, 1)
    assert channel["min"] == 0
    assert channel["max"] == pytest.approx(np.log(3))
    assert (number(float("nan")), number(float("inf")), number(2)) == (None, None, 2)


def test_layers_are_let_go_when_their_run_ends(doubling_model: Path, tmp_path: Path) -> None:
    for place in range(6):
        np.save(tmp_path / f"{place}.npy", X)
    alive: list[int] = []

    class Ear(Observer):
        def started(self, feed: object, layers: int, map_bytes: int) -> None:
            gc.collect()
            alive.append(sum(isinstance(thing, LayerRecord) for thing in gc.get_objects()))

    record = onnxviz.view(doubling_model, str(tmp_path / "*.npy"), tmp_path / "maps", ViewOptions(layers="all"), Ear())
    assert len(record.runs) == len(alive) == 6
    assert set(alive) == {0}


def test_view_json_is_one_object_whatever_the_names(doubling_model: Path, tmp_path: Path) -> None:
    """Braces and commas of a name do not break the members that surround the runs."""
    for name in ("a}, {", 'b", "runs": ['):
        np.save(tmp_path / f"{name}.npy", X)
    options = ViewOptions(layers="conv", html=False)
    document = onnxviz.view(doubling_model, str(tmp_path / "*.npy"), tmp_path / "maps", options).document()
    assert list(document) == [
        *("schema", "onnxviz", "model", "runs", "device", "level", "remark", "report", "left_out", "failures"),
        *("not_shown", "health"),
    ]
    assert [list(run) for run in document["runs"]] == [
        ["source", "fed", "directory", "overview", "film", "top", "explanations", "layers"],
    ] * 2
    assert [Path(run["source"]["x"]).stem for run in document["runs"]] == ["a}, {", 'b", "runs": [']
