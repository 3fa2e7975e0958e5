from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxviz.errors import ModelError, UsageError
from onnxviz.feed.preprocessing import PRESETS, Preprocessing, model_labels, model_preprocessing, per_channel

PIXEL = np.array([[[0, 51, 255]]], np.uint8)
ULTRALYTICS = {"imgsz": "[480, 640]", "stride": "64", "names": "{0: 'person', 1: 'bicycle'}", "task": "detect"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("raw", [0, 51, 255]),
        ("zero-one", [0, 0.2, 1]),
        ("yolo", [0, 0.2, 1]),
        ("inception", [-1, -0.6, 1]),
        ("efficientnet-lite", [-127 / 128, -76 / 128, 1]),
        ("imagenet", [-0.485 / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225]),
        ("caffe", [255 - 103.939, 51 - 116.779, -123.68]),
    ],
)
def test_the_presets_on_one_pixel(name: str, values: list[float]) -> None:
    result = PRESETS[name].normalise(PIXEL)
    assert result.dtype == np.float32
    assert result.ravel().tolist() == pytest.approx(values, abs=1e-5)


def test_the_names_of_the_presets() -> None:
    assert list(PRESETS) == ["imagenet", "inception", "caffe", "efficientnet-lite", "yolo", "zero-one", "raw"]
    assert all(preset.name == name for name, preset in PRESETS.items())


def test_grey_takes_the_mean_of_three_and_alpha_is_left_alone() -> None:
    assert per_channel((1.0, 2.0, 6.0), 1, 0.0).tolist() == [3.0]
    assert per_channel((1.0, 2.0, 6.0), 4, 0.0).tolist() == [1.0, 2.0, 6.0, 0.0]
    assert per_channel((5.0,), 4, 1.0).tolist() == [5.0, 5.0, 5.0, 1.0]
    with pytest.raises(UsageError, match=r"mean or std has 2 numbers \(1, 2\), the model 3 channels"):
        per_channel((1.0, 2.0), 3, 0.0)


def test_bgr_swaps_colours_and_leaves_alpha() -> None:
    swapped = replace(PRESETS["raw"], channel_order="bgr").normalise(np.array([[[1, 2, 3, 4]]], np.uint8))
    assert swapped.ravel().tolist() == [3, 2, 1, 4]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"resize": "stretch"}, "resize 'stretch' is not known: it is one of squash, crop, letterbox"),
        ({"filter": "box"}, "filter 'box' is not known: it is one of nearest, bilinear, bicubic, lanczos"),
        ({"channel_order": "gbr"}, "channel order 'gbr' is not known: it is one of rgb, bgr"),
        ({"std": (0.0,)}, "mean and std must have one number, or one a channel, and no std may be 0"),
        ({"mean": (float("nan"),)}, "range, mean, std and crop fraction must be finite numbers"),
        ({"range": (1.0, 1.0)}, "range must be two different numbers, not 1, 1"),
        ({"size": (0, 5)}, "size must be HxW with both at least 1, not 0x5"),
        ({"crop_fraction": 2.0}, "crop fraction must be above 0 and at most 1, not 2"),
        ({"pad": 256}, "pad must be within 0..255, not 256"),
        ({"multiple": 0}, "multiple must be at least 1, not 0"),
    ],
)
def test_what_cannot_be_honoured_is_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Preprocessing(name="x", **change)  # type: ignore[arg-type]
    assert str(caught.value) == text


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_json_there_and_back(preset: Preprocessing) -> None:
    assert Preprocessing.from_json(preset.to_json()) == preset
    sized = replace(preset, size=(12, 34))
    assert Preprocessing.from_json(sized.to_json()) == sized


def test_json_may_name_a_preset_and_change_it() -> None:
    text = '{"preset": "imagenet", "size": [96, 96]}'
    assert Preprocessing.from_json(text) == replace(PRESETS["imagenet"], size=(96, 96))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", "it is not a JSON object"),
        ('{"preset": "imagnet"}', "its preset 'imagnet' is not one of imagenet, inception"),
        ('{"means": 1}', "'means' is not one of channel_order"),
        ('{"std": [0]}', "no std may be 0"),
        ('{"mean": 3}', "its mean is not a list of numbers"),
        ('{"std": ["1"]}', "its std is not a list of numbers"),
        ('{"range": null}', "its range is not a list of numbers"),
        ('{"mean": [1%s]}' % ("0" * 400), "its mean is not a list of numbers"),
        ('{"preset": ["raw"]}', "its preset ['raw'] is not one of imagenet"),
        ('{"resize": ["crop"]}', "its resize is not a text"),
        ('{"pad": 1.5}', "its pad is not a whole number"),
        ('{"crop_fraction": "all"}', "its crop_fraction is not a number"),
        ('{"size": [1.5, 2]}', "its size is not two whole numbers"),
        ("[" * 100000, "recursion"),
    ],
)
def test_broken_metadata_is_an_error_of_the_model(text: str, why: str) -> None:
    with pytest.raises(ModelError) as caught:
        model_preprocessing({"onnxviz.preprocessing": text})
    assert str(caught.value).startswith("the model's metadata 'onnxviz.preprocessing' cannot be read: ")
    assert why in str(caught.value)


def test_ultralytics_metadata() -> None:
    assert model_preprocessing(ULTRALYTICS) == replace(PRESETS["yolo"], size=(480, 640), multiple=64)
    classifier = model_preprocessing({**ULTRALYTICS, "imgsz": "224", "task": "classify"})
    assert classifier == replace(PRESETS["yolo"], size=(224, 224), multiple=64, resize="crop")


@pytest.mark.parametrize("broken", ["", "__import__('os')", "[1", "[0, 640]", "[True, 1]", "{}", "(" * 5000])
def test_broken_metadata_of_ultralytics_is_ignored(broken: str) -> None:
    assert model_preprocessing({**ULTRALYTICS, "imgsz": broken}) is None
    assert model_labels({"names": broken}) is None


def test_labels() -> None:
    assert model_labels({"onnxviz.labels": "tench, Tinca tinca\ngoldfish\n"}) == ("tench, Tinca tinca", "goldfish")
    assert model_labels(ULTRALYTICS) == ("person", "bicycle")
    assert model_labels({"names": "['a', 'b']"}) == ("a", "b")
    assert model_labels({"names": "{0: 'a', 2: 'c'}"}) is None
    assert model_labels({}) is None
