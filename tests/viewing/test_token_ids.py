"""Which of the numbers that were fed name tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxviz.activations import Activation
from onnxviz.feed.feed import Feed
from onnxviz.layout import InputUse, TensorSpec
from onnxviz.viewing.token_ids import fed_ids, names_for

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


def test_two_texts_of_one_length_name_none_of_them() -> None:
    assert ids_of(encoder=(IDS, 99), decoder=(IDS + 1, 99)) == {}
    assert set(ids_of(encoder=(IDS, 99), decoder=(IDS[:, :2] + 1, 99))) == {2, 3}


def test_only_axes_of_tokens_are_named() -> None:
    names = {3: ("101", "7", "102")}
    assert names_for(Activation("a", "a", "act", np.zeros((1, 3, 8)), "NLC"), names) == names
    assert names_for(Activation("a", "a", "act", np.zeros((1, 2, 3, 3)), "NCTT"), names) == names
    assert names_for(Activation("a", "a", "act", np.zeros((1, 3)), "NC"), names) == {}
    assert names_for(Activation("a", "a", "act", np.zeros((1, 3)), None), names) == {}
