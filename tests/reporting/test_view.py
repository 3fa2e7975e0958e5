"""The report that `view` writes in its one pass over the activations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import onnxviz
from onnxviz.viewing.options import ViewOptions
from tests.models import model_of

Reader = Callable[[Path], Any]


@pytest.fixture(scope="module")
def viewed(bundled_model: Path, cat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("viewed") / "maps"
    onnxviz.view(bundled_model, cat, folder, ViewOptions(layers="conv, pool, dense"))
    return folder / "report.html"


def test_all_layers_of_the_bundled_model_take_less_than_8_mb(viewed: Path, read_report: Reader) -> None:
    assert viewed.stat().st_size < 8e6
    report = read_report(viewed)
    assert sum(layer["kind"] in ("conv", "pool") for layer in report.index["layers"]) == 50
    assert report.index["left_out"] == ""
    assert report.index["model"] == {"name": "efficientnet_lite0_int8.onnx", "device": "cpu", "level": "extended"}


def test_several_inputs_have_their_health_pooled(tmp_path: Path, read_report: Reader) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,2,2,2] x) => (float[1,2,2,2] y) { y = Relu (x) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    left, right = np.full((2, 1, 2, 2, 2), -1, np.float32)
    left[0, 0], right[0, 0, 0, 0] = np.arange(4).reshape(2, 2), 1
    onnxviz.view(tmp_path / "m.onnx", [left, right], tmp_path / "maps", ViewOptions(layers="y"))
    (layer,) = read_report(tmp_path / "maps" / "report.html").index["layers"]
    assert [run["health"]["dead"] for run in layer["runs"]] == [1, 1]
    assert (layer["pooled"]["dead"], layer["pooled"]["values"]) == (1, 16)
    onnxviz.view(tmp_path / "m.onnx", [left, -right], tmp_path / "other", ViewOptions(layers="y"))
    (layer,) = read_report(tmp_path / "other" / "report.html").index["layers"]
    assert [run["health"]["dead"] for run in layer["runs"]] == [1, 1]
    assert layer["pooled"]["dead"] == 0  # 0 for one input and 1 for the other
    onnxviz.view(tmp_path / "m.onnx", left, tmp_path / "one", ViewOptions(layers="y"))
    (layer,) = read_report(tmp_path / "one" / "report.html").index["layers"]
    assert "pooled" not in layer


def test_values_equal_the_activations(
    viewed: Path, bundled_model: Path, cat: Path, read_report: Reader, assert_close: Callable[..., None]
) -> None:
    report = read_report(viewed)
    maps = onnxviz.open(bundled_model).run(cat, layers="conv, pool, dense")
    assert [layer["name"] for layer in report.index["layers"]] == list(maps)
    for place, layer in enumerate(report.index["layers"]):
        array = maps[layer["name"]].array[0]
        values = report.values(place)
        # Another set of outputs lets onnxruntime fuse other nodes: its rounding is let through, a hundredth of a step.
        shaped = array.reshape(values.shape)
        low, high = (report.numbers(place, name).reshape(-1, *[1] * (values.ndim - 1)) for name in ("low", "high"))
        room = 1e-5 * np.abs(array).max()
        assert (np.abs(values - shaped) <= (high - low) / 512 + room).all(), layer["name"]
        assert np.abs(low.ravel() - shaped.reshape(len(values), -1).min(axis=1)).max() <= room
        assert np.abs(high.ravel() - shaped.reshape(len(values), -1).max(axis=1)).max() <= room


def test_a_report_does_not_tell_where_files_lie(viewed: Path, cat: Path, read_report: Reader) -> None:
    report = read_report(viewed)
    (run,) = report.index["runs"]
    assert run["source"] == {"image": cat.name}
    assert run["fed"][0]["source"] == cat.name
    assert str(cat.parent) not in report.text


def test_classes_have_their_names_and_units(viewed: Path, read_report: Reader) -> None:
    index = read_report(viewed).index
    first = index["runs"][0]["classes"][0]
    assert (first["name"], first["index"]) == ("Egyptian cat", 285)
    assert first["value"] == pytest.approx(0.798, abs=0.005)


def test_several_inputs_share_one_report(
    doubling_model: Path, tmp_path: Path, read_report: Reader, assert_close: Callable[..., None]
) -> None:
    arrays = [np.array([[[[1, -2], [3, 0]]]], np.float32) * factor for factor in (1, 10)]
    for place, array in enumerate(arrays):
        np.save(tmp_path / f"in{place}.npy", array)
    options = ViewOptions(layers="conv", same_scale=True)
    onnxviz.view(doubling_model, [str(tmp_path / "in0.npy"), str(tmp_path / "in1.npy")], tmp_path / "maps", options)
    assert [path.name for path in tmp_path.rglob("report.html")] == ["report.html"]
    report = read_report(tmp_path / "maps" / "report.html")
    assert [run["name"] for run in report.index["runs"]] == ["in0", "in1"]
    (layer,) = report.index["layers"]
    assert layer["receptive_field"]["size"] == [1, 1]
    for run, array in enumerate(arrays):
        # conv has the weights 2 and -1, and a Relu follows.
        assert_close(report.values(0, run), np.maximum(np.concatenate([2 * array[0], -array[0]]), 0))


def test_the_page_begins_as_the_pictures_were_asked_for(
    doubling_model: Path, tmp_path: Path, read_report: Reader
) -> None:
    inputs = [np.array([[[[1, -2], [3, 0]]]], np.float32) * factor for factor in (1, 10)]

    def look(**options: Any) -> Any:
        onnxviz.view(doubling_model, inputs, tmp_path / "maps", ViewOptions(layers="conv", **options))
        return read_report(tmp_path / "maps" / "report.html").index

    plain = {"scale": "auto", "colormap": "auto", "order": "auto", "query": "auto", "theme": None, "fixed": None}
    assert look()["look"] == plain
    style = onnxviz.Style(scale="fixed:0,5", colormap="vik_r", order="deviation", query="7,3", theme="light")
    asked = look(style=style)
    assert asked["look"] == {
        "scale": "fixed",
        "colormap": "vik_r",
        "order": "deviation",
        "query": "7,3",
        "theme": "light",
        "fixed": [0, 5],
    }
    assert asked["scales"]["fixed"]["name"] == "fixed 0 … 5"
    assert asked["colormaps"]["vik_r"] == asked["colormaps"]["vik"][::-1]
    shared = look(same_scale=True, style=onnxviz.Style(channels="0"))
    assert shared["look"] == plain | {"scale": "inputs"}
    # Weight 2 of the first channel: 6 and 60; the second is not drawn.
    assert shared["layers"][0]["limits"] == [0, 60]
    assert "limits" not in asked["layers"][0]


def test_an_input_that_fails_half_way_is_not_in_the_report(tmp_path: Path, read_report: Reader) -> None:
    """The maps of `first` are there before the addition of `b` fails, in a piece of its own."""
    model = model_of(
        tmp_path / "m.onnx",
        """g (float[1,1,H,W] x) => (float[1,1,H,W] y) <float[1,1,1,1] w = {2}, float[1,1,1,3] b = {1, 1, 1}> {
            [first] a = Conv (x, w)
            [second] y = Add (a, b)
        }""",
    )
    for place, width in enumerate((5, 3, 5, 3)):
        np.save(tmp_path / f"{place}.npy", np.full((1, 1, 2, width), place, np.float32))
    options = ViewOptions(layers="conv, add", run=onnxviz.RunOptions(memory=1))
    onnxviz.view(model, str(tmp_path / "*.npy"), tmp_path / "maps", options)
    report = read_report(tmp_path / "maps" / "report.html")
    assert [run["name"] for run in report.index["runs"]] == ["1", "3"]
    assert [layer["name"] for layer in report.index["layers"]] == ["first", "second"]
    assert [layer["extent"] for layer in report.index["layers"]] == [[2, 3]] * 2
    assert [report.values(0, run).max() for run in range(2)] == [2, 6]


def test_a_model_of_hostile_names_is_shown_as_text(tmp_path: Path, read_report: Reader) -> None:
    names = ["</script><script>alert(1)</script>", "<!--", "\u202elanoitceridib", "n" * 10_000]
    values = ["x", *(f"{name} out" for name in names)]
    nodes = [
        helper.make_node("Abs", [values[place]], [values[place + 1]], name=name) for place, name in enumerate(names)
    ]
    spec = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [spec("x", 1, [1, 1, 2, 2])], [spec(values[-1], 1, [1, 1, 2, 2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "hostile.onnx")
    onnxviz.view(
        tmp_path / "hostile.onnx", np.ones((1, 1, 2, 2), np.float32), tmp_path / "m", ViewOptions(layers="other")
    )
    report = read_report(tmp_path / "m" / "report.html")
    assert [layer["name"] for layer in report.index["layers"]] == names
    assert [layer["output"] for layer in report.index["layers"]] == values[1:]
    assert "alert(1)" not in "".join(text for _, attributes, text in report.elements if attributes.get("id") != "index")
    assert sum(tag == "script" for tag, _, _ in report.elements) == 1 + len(names) + 1
