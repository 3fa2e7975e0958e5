from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from onnxviz.comparing.alignment import Examples, cka
from onnxviz.comparing.compare import compare
from tests.comparing.nets import float_net, inputs, quantised_net


def test_four_examples_worked_out_on_paper() -> None:
    """Off the diagonal K is 1 at (1,2) and (3,4), else -1; L is 1 at (1,3) and (2,4), else -1.

    HSIC(K, K) = (12 + 16/6 - 4) / 4 = 8/3, HSIC(K, L) = (-4 + 16/6 - 4) / 4 = -4/3.
    """
    x, y = np.array([[-1.0], [-1], [1], [1]]), np.array([[-1.0], [1], [-1], [1]])
    assert cka(x, x) == pytest.approx(1)
    assert cka(x, y) == pytest.approx(-0.5)


def test_it_is_the_mean_over_all_four_different_examples() -> None:
    x, y = (np.random.default_rng(seed).integers(-3, 4, (6, 3)) for seed in (1, 2))

    def hsic(one: np.ndarray, other: np.ndarray) -> Fraction:
        k, m = one @ one.T, other @ other.T
        found = [int(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])) for i, j, q, r in permutations(range(6), 4)]
        return Fraction(sum(found), len(found))

    expected = float(hsic(x, y)) / float(hsic(x, x) * hsic(y, y)) ** 0.5
    assert cka(x.astype(float), y.astype(float)) == pytest.approx(expected)


def test_of_many_examples_it_is_the_ratio_of_kornblith() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(1500, 8)) * np.arange(1, 9)
    y = x[:, :5] @ random.normal(size=(5, 6)) + random.normal(size=(1500, 6)) * 9
    one, other = x - x.mean(0), y - y.mean(0)
    lengths = [np.linalg.norm(each.T @ each) for each in (one, other)]
    expected = np.linalg.norm(other.T @ one) ** 2 / (lengths[0] * lengths[1])
    assert cka(x, y) == pytest.approx(expected, abs=0.01) and 0.1 < expected < 0.9


def test_a_layer_that_is_turned_and_scaled_is_the_same_and_noise_is_not_alike() -> None:
    random = np.random.default_rng(3)
    x, noise = random.normal(size=(2, 40, 200))
    turn = np.linalg.qr(random.normal(size=(200, 200)))[0]
    assert cka(x, 7 * x @ turn + 5) == pytest.approx(1)
    found = cka(x, noise)
    assert found is not None and abs(found) < 0.1  # the plain estimate is 0.84
    assert cka(np.ones((9, 3)), x[:9]) is None


def test_examples_are_the_means_of_the_cells_of_a_map() -> None:
    maps = np.arange(2 * 1 * 8 * 8, dtype=np.float32).reshape(1, 2, 8, 8)
    examples = Examples()
    examples.add(maps, maps[:, ::-1], "NCHW")
    assert examples.count == 16
    assert examples.cka == pytest.approx(1)
    few = Examples()
    few.add(maps[:, :, 0, 0].repeat(15, 0), maps[:, :, 0, 0].repeat(15, 0), "NC")
    assert (few.count, few.cka) == (15, None)  # too few to say anything
    joined = Examples()
    for _ in range(40):
        joined.join(examples)
    assert joined.count == 512


def test_networks_of_two_seeds_have_a_cka_and_no_layer_goes_wrong(tmp_path: Path) -> None:
    found = compare(float_net(tmp_path / "a.onnx", 0), float_net(tmp_path / "b.onnx", 1), inputs(5))
    assert found.trained_apart and found.first is None
    ckas = [found.layers[f"conv{number}"].cka for number in range(6)]
    assert all(cka is not None and -0.1 < cka < 1 for cka in ckas)
    least = found.worst_first[0]
    assert found.headline.startswith("the two were trained apart")
    assert f"is {least.name}, " in found.headline
    assert found.as_json()["trained_apart"] is True


def test_channels_in_another_order_are_alike_by_their_cka(tmp_path: Path) -> None:
    import onnx

    from tests.comparing import planted

    model = onnx.load(float_net(tmp_path / "a.onnx"))
    order = np.random.default_rng(0).permutation(8)
    for number in range(6):
        weights = planted.array(model, f"w{number}")
        weights = weights if number == 0 else weights[:, order]
        planted.put(model, f"w{number}", weights[order])
        planted.put(model, f"b{number}", planted.array(model, f"b{number}")[order])
    planted.put(model, "w", planted.array(model, "w")[order])
    onnx.save(model, tmp_path / "b.onnx")
    found = compare(tmp_path / "a.onnx", tmp_path / "b.onnx", inputs(3))
    assert found.trained_apart
    assert [found.layers[f"conv{number}"].cka for number in range(6)] == pytest.approx([1] * 6, abs=1e-4)


def test_a_quantised_copy_was_not_trained_apart(tmp_path: Path) -> None:
    path = float_net(tmp_path / "a.onnx")
    found = compare(path, quantised_net(path, tmp_path / "b.onnx"), inputs(1))
    assert not found.trained_apart
    assert all(layer.cka is None for layer in found.layers.values())
