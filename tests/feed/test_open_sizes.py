from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from onnxviz.feed.feed_options import FeedOptions
from onnxviz.layout import InputUse, TensorSpec
from tests.feed.feeding import feed, refusal, spec

NOISE = FeedOptions(random=True)


def shapes(inputs: list[TensorSpec], options: FeedOptions = NOISE) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in feed(inputs, None, options).arrays.items()}


def decoder(total: str) -> list[TensorSpec]:
    """Return the inputs of a language model with a cache, the mask before what its length is the sum of."""
    return [
        spec("batch", total, dtype="int64", name="attention_mask"),
        spec("batch", "seq_len", dtype="int64", name="input_ids"),
        spec("batch", 4, "past_seq_len", 8, name="past.0.key"),
    ]


@pytest.mark.parametrize("total", ["total_seq_len", "past_seq_len + seq_len"])
def test_a_total_is_the_sum_of_past_and_new(total: str) -> None:
    assert shapes(decoder(total)) == {
        "attention_mask": (1, 65),
        "input_ids": (1, 64),
        "past.0.key": (1, 4, 1, 8),
    }
    dims = {"past_seq_len": 0, "seq_len": 3}
    assert shapes(decoder(total), FeedOptions(random=True, dims=dims)) == {
        "attention_mask": (1, 3),
        "input_ids": (1, 3),
        "past.0.key": (1, 4, 0, 8),
    }


def test_a_symbol_has_one_size_wherever_it_stands() -> None:
    assert shapes([spec("N", "N", name="a"), spec("N", "M", name="b")]) == {"a": (64, 64), "b": (64, 1)}
    assert shapes([spec("N", "t + 1", name="a"), spec("N", "t", name="b")]) == {"a": (1, 2), "b": (1, 1)}


@pytest.mark.parametrize("shape", [tuple("abcdefghi"), (None,) * 9, ("N", 3, "D", "D", "D", "D")])
def test_guesses_have_a_bound(shape: tuple[Any, ...]) -> None:
    (made,) = shapes([spec(*shape)]).values()
    assert 1 < math.prod(made) <= 1 << 23


def test_fixed_sizes_beyond_memory_are_refused() -> None:
    assert refusal(spec(1 << 20, 1 << 20), None, NOISE) == (
        "input 'x' has 1048576x1048576 numbers, more than are made up: give x=FILE.npy"
    )


def test_sizes_of_0_are_sizes() -> None:
    result = feed([spec(2, 0, 3, name="empty"), spec(1, "n", name="x")], None, FeedOptions(constant=1, dims={"n": 0}))
    assert {name: array.shape for name, array in result.arrays.items()} == {"empty": (2, 0, 3), "x": (1, 0)}
    assert feed(spec(1, 4, 0, 8), np.zeros((1, 4, 0, 8)), FeedOptions()).arrays["x"].shape == (1, 4, 0, 8)


def test_every_open_size_can_be_given() -> None:
    from onnxviz.feed.make import make_feed

    inputs = [spec("N", None, 6), spec("N", "k", dtype="int64", name="i")]
    result = make_feed(inputs, None, NOISE, {}, open_size=8)
    assert [array.shape for array in result.arrays.values()] == [(8, 8, 6), (8, 8)]
    assert result.notes[1] == (
        "x: sizes that the model leaves open are guessed, as the model refused others: N=8, axis 1=8"
        " (--dim changes them)"
    )
    assert not result.arrays["i"].any()


def test_what_the_model_demands_is_no_guess() -> None:
    names = ("batch", "height", "width")
    wide = TensorSpec("x", "float32", names, use=InputUse(sizes=(None, None, 256)))
    narrow = TensorSpec("y", "float32", names, use=InputUse(sizes=(None, None, 8)))
    free = TensorSpec("z", "float32", names)
    fed = feed([wide, narrow, free], None, NOISE)
    assert [array.shape for array in fed.arrays.values()] == [(1, 64, 256), (1, 64, 8), (1, 64, 256)]
    assert "x: sizes that the model leaves open are guessed: height=64 (--dim changes them)" in fed.notes
    asked = FeedOptions(random=True, dims={"width": 5, "y:width": 6})
    assert list(shapes([wide, narrow, free], asked).values()) == [(1, 64, 5), (1, 64, 6), (1, 64, 5)]
