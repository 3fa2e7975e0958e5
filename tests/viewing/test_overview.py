from __future__ import annotations

from pathlib import Path

import pytest

import onnxviz
from onnxviz.graph.selection import Choice
from onnxviz.viewing.overview import shown_words, telling_layers


def named(*names: str) -> list[Choice]:
    """Choices that belong to no layer: each is a block of its own."""
    return [Choice(name, name, "value", None) for name in names]


def test_few_layers_are_all_shown() -> None:
    assert telling_layers(named("a", "b", "c")) == {0, 1, 2}


def test_of_many_without_blocks_some_are_shown_evenly() -> None:
    assert sorted(telling_layers(named(*map(str, range(101))), 5)) == [0, 25, 50, 75, 100]


def test_the_last_layer_of_every_block_is_shown(bundled_model: Path) -> None:
    choices, _ = onnxviz.open(bundled_model).choose("conv,pool")
    shown = [choices[place].name for place in sorted(telling_layers(choices, 40))]
    blocks = [f"stage{s}/block{b}" for s, count in enumerate((1, 2, 2, 3, 3, 4, 1), 1) for b in range(1, count + 1)]
    # The head is one scope, whose last layer is the pool.
    assert shown == ["stem/conv", *(f"{block}/project" for block in blocks), "head/pool"]
    thinned = [choices[place].name for place in sorted(telling_layers(choices, 12))]
    assert len(thinned) == 12
    assert set(thinned) < set(shown)


def test_blocks_of_the_newer_pytorch_exporter_are_the_modules_around_layers() -> None:
    model = onnxviz.open(Path(__file__).parent.parent / "fixtures" / "torch_dynamo.onnx")
    choices, _ = model.choose("all")
    places = telling_layers(choices, len(choices) - 1)
    assert 0 in places
    assert len(choices) - 1 in places
    assert len(places) < len(choices)


@pytest.mark.parametrize(
    ("shown", "count", "words"),
    [(1, 1, "1 layer"), (3, 3, "3 layers"), (12, 50, "12 of 50 layers, spread over the blocks")],
)
def test_how_many_are_shown_is_said(shown: int, count: int, words: str) -> None:
    assert shown_words(shown, count) == words
