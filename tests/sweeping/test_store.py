"""Results on disk: merged along the tree of their numbers, whatever the order, and nothing lost by a stop."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from onnxviz.sweeping.shard_job import ShardResult
from onnxviz.sweeping.store import Knot, ShardStore


class Notes:
    """A job that notes how it merged."""

    fingerprint = "notes"

    def open(self):
        raise AssertionError("nothing is computed here")

    def merge(self, first, second):
        text = f"({first.arrays['text']} {second.arrays['text']})"
        return ShardResult({"text": np.array(text)}, (*first.failed, *second.failed))


def result(number):
    return ShardResult({"text": np.array(str(number))}, ((number, "why"),) if number % 3 == 0 else ())


@pytest.mark.parametrize(
    ("count", "tree"),
    [
        (1, "0"),
        (2, "(0 1)"),
        (3, "((0 1) 2)"),
        (5, "(((0 1) (2 3)) 4)"),
        (6, "(((0 1) (2 3)) (4 5))"),
        (7, "(((0 1) (2 3)) ((4 5) 6))"),
    ],
)
def test_the_tree_does_not_depend_on_the_order(tmp_path: Path, count: int, tree: str) -> None:
    for seed in range(6):
        order = random.Random(seed).sample(range(count), count)
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        store = ShardStore(folder, Notes(), count)
        for number in order:
            store.add(number, result(number))
            assert len(list(folder.glob("*.npz"))) <= count.bit_length() + 1
        assert store.done == frozenset(range(count))
        assert str(store.result().arrays["text"]) == tree
        assert store.result().failed == tuple((number, "why") for number in range(0, count, 3))
        assert len(list(folder.iterdir())) == 1


def test_a_store_goes_on_and_takes_no_shard_twice(tmp_path: Path) -> None:
    store = ShardStore(tmp_path, Notes(), 5)
    for number in (3, 0, 1):
        store.add(number, result(number))
    again = ShardStore(tmp_path, Notes(), 5)
    assert again.done == {0, 1, 3}
    for number in (1, 2, 3, 4):
        again.add(number, result(number))
    assert str(again.result().arrays["text"]) == "(((0 1) (2 3)) 4)"


def test_what_was_merged_before_a_stop_is_not_counted_twice(tmp_path: Path) -> None:
    """A stop between writing a merged result and removing its parts leaves both."""
    store = ShardStore(tmp_path, Notes(), 4)
    store.add(0, result(0))
    left = (tmp_path / Knot(0, 0).file).read_bytes()
    store.add(1, result(1))
    (tmp_path / Knot(0, 0).file).write_bytes(left)
    (tmp_path / "state-00-00000002.npz.part").write_bytes(b"half")
    again = ShardStore(tmp_path, Notes(), 4)
    assert again.done == {0, 1}
    for number in (2, 3):
        again.add(number, result(number))
    assert str(again.result().arrays["text"]) == "((0 1) (2 3))"
