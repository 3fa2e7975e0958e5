"""Checks of maps: curves against a loop over pixels, ranks by hand, and methods of which it is known how they end."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onnxviz
from onnxviz import ExplainOptions, FeedOptions
from onnxviz.explaining.check import FaithfulnessCheck
from onnxviz.explaining.covering_curves import STEPS, CoveringCurves, curves_of, random_curves
from onnxviz.explaining.network import Network
from onnxviz.explaining.target import class_targets
from onnxviz.explaining.weight_sanity import Sanity, rank_correlation

PLAIN = {"feed": FeedOptions(preset="zero-one")}


def share(image: np.ndarray) -> float:
    """The share of class 0 in the scoring network, worked out; image (3, 4, 4)."""
    red, green = np.maximum(image[:2] - 0.2, 0).mean((1, 2))
    scores = np.exp([red, 2 * green, green - red])
    return float(scores[0] / scores.sum())


def test_deletion_covers_the_brightest_places_first(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    network = Network(scoring, scoring.feed(Image.fromarray(picture), PLAIN["feed"]))
    (target,) = (one.watched for one in class_targets(network, 0, None))
    heat = np.arange(16.0).reshape(4, 4)  # the last pixel is the brightest
    curves = curves_of(network, target, (2, 3), heat, seed=0)
    image = picture.transpose(2, 0, 1) / 255
    wanted = []
    for step in range(STEPS + 1):
        covered = image.copy().reshape(3, 16)
        covered[:, 16 - step :] = np.array([[0.25], [0.25], [0]])
        wanted.append(share(covered.reshape(3, 4, 4)))
    np.testing.assert_allclose(curves.deletion, wanted, atol=1e-6)
    assert curves.deletion_area == pytest.approx(sum(a + b for a, b in itertools.pairwise(wanted)) / 32)
    # Blurred with a deviation of a sixteenth of 4 pixels: neighbours weigh exp(-8).
    weights = np.exp([-8.0, 0, -8]) / np.exp([-8.0, 0, -8]).sum()
    smooth = image
    for axis in (1, 2):
        padded = np.pad(smooth, [(int(axis == which),) * 2 for which in range(3)], mode="edge")
        smooth = sum(weight * padded.take(range(k, k + 4), axis) for k, weight in enumerate(weights))
    uncovered = smooth.copy().reshape(3, 16)
    uncovered[:, 9:] = image.reshape(3, 16)[:, 9:]
    assert curves.insertion[0] == pytest.approx(share(smooth), abs=1e-7)
    assert curves.insertion[7] == pytest.approx(share(uncovered.reshape(3, 4, 4)), abs=1e-7)
    assert curves.insertion[-1] == pytest.approx(share(image), abs=1e-7)


def test_places_of_equal_heat_come_in_random_order(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    network = Network(scoring, scoring.feed(Image.fromarray(picture), PLAIN["feed"]))
    targets = [one.watched for one in class_targets(network, "top3", None)]
    one, other, third = (curves_of(network, targets[0], (2, 3), np.zeros((4, 4)), seed) for seed in (0, 0, 1))
    assert one == other != third
    # Where all is covered there is no order; at the start nothing is.
    for target, random in zip(targets, random_curves(network, targets, (2, 3), 0), strict=True):
        own = curves_of(network, target, (2, 3), np.zeros((4, 4)), 0)
        assert random.deletion[:: len(random.deletion) - 1] == pytest.approx((own.deletion[0], own.deletion[-1]))
        assert random.insertion[-1] == pytest.approx(own.deletion[0])


def test_ranks_that_are_equal_share_their_mean() -> None:
    # Ranks 0.5, 0.5, 2, 3 and 0, 1, 2.5, 2.5, both about 1.5: 4 / sqrt(4.5 * 4.5).
    found = rank_correlation(np.array([1.0, 1, 2, 9]), np.array([[0.0, 3], [5, 5]]))
    assert found == pytest.approx(4 / 4.5)
    assert rank_correlation(np.arange(4.0), -np.arange(4.0)) == -1
    assert rank_correlation(np.zeros(4), np.arange(4.0)) is None


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("gradcam", "becomes another one: it depends on what was learnt"),
        # Adebayo et al. 2018 found as much: guided backpropagation restores the picture's edges.
        ("guided", "hardly changes: it does not depend on what was learnt"),
        # The last kernel tells classes apart, of which this method knows nothing.
        ("eigencam", "stays the same at first: it does not depend on the class"),
    ],
)
def test_what_is_known_of_methods_is_found(bundled_model: Path, cat: Path, method: str, words: str) -> None:
    check = onnxviz.open(bundled_model).explain(cat, method=method, check=True).check
    assert check is not None
    assert [one.of for one in check.sanity] == [50, 50, 50]
    assert [one.kernels for one in check.sanity] == [1, 25, 50]
    assert any(words in sentence for sentence in check.says), check.says


def test_checks_stand_in_the_listing_and_under_the_sheet(
    scoring_model: Path, picture: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(picture).save(tmp_path / "one.png")
    heights = []
    for check in (False, True):
        options = ExplainOptions(methods=("gradcam", "integrated"), target="top2", check=check, **PLAIN)
        onnxviz.explain(scoring_model, [str(tmp_path / "one.png")], tmp_path / "why", options)
        with Image.open(tmp_path / "why" / "sheet.png") as sheet:
            heights.append(sheet.height)
    assert heights[1] > heights[0] + 200
    (run,) = json.loads((tmp_path / "why" / "explain.json").read_text())["runs"]
    for entry in run["explanations"]:
        found = entry["check"]
        assert len(found["deletion"]["curve"]) == len(found["random_insertion"]["curve"]) == STEPS + 1
        assert (found["completeness_gap"] is None) == (entry["method"] == "gradcam")
        assert [one["kernels"] for one in found["sanity"]] == [1, 2]
        assert len(found["says"]) == 3 + (entry["method"] == "integrated")


def test_plain_words_say_which_is_better() -> None:
    better, worse = CoveringCurves((1, 0, 0), (0, 1, 1)), CoveringCurves((1, 1, 0), (0, 0, 1))
    says = FaithfulnessCheck(better, worse, [Sanity(1, 4, 0.2), Sanity(4, 4, None)]).says
    assert says[0].startswith("Covered brightest first, the answer falls sooner than covered at random")
    assert says[1].startswith("Uncovered brightest first, it comes back sooner")
    assert says[2].endswith("it depends on what was learnt (its ranks correlate by 0.20, no map).")
    says = FaithfulnessCheck(worse, better, []).says
    assert "falls no sooner" in says[0]
    assert "comes back no sooner" in says[1]
    assert len(says) == 2
