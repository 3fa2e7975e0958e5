"""Attention in a folder of pictures: whose it is stands in view.json, and ids that were fed name the tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser

import onnxviz
from onnxviz.draw.page import Page
from onnxviz.draw.style import Style
from onnxviz.errors import UsageError
from onnxviz.results.observer import Observer
from onnxviz.viewing.options import ViewOptions

HEAD = '<ir_version: 8, opset_import: ["": 23]>'
ATTENTION = "y = Attention <q_num_heads=2, kv_num_heads=2> (x, x, x)"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A net that attends over 2 x 3 patches and a class token."""
    text = f"""{HEAD} g (float[1,1,4,6] image) => (float[] y) <int64[3] flat = {{1, 8, 6}}> {{
        c = Conv <strides=[2,2]> (image, w) f = Reshape (c, flat) t = Transpose <perm=[0,2,1]> (f)
        x = Concat <axis=1> (class, t) {ATTENTION}
    }}"""
    random = np.random.default_rng(3)
    weights = {"w": random.normal(size=(8, 1, 2, 2)), "class": np.zeros((1, 1, 8))}
    return save(tmp_path / "pictures.onnx", text, weights)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A net that attends over the words of a sentence."""
    nodes = f"{HEAD} g (int64[1,4] ids) => (float[] y) {{ x = Gather <axis=0> (table, ids) {ATTENTION} }}"
    return save(tmp_path / "text.onnx", nodes, {"table": np.random.default_rng(3).normal(size=(500, 8))})


def save(path: Path, text: str, weights: dict[str, np.ndarray]) -> Path:
    proto = parser.parse_model(text)
    tensors = (onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items())
    proto.graph.initializer.extend(tensors)
    onnx.save(onnx.shape_inference.infer_shapes(proto), path)
    return path


class Notes(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, text: str) -> None:
        self.notes.append(text)


IMAGE = np.random.default_rng(1).normal(size=(1, 1, 4, 6)).astype(np.float32)


def queries(model: Path, query: str, layers: str = "y/weights", observer: Observer | None = None) -> list[str | None]:
    options = ViewOptions(layers=layers, style=Style(query=query), html=False, force=True)
    record = onnxviz.view(model, IMAGE, model.parent / "maps", options, observer)
    (run,) = record.document()["runs"]
    return [layer["query"] for layer in run["layers"]]


@pytest.mark.parametrize(
    ("query", "shown"),
    [("auto", "class"), ("1,2", "1,2"), ("mean", "mean"), ("matrix", "matrix"), ("3", "3"), ("9,9", "class")],
)
def test_view_json_says_whose_attention_is_drawn(pictures: Path, query: str, shown: str) -> None:
    assert queries(pictures, query) == [shown]


def test_other_layers_have_no_query(pictures: Path) -> None:
    notes = Notes()
    assert queries(pictures, "1,2", "conv", notes) == [None]
    assert "no attention is chosen: --query has nothing to ask" in notes.notes
    notes = Notes()
    assert queries(pictures, "1,2", "conv,y/weights", notes) == [None, "1,2"]
    assert not any("--query" in note for note in notes.notes)


def test_what_is_no_query_is_refused_before_anything_runs(pictures: Path) -> None:
    with pytest.raises(UsageError, match="a query is a token's row and column"):
        queries(pictures, "centre")
    assert not (pictures.parent / "maps").exists()


def test_the_ids_that_are_fed_name_the_tokens(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upright: list[str] = []
    draw = Page.upright

    def keep(self: Page, x: float, y: float, words: str, *rest: object) -> None:
        upright.append(words)
        draw(self, x, y, words, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Page, "upright", keep)
    options = ViewOptions(layers="y/weights", html=False)
    onnxviz.view(text, np.array([[101, 7, 400, 102]], np.int64), text.parent / "maps", options)
    assert upright == ["101", "7", "400", "102"] * 2  # for two heads
