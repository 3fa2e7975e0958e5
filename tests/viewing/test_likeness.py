"""Overviews that show what an earlier one shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxviz
from onnxviz import ViewOptions
from onnxviz.errors import InputError, NoMatchError

IMAGE = np.random.default_rng(0).random((1, 1, 6, 6), np.float32)


def net(path: Path, order: list[int], prefix: str = "") -> Path:
    """Two convolutions of ten channels; channel order[k] of the first is k times the input."""
    weights = np.zeros((10, 1, 1, 1), np.float32)
    weights[order, 0, 0, 0] = np.arange(10)
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], [f"{prefix}a"], name=f"{prefix}first"),
        onnx.helper.make_node("Conv", [f"{prefix}a", "v"], [f"{prefix}b"], name=f"{prefix}second"),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 1, 6, 6])],
        [onnx.helper.make_tensor_value_info(f"{prefix}b", 1, [1, 10, 6, 6])],
        [
            onnx.numpy_helper.from_array(weights, "w"),
            onnx.numpy_helper.from_array(np.eye(10, dtype=np.float32)[:, :, None, None], "v"),
        ],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def overviews(folder: Path) -> dict[str, list[int] | None]:
    layers = json.loads((folder / "view.json").read_text())["runs"][0]["layers"]
    return {layer["name"]: layer["overview"] for layer in layers}


@pytest.mark.parametrize("prefix", ["", "other/"])
def test_an_overview_shows_the_channels_of_another(tmp_path: Path, prefix: str) -> None:
    rising, falling = list(range(10)), list(range(9, -1, -1))
    onnxviz.view(net(tmp_path / "a.onnx", rising), IMAGE, tmp_path / "a", ViewOptions(layers="conv", html=False))
    assert overviews(tmp_path / "a")["first"] == [9, 8, 7, 6, 5, 4, 3]
    other = net(tmp_path / "b.onnx", falling, prefix)
    onnxviz.view(other, IMAGE, tmp_path / "own", ViewOptions(layers="conv", html=False))
    assert overviews(tmp_path / "own")[f"{prefix}first"] == [0, 1, 2, 3, 4, 5, 6]
    like = ViewOptions(layers="conv", html=False, like=tmp_path / "a")
    onnxviz.view(other, IMAGE, tmp_path / "like", like)
    assert overviews(tmp_path / "like") == {
        f"{prefix}first": [9, 8, 7, 6, 5, 4, 3],
        f"{prefix}second": [9, 8, 7, 6, 5, 4, 3],
    }


def test_an_overview_that_has_nothing_in_common_is_refused(tmp_path: Path) -> None:
    model = net(tmp_path / "a.onnx", list(range(10)))
    onnxviz.view(model, IMAGE, tmp_path / "a", ViewOptions(layers="conv", html=False))
    other = net(tmp_path / "b.onnx", list(range(10)), "other/")
    with pytest.raises(NoMatchError, match="shows none of the 1 layers that are chosen here"):
        onnxviz.view(other, IMAGE, tmp_path / "b", ViewOptions(layers="conv[0]", html=False, like=tmp_path / "a"))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"runs": []}', '{"runs": [{"layers": [{"name": "a"}]}]}'])
def test_what_is_not_a_view_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "view.json").write_text(content)
    model = net(tmp_path / "a.onnx", list(range(10)))
    with pytest.raises(InputError, match=r"is not a view\.json with an overview to go by"):
        onnxviz.view(model, IMAGE, tmp_path / "b", ViewOptions(html=False, like=tmp_path))
    with pytest.raises(InputError, match="cannot be read"):
        onnxviz.view(model, IMAGE, tmp_path / "b", ViewOptions(html=False, like=tmp_path / "nowhere"))
