from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import InputError, OnnxvizError, UsageError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.inputs import Inputs

X = np.array([[[[1, -2], [3, 0]]]], np.float32)


def feeds_of(model: onnxviz.Model, given: Any, **options: Any) -> list[Feed]:
    feeds: list[Feed] = []
    Inputs(model, given, FeedOptions(), **options).each(feeds.append)
    return feeds


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_is_several_runs_whatever_is_in_it(doubling_model: Path, tmp_path: Path, kind: type) -> None:
    model = onnxviz.open(doubling_model)
    np.save(tmp_path / "a.npy", 2 * X)
    np.save(tmp_path / "b.npy", 3 * X)
    entries = [X, tmp_path / "a.npy", str(tmp_path / "*.npy"), {"x": 4 * X}, model.feed(5 * X), Image.new("L", (2, 2))]
    feeds = feeds_of(model, kind(entries))
    assert [float(feed.arrays["x"].max()) for feed in feeds] == [3, 6, 6, 9, 12, 15, 0]
    assert {feed.arrays["x"].shape for feed in feeds} == {(1, 1, 2, 2)}
    assert [len(feeds_of(model, one)) for one in (X, {"x": X}, Image.new("L", (2, 2)), [X])] == [1, 1, 1, 1]


def test_a_list_in_a_list_is_refused(doubling_model: Path) -> None:
    with pytest.raises(InputError, match="a list of 2 inputs is 2 runs"):
        feeds_of(onnxviz.open(doubling_model), [[X, X]])


def test_nothing_at_all_is_refused(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    with pytest.raises(UsageError, match="ask for noise"):
        Inputs(model, [], FeedOptions())
    feeds: list[Feed] = []
    Inputs(model, [], FeedOptions(random=True)).each(feeds.append)
    assert len(feeds) == 1


def test_a_bad_input_is_left_out_under_a_name_that_tells_which(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    failed: list[str] = []

    def note(source: str, error: OnnxvizError) -> None:
        failed.append(source)

    given = Inputs(model, [X, np.ones(3, np.float32), {"x": X, "y": 1}, X], FeedOptions(), failed=note)
    feeds: list[Feed] = []
    for _ in range(2):  # what failed once is not tried again
        given.each(feeds.append)
    assert len(feeds) == 4
    assert failed == ["input 2 (ndarray)", "x=ndarray, y=1"]
    assert [source for source, _ in given.failures] == failed
    with pytest.raises(InputError):
        Inputs(model, [X, np.ones(3, np.float32)], FeedOptions(), fail_fast=True).each(feeds.append)
    with pytest.raises(InputError):
        Inputs(model, np.ones(3, np.float32), FeedOptions()).each(feeds.append)
