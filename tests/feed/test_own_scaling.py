from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.own_scaling import preset_within, range_taken
from onnxviz.layout import PROBES, InputUse, Scaling, TensorSpec
from tests.feed.feeding import feed

BYTES, FRACTIONS, SIGNED = (0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)


def normalised(means: tuple[float, ...], stds: tuple[float, ...]) -> Scaling:
    """Return (x - mean) / std of each channel."""
    each = [[(probe - mean) / std for mean, std in zip(means, stds, strict=True)] for probe in PROBES]
    return Scaling("f(x)", tuple((min(numbers), max(numbers)) for numbers in each))


def linear(factor: float, *addends: float) -> Scaling:
    """Return x * factor plus an addend for each channel."""
    ends = tuple((probe * factor + min(addends), probe * factor + max(addends)) for probe in PROBES)
    return Scaling("f(x)", ends)


@pytest.mark.parametrize(
    ("name", "scaling", "taken"),
    [
        ("x / 255", linear(1 / 255, 0), BYTES),
        ("x / 127.5 - 1", linear(1 / 127.5, -1), BYTES),
        ("x / 128", linear(1 / 128, 0), BYTES),
        ("255 - x, then / 255", linear(-1 / 255, 1), BYTES),
        ("imagenet of 0..255", linear(1 / 57.6, -2.12, -2.04, -1.8), BYTES),
        ("caffe's mean alone", linear(1, -103.9, -116.8, -123.7), BYTES),
        ("caffe's mean and 0.017", linear(0.017, -1.77, -1.99, -2.1), BYTES),
        ("imagenet of 0..1", linear(4.4, -2.12, -2.04, -1.8), FRACTIONS),
        ("digits of MNIST", linear(1 / 0.3081, -0.1307 / 0.3081), FRACTIONS),
        ("2x - 1", linear(2, -1), FRACTIONS),
        ("x - 0.5", linear(1, -0.5), FRACTIONS),
        ("255x", linear(255, 0), FRACTIONS),
        ("255x less caffe's mean", linear(255, -103.9, -116.8, -123.7), FRACTIONS),
        ("CIFAR of 0..255", normalised((125.3, 123.0, 113.9), (63.0, 62.0, 66.6)), BYTES),
        ("a Keras Normalization", normalised((125, 110, 90), (70, 62, 55)), BYTES),
        ("satellites", normalised((90, 96, 70), (40, 60, 80)), BYTES),
        ("from white down", normalised((125, 110, 90), (-70, -62, -55)), BYTES),
        ("CIFAR of 0..1", normalised((0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261)), FRACTIONS),
        ("CLIP", normalised((0.4814, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)), FRACTIONS),
        ("127.5x + 127.5", linear(127.5, 127.5), SIGNED),
        ("x / 2 + 0.5", linear(0.5, 0.5), SIGNED),
        ("a norm that moves nothing", linear(1.02, -0.02), None),
        ("torchvision's imagenet to inception", linear(0.458, -0.03, -0.088, -0.188), None),
        ("nothing", linear(0, 0.3), None),
        ("x / 65535", linear(1 / 65535, 0), None),
        ("1000x", linear(1000, 0), None),
        ("one channel up, one down", normalised((125, 125), (60, -60)), None),
        (
            "max(x, 0) / 60 beside x / 50",
            Scaling("f(x)", ((-0.02, 0.0), (0.0, 0.0), (1 / 60, 0.02), (4.25, 5.1))),
            None,
        ),
        ("max(x, 0)", Scaling("f(x)", ((0.0, 0.0), (0.0, 0.0), (1.0, 1.0), (255.0, 255.0))), None),
        ("min(x, 1)", Scaling("f(x)", ((-1.0, -1.0), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))), None),
    ],
)
def test_which_pixels_a_model_takes(name: str, scaling: Scaling, taken: tuple[float, float] | None) -> None:
    assert range_taken(scaling) == taken


def fed(picture: Path, scaling: Scaling, options: FeedOptions, dtype: str = "float32") -> tuple[list[float], str, str]:
    spec = TensorSpec("x", dtype, (1, 3, 2, 2), use=InputUse(scaling=scaling))
    result = feed(spec, picture, options)
    return result.arrays["x"][0, 0].ravel().tolist(), result.fed[0].preset, " ".join(result.notes)


def test_a_model_that_scales_is_fed_what_it_takes(picture: Path) -> None:
    red = [1.0, 4.0, 7.0, 10.0]
    said = "the model itself scales its pixels: f(x); they are fed as "
    assert fed(picture, linear(1 / 255, 0), FeedOptions()) == (red, "raw", f"{said}0..255")
    assert fed(picture, linear(2, -1), FeedOptions())[1:] == ("zero-one", f"{said}0..1")
    signed, preset, note = fed(picture, linear(127.5, 127.5), FeedOptions())
    assert signed == pytest.approx(np.array(red) / 127.5 - 1)
    assert (preset, note) == ("-1..1", f"{said}-1..1")
    # What a user or the model's own metadata says counts more.
    doubled = "the model itself scales its pixels: f(x); it takes 0..255, and what is asked for comes before"
    assert fed(picture, linear(1 / 255, 0), FeedOptions(preset="inception"))[1:] == ("inception", doubled)
    assert fed(picture, linear(1 / 255, 0), FeedOptions(range=(0, 1)))[1:] == ("zero-one", doubled)
    assert fed(picture, linear(1 / 255, 0), FeedOptions(preset="raw"))[1:] == ("raw", "")
    assert fed(picture, linear(2, -1), FeedOptions(), "uint8")[:2] == (red, "raw")
    assert fed(picture, linear(1, 0), FeedOptions())[2].startswith("ATTENTION: the model does not say how its pixels")


@pytest.mark.parametrize(
    ("scale", "zero", "name"),
    [
        (1.0, 0, "raw"),
        (1 / 255, 0, "zero-one"),
        (0.97 / 255, 0, "zero-one"),
        (1 / 127.5, 128, "inception (resize changed)"),
        (1 / 128, 127, "inception (resize changed)"),
        (0.0187, 114, "imagenet (resize changed)"),
        (1.0774, 115, "caffe (resize changed)"),
        (0.05, 128, None),
        (0.5, 0, None),
    ],
)
def test_the_numbers_that_a_quantiser_covers(scale: float, zero: int, name: str | None) -> None:
    found = preset_within((-zero * scale, (255 - zero) * scale))
    assert (None if found is None else found[0].name) == name


def test_a_model_that_quantises_is_fed_what_its_integers_hold(picture: Path) -> None:
    def quantised(covered: tuple[float, float], options: FeedOptions) -> tuple[list[float], str, str]:
        result = feed(TensorSpec("x", "float32", (1, 3, 2, 2), use=InputUse(covered=covered)), picture, options)
        return result.arrays["x"][0, 0].ravel().tolist(), result.fed[0].preset, " ".join(result.notes)

    red = np.array([1.0, 4.0, 7.0, 10.0])
    said = "the model first quantises its pixels, within 0..255; they are fed as 0..255"
    assert quantised((0.0, 255.0), FeedOptions()) == (red.tolist(), "raw", said)
    numbers, _, note = quantised((-114 * 0.0187, 141 * 0.0187), FeedOptions())
    assert numbers == pytest.approx((red / 255 - 0.485) / 0.229)
    assert note == "the model first quantises its pixels, within -2.13..2.64; they are fed as -2.12..2.64"
    assert quantised((0.0, 255.0), FeedOptions(preset="zero-one"))[1] == "zero-one"
    assert quantised((0.0, 6.0), FeedOptions())[2].startswith("ATTENTION")
