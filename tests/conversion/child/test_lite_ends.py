"""Operators that the ends of a TensorFlow Lite graph need: worked out on paper."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from onnxviz.conversion.child.exchange import Refusal
from onnxviz.conversion.child.routes.lite_ends import _needed, _place


def operator(inputs: list[int], outputs: list[int]) -> SimpleNamespace:
    return SimpleNamespace(inputs=inputs, outputs=outputs)


# 0 -> A -> 1 -> B -> 2 -> D -> 4, and beside it 1 -> C -> 3; an operator leaves out an input by -1.
A, B, C, D = operator([0], [1]), operator([1, -1], [2]), operator([1], [3]), operator([2], [4])


@pytest.mark.parametrize(
    ("given", "outputs", "needed", "read"),
    [
        ({0}, [4], [A, B, D], {4, 2, 1, 0, -1}),
        ({0}, [3, 2], [A, B, C], {3, 2, 1, 0, -1}),
        ({1}, [4], [B, D], {4, 2, 1, -1}),
        ({1}, [1], [], {1}),
    ],
)
def test_what_outputs_need(given: set[int], outputs: list[int], needed: list[object], read: set[int]) -> None:
    graph = SimpleNamespace(operators=[A, B, C, D], outputs=outputs)
    assert _needed(graph, given) == (needed, read)


def test_a_tensor_that_is_not_there_is_refused_with_those_that_come_near() -> None:
    assert _place(["conv/out", "scores"], "scores") == 1
    with pytest.raises(Refusal, match="no tensor 'score'; near: 'scores'"):
        _place(["conv/out", "scores"], "score")
