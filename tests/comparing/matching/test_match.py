"""Which layer is which, where names, order, form or layout of one network changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onnxviz
from onnxviz.comparing.matching.match import match
from onnxviz.comparing.matching.matches import STATUSES, Matches
from onnxviz.errors import UsageError
from onnxviz.graph.selection.choices import Choice
from tests.comparing.matching.nets import Net, blocks, chain, optimised, scrambled


def layers(found: Matches) -> list[tuple[str, str]]:
    return [(pair.a.layer, pair.b.layer) for pair in found.pairs]


def test_a_model_is_matched_with_itself(bundled_model: Path) -> None:
    model = onnxviz.open(bundled_model)
    found = match(model, model)
    assert len(found.pairs) == 61
    assert all(pair.a == pair.b and not pair.comparable for pair in found.pairs)
    assert (found.only_a, found.only_b, found.remarks) == ((), (), ())
    assert (found.inputs, found.outputs) == ({"image": "image"}, (("probabilities", "probabilities"),))
    # What is compared of a layer is what `view` shows of it.
    assert all(model.layers[pair.a.layer].act == pair.a.value for pair in found.pairs if pair.a.layer in model.layers)


def test_without_names_weights_and_structure_find_every_layer(bundled_model: Path, tmp_path: Path) -> None:
    model = onnxviz.open(bundled_model)
    copy, truth = scrambled(model, tmp_path / "copy.onnx")
    found = match(model, copy)
    assert [pair.a.value for pair in found.pairs] == [truth[pair.b.value] for pair in found.pairs]
    assert len(found.pairs) == 61
    assert {pair.status for pair in found.pairs} == {"weights", "name+weights", "structure"}
    scores = [pair.score for pair in found.pairs if "weights" in pair.status]
    assert len(scores) == 50
    assert min(score for score in scores if score is not None) > 0.999


@pytest.mark.parametrize("level", ["BASIC", "EXTENDED", "ALL"])
def test_an_optimised_copy_gives_the_same_numbers_at_each_pair(tmp_path: Path, level: str) -> None:
    net = Net(channels=16)
    value = net.add("Relu", [net.conv("x", "first", 1, into=8)], "relu")
    inner = net.add("HardSigmoid", [net.conv(value, "second", 2, into=16)], "gate")
    third = net.conv(inner, "third", 3, into=16)
    model = net.save(tmp_path / "a.onnx", net.add("Relu", [net.add("Add", [value, third], "sum")], "end"))
    copy = optimised(model, tmp_path / "b.onnx", level)
    found = match(model, copy)
    assert [pair.a.layer for pair in found.pairs] == ["first", "second", "third", "sum"]
    assert found.only_a == found.only_b == ()
    silent = [pair.a.layer for pair in found.pairs if pair.comparable]
    assert silent == (["third"] if level == "ALL" else [])  # the kernel that adds puts it out nowhere
    feed = {"x": np.random.default_rng(0).standard_normal((1, 8, 8, 8)).astype(np.float32)}
    for pair in found.pairs:
        if not pair.comparable:
            ours, theirs = (one(m, place.value, feed) for m, place in ((model, pair.a), (copy, pair.b)))
            np.testing.assert_allclose(theirs[:, : pair.b.channels], ours, rtol=1e-4, atol=1e-5)


def one(model: onnxviz.Model, value: str, feed: dict[str, np.ndarray]) -> np.ndarray:
    """Fetch one value by the road that every command takes."""
    fed = model.inference.feed(feed, None)
    choice = Choice(value, value, "value", None)
    return next(iter(model.inference.stream([choice], fed, model.inference.executor(None)))).array


def test_names_that_the_weights_contradict_are_said_and_not_believed(tmp_path: Path) -> None:
    a = chain(tmp_path / "a.onnx", [1, 2, 3, 4])
    b = chain(tmp_path / "b.onnx", [1, 9, 2, 3, 4])  # one more in front: conv1 to conv3 are now conv2 to conv4
    found = match(a, b)
    assert layers(found) == [("conv0", "conv0"), ("conv1", "conv2"), ("conv2", "conv3"), ("conv3", "conv4")]
    assert found.only_b == ("conv1",)
    assert found.remarks[0] == "'conv1' is another layer in B: by its weights it is 'conv2'"


@pytest.mark.parametrize("others", [[1, 2, 4, 6], [1, 2, 3, 7, 4, 5, 6], [2, 3, 4, 5, 6], [1, 8, 2, 3, 9, 4, 5]])
def test_blocks_removed_and_inserted_shift_no_other(tmp_path: Path, others: list[int]) -> None:
    a, b = blocks(tmp_path / "a.onnx", [1, 2, 3, 4, 5, 6]), blocks(tmp_path / "b.onnx", others)
    copy, truth = scrambled(b, tmp_path / "c.onnx")
    found = match(a, copy).pairs
    are_right = {pair: pair.a.value == truth[pair.b.value] or pair.b.value in truth.values() for pair in found}
    assert all(pair.status == "assumed" for pair, is_right in are_right.items() if not is_right)
    assert sum(are_right.values()) >= 3 * len(set(others) & {1, 2, 3, 4, 5, 6}) - 1


def test_layers_of_equal_weights_are_found_by_what_lies_around_them(tmp_path: Path) -> None:
    a = chain(tmp_path / "a.onnx", [1, 5, 5, 5, 2])
    copy, truth = scrambled(a, tmp_path / "b.onnx")
    found = match(a, copy)
    assert [pair.a.value for pair in found.pairs] == [truth[pair.b.value] for pair in found.pairs]
    assert found.pairs[0].status == "weights"


def test_trained_on_the_layers_of_a_checkpoint_are_still_found(tmp_path: Path) -> None:
    a = chain(tmp_path / "a.onnx", [1, 2, 3])
    net, value = Net(), "x"
    for place, seed in enumerate([1, 2, 3]):
        value = net.add("Relu", [net.conv(value, f"c{place}", seed)], f"r{place}")
        tensor = net.tensors[-1]
        moved = onnx_array(tensor) + np.random.default_rng(place).standard_normal((8, 8, 3, 3)).astype(np.float32) * 0.1
        tensor.CopyFrom(as_tensor(moved, tensor.name))
    found = match(a, net.save(tmp_path / "b.onnx", value))
    assert [pair.status for pair in found.pairs] == ["weights"] * 3
    assert all(0.7 < (pair.score or 0) < 0.98 for pair in found.pairs)


def onnx_array(tensor: object) -> np.ndarray:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)


def as_tensor(array: np.ndarray, name: str) -> object:
    from onnx import numpy_helper

    return numpy_helper.from_array(array, name)


def test_a_norm_that_was_folded_turns_filters_round_with_it(tmp_path: Path) -> None:
    scale = np.array([-2, 1, 0.5, -1, 3, 1, -1, 2], np.float32)
    net = Net()
    value = net.conv("x", "conv", 1)
    zeros, ones = net.constant(np.zeros(8), "zeros"), net.constant(np.ones(8), "ones")
    value = net.add("BatchNormalization", [value, net.constant(scale, "scale"), zeros, zeros, ones], "norm")
    a = net.save(tmp_path / "a.onnx", net.add("Relu", [value], "relu"))
    net = Net()
    b = net.save(tmp_path / "b.onnx", net.add("Relu", [net.conv("x", "n7", 1, scale=scale)], "n8"))
    (pair,) = match(a, b).pairs
    assert (pair.status, pair.a.stage, pair.b.stage) == ("weights", ("Relu",), ("Relu",))
    assert pair.score == pytest.approx(1, abs=1e-5)


def test_a_dense_layer_behind_maps_flattened_channels_last_has_its_columns_in_another_order(tmp_path: Path) -> None:
    weights = np.random.default_rng(3).standard_normal((8 * 8 * 8, 5)).astype(np.float32)
    net = Net()
    flat = net.add("Flatten", [net.conv("x", "conv", 1)], "flat")
    a = net.save(tmp_path / "a.onnx", net.add("MatMul", [flat, net.constant(weights, "w")], "fc"))
    net = Net()
    last = net.add("Transpose", [net.conv("x", "n1", 1)], "n2", perm=[0, 2, 3, 1])
    ordered = weights.reshape(8, 8, 8, 5).transpose(1, 2, 0, 3).reshape(-1, 5)
    b = net.save(
        tmp_path / "b.onnx", net.add("MatMul", [net.add("Flatten", [last], "n3"), net.constant(ordered, "n4")], "n5")
    )
    found = match(a, b)
    assert [(pair.a.layer, pair.b.layer, pair.status) for pair in found.pairs] == [
        ("conv", "n1", "weights"),
        ("flat", "n3", "structure"),
        ("fc", "n5", "weights"),
    ]


def test_what_the_user_gives_counts_first(tmp_path: Path) -> None:
    a, b = chain(tmp_path / "a.onnx", [1, 2, 3]), chain(tmp_path / "b.onnx", [1, 2, 3], ["p", "q", "r"])
    found = match(a, b, {"conv1": "r"})
    assert ("conv1", "r", "given") in [(pair.a.layer, pair.b.layer, pair.status) for pair in found.pairs]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"conv7": "p"}, "A has no layer 'conv7' to match; near: `conv2`, `conv1`, `conv0`"),
        ({"conv0": "pp"}, "B has no layer 'pp' to match"),
        ({"conv0": "p", "conv1": "p"}, "'conv1' = 'p': one of the two was given another counterpart already"),
    ],
)
def test_names_that_cannot_be_given(tmp_path: Path, given: dict[str, str], words: str) -> None:
    a, b = chain(tmp_path / "a.onnx", [1, 2, 3]), chain(tmp_path / "b.onnx", [1, 2, 3], ["p", "q", "r"])
    with pytest.raises(UsageError) as error:
        match(a, b, given)
    assert words in str(error.value)


def test_the_inputs_of_a_sum_are_in_the_order_of_the_other_model(tmp_path: Path) -> None:
    models = []
    for name, turned in (("a", False), ("b", True)):
        net = Net()
        left, right = net.conv("x", "left", 1), net.conv("x", "right", 2)
        models.append(
            net.save(tmp_path / f"{name}.onnx", net.add("Add", [right, left] if turned else [left, right], "sum"))
        )
    pair = match(*models).pairs[-1]
    assert (pair.a.inputs, pair.b.inputs) == (("right_out", "left_out"), ("right_out", "left_out"))


def test_models_that_share_nothing(tmp_path: Path, doubling_model: Path) -> None:
    net = Net()
    other = net.save(tmp_path / "a.onnx", net.add("LayerNormalization", ["x", net.constant(np.ones(8), "w")], "norm"))
    found = match(onnxviz.open(doubling_model), other)
    assert found.pairs == ()
    assert (found.only_a, found.only_b) == (("conv", "pool"), ("norm",))


def test_every_status_is_known(tmp_path: Path) -> None:
    a, b = blocks(tmp_path / "a.onnx", [1, 2]), blocks(tmp_path / "b.onnx", [3, 4])
    assert {pair.status for pair in match(a, b).pairs} <= set(STATUSES)
