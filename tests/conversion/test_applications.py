"""Networks of keras.applications are known by name, and get the numbers that Keras' own preprocessing computes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onnxviz.conversion.applications import known_preprocessing
from onnxviz.feed.preprocessing import Preprocessing, model_preprocessing

# The name that a model bears, and the module of keras.applications that it comes from.
NETWORKS = {
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "resnet50": "resnet",
    "resnet152": "resnet",
    "resnet50v2": "resnet_v2",
    "mobilenet_1.00_224": "mobilenet",
    "mobilenetv2_1.00_224": "mobilenet_v2",
    "mobilenetv2_1.00_224_1": "mobilenet_v2",
    "MobileNetV3Small": "mobilenet_v3",
    "densenet121": "densenet",
    "inception_v3": "inception_v3",
    "inception_resnet_v2": "inception_resnet_v2",
    "xception": "xception",
    "nasnet_mobile": "nasnet",
    "NASNet": "nasnet",
    "efficientnetb0": "efficientnet",
    "efficientnetv2-b0": "efficientnet_v2",
    "convnext_tiny": "convnext",
}


def preprocessing_of(name: str) -> Preprocessing | None:
    found = [{key: text} for pattern, key, text in known_preprocessing() if re.match(pattern, name)]
    assert len(found) <= 1
    return model_preprocessing(found[0]) if found else None


@pytest.fixture(scope="module")
def keras_values(tmp_path_factory: pytest.TempPathFactory, in_tensorflow: Callable[..., str]) -> dict[str, np.ndarray]:
    target = tmp_path_factory.mktemp("applications") / "values.npz"
    in_tensorflow(Path(__file__).with_name("applications.py"), target)
    with np.load(target) as stored:
        return dict(stored)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_what_keras_computes(name: str, keras_values: dict[str, np.ndarray]) -> None:
    known = preprocessing_of(name)
    assert known is not None
    assert known.resize == "squash"
    low, high = known.range
    values = keras_values["pixels"] / 255 * (high - low) + low
    values = values[..., ::-1] if known.channel_order == "bgr" else values
    expected = keras_values[NETWORKS[name]]
    ours = (values - np.array(known.mean)) / np.array(known.std)
    assert np.abs(ours - expected).max() < 2e-3 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["my_own_resnet", "resnet50_of_mine", "model", "functional_1", "", "sequential"])
def test_others_are_not_known(name: str) -> None:
    assert preprocessing_of(name) is None
