"""Which of the numbers that were fed name tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxviz
from onnxviz.activations import Activation
from onnxviz.feed.feed import Feed
from onnxviz.layout import InputUse, TensorSpec
from onnxviz.viewing.token_ids import fed_ids, names_for
from tests.reporting.conftest import ReadReport, read_report

__all__ = ["read_report"]

IDS = np.array([[101, 7, 102], [1, 2, 3]], np.int64)


def ids_of(**inputs: tuple[np.ndarray, int | None]) -> dict[int, tuple[str, ...]]:
    specs = [TensorSpec(name, use=InputUse(rows=rows)) for name, (_, rows) in inputs.items()]
    return dict(
        fed_ids(Feed({name: array for name, (array, _) in inputs.items()}, (), "run"), specs, Path("model.onnx"))
    )


def test_ids_of_the_first_item_name_as_many_tokens() -> None:
    assert ids_of(ids=(IDS, 30000)) == {3: ("101", "7", "102")}


@pytest.mark.parametrize(
    ("array", "rows"),
    [
        (np.zeros((1, 3), np.int64), 2),
        (np.arange(3)[None], 512),
        (np.ones((1, 3), np.int64), None),
        (np.ones((1, 3), np.float32), 30000),
        (np.ones((1, 1), np.int64), 30000),
        (np.ones((1, 3, 2), np.int64), 30000),
    ],
    ids=["types", "positions", "a mask", "floats", "one", "of rank 3"],
)
def test_what_is_not_the_id_of_a_word_names_none(array: np.ndarray, rows: int | None) -> None:
    assert ids_of(other=(array, rows)) == {}
    assert ids_of(ids=(IDS, 30000), other=(array, rows)) == {3: ("101", "7", "102")}


def test_the_page_has_the_words_of_each_run(tmp_path: Path, read_report: Callable[[Path], ReadReport]) -> None:
    """ids (N,T) -> rows of a table (30,4) -> table^T: scores of each word for each, as an attention has them."""
    table = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], name="embedding"),
        helper.make_node("Transpose", ["rows"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["rows", "turned"], ["scores"], name="scores"),
        helper.make_node("Softmax", ["scores"], ["shares"], name="attention"),
    ]
    ends = [
        helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["N", "T"]),
        helper.make_tensor_value_info("shares", onnx.TensorProto.FLOAT, ["N", "T", "T"]),
    ]
    graph = helper.make_graph(nodes, "text", ends[:1], ends[1:], [numpy_helper.from_array(table, "table")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "t.onnx")
    (tmp_path / "vocab.txt").write_text("\n".join(f"word{each}" for each in range(30)), "utf-8")
    texts = [np.array([each], np.int64) for each in ([3, 7, 1], [4, 4, 2, 9])]
    onnxviz.view(tmp_path / "t.onnx", texts, tmp_path / "maps", layers="embedding", pictures=False)
    runs = read_report(tmp_path / "maps/report.html").index["runs"]
    assert [run["tokens"] for run in runs] == [
        {"3": ["word3", "word7", "word1"]},
        {"4": ["word4", "word4", "word2", "word9"]},
    ]


def test_two_texts_of_one_length_name_none_of_them() -> None:
    assert ids_of(encoder=(IDS, 99), decoder=(IDS + 1, 99)) == {}
    assert set(ids_of(encoder=(IDS, 99), decoder=(IDS[:, :2] + 1, 99))) == {2, 3}


def test_only_axes_of_tokens_are_named() -> None:
    names = {3: ("101", "7", "102")}
    assert names_for(Activation("a", "a", "act", np.zeros((1, 3, 8)), "NLC"), names) == names
    assert names_for(Activation("a", "a", "act", np.zeros((1, 2, 3, 3)), "NCTT"), names) == names
    assert names_for(Activation("a", "a", "act", np.zeros((1, 3)), "NC"), names) == {}
    assert names_for(Activation("a", "a", "act", np.zeros((1, 3)), None), names) == {}
