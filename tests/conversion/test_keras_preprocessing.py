"""Networks of keras.applications are known by name, and get the numbers that Keras' own preprocessing computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from onnxviz.conversion.child.loaded import Loaded, Row
from onnxviz.conversion.child.metadata import add_preprocessing
from onnxviz.conversion.keras_preprocessing import known_preprocessing
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


def preprocessing_of(name: str, kinds: tuple[str, ...] = ("Conv2D", "Rescaling")) -> Preprocessing | None:
    """Return what the child writes for a model of this name with layers of these kinds."""
    proto = SimpleNamespace(metadata_props=Properties())
    loaded = Loaded(None, [], [], rows=[Row(kind, kind, f"{kind}:0") for kind in kinds], facts={"model": name})
    was_known = add_preprocessing(proto, loaded, known_preprocessing())
    found = proto.metadata_props
    assert len(found) == int(was_known)
    return model_preprocessing({entry["key"]: entry["value"] for entry in found}) if found else None


class Properties(list):  # type: ignore[type-arg]
    def add(self, **entry: str) -> None:
        self.append(entry)


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


OTHERS = """
    my_own_resnet resnet50_of_mine model functional_1 sequential efficientnet-lite0 efficientnet-b0 MobilenetV3
    xception_flowers nasnet_seg convnext_seg efficientnetb0_1 mobilenetv2 vgg16/block1
""".split()


@pytest.mark.parametrize("name", ["", *OTHERS])
def test_others_are_not_known(name: str) -> None:
    assert preprocessing_of(name) is None


@pytest.mark.parametrize("name", ["efficientnetb0", "efficientnetv2-s", "MobileNetV3Large", "convnext_base"])
def test_a_network_that_was_made_without_its_scaling_is_not_known(name: str) -> None:
    assert preprocessing_of(name) is not None
    assert preprocessing_of(name, ("Conv2D", "Normalization")) is not None
    assert preprocessing_of(name, ("Conv2D", "BatchNormalization", "LayerNormalization")) is None
