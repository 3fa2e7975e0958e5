"""Words of a vocabulary beside a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onnxviz.feed.feed import Feed
from onnxviz.layout import InputUse, TensorSpec
from onnxviz.viewing.token_ids import fed_ids
from onnxviz.viewing.vocabulary import words_beside


def test_a_line_of_a_list_is_the_word_of_its_number(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\nthe\n##s\n", "utf-8")
    assert words_beside(tmp_path / "model.onnx", 3) == {0: "[PAD]", 1: "the", 2: "##s"}


@pytest.mark.parametrize("vocabulary", [{"Ġthe": 0, "▁cat": 1, "Ġ": 2}, [["Ġthe", -1.5], ["▁cat", -2], ["Ġ", -3]]])
def test_a_tokenizer_has_words_and_added_tokens(vocabulary: object, tmp_path: Path) -> None:
    document = {"model": {"vocab": vocabulary}, "added_tokens": [{"id": 4, "content": "<s>"}]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(document), "utf-8")
    assert words_beside(tmp_path / "model.onnx", 5) == {0: "the", 1: "cat", 2: "Ġ", 4: "<s>"}


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[1, 2]", b"{}", b'{"model": {"vocab": 3}}', b'{"model": {"vocab": {"a": 9}}}', b"[" * 100_000],
    ids=["empty", "binary", "a list", "nothing in it", "a number", "of more words than the model", "nested"],
)
def test_what_is_not_the_models_vocabulary_names_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    assert words_beside(tmp_path / "model.onnx", 5) == {}


def test_ids_are_named_by_their_words_and_the_others_by_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("a\nb\nc\n", "utf-8")
    specs = [TensorSpec("ids", use=InputUse(rows=20))]
    feed = Feed({"ids": np.array([[2, 0, 19]])}, (), "run")
    assert fed_ids(feed, specs, tmp_path / "model.onnx") == {3: ("c", "a", "19")}
