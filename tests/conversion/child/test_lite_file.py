"""Sparse weights written out in full: the examples are worked out on paper."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from onnxviz.conversion.child.routes.lite_file import _dense


def sparsity(order: list[int], levels: list[Any], blocks: list[int] | None = None) -> Any:
    return SimpleNamespace(traversalOrder=order, dimMetadata=levels, blockMap=blocks)


def whole(size: int) -> Any:
    return SimpleNamespace(format=0, denseSize=size)


def listed(segments: list[int], indices: list[int]) -> Any:
    arrays = (SimpleNamespace(values=numbers) for numbers in (segments, indices))
    return SimpleNamespace(format=1, **dict(zip(("arraySegments", "arrayIndices"), arrays, strict=True)))


def test_rows_list_their_places() -> None:
    packed = sparsity([0, 1], [whole(3), listed([0, 2, 2, 3], [0, 2, 3])])
    found = _dense(packed, (3, 4), np.array([5, 6, 7], np.float32))
    assert found.tolist() == [[5, 0, 6, 0], [0, 0, 0, 0], [0, 0, 0, 7]]


def test_columns_may_come_first() -> None:
    packed = sparsity([1, 0], [whole(2), listed([0, 1, 3], [1, 0, 2])])
    assert _dense(packed, (3, 2), np.array([5, 6, 7], np.int8)).tolist() == [[0, 6], [5, 0], [0, 7]]


def test_blocks_are_put_together() -> None:
    # Of 2 x 2 blocks of 1 x 2 numbers there are the right one above and the left one below.
    packed = sparsity([0, 1, 2], [whole(2), listed([0, 1, 2], [1, 0]), whole(2)], [1])
    found = _dense(packed, (2, 4), np.array([1, 2, 3, 4], np.float32))
    assert found.tolist() == [[0, 0, 1, 2], [3, 4, 0, 0]]
