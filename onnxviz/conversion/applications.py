"""How the networks of keras.applications want their pixels, told by the names that Keras gives their models.

The modes are those of `keras.applications.imagenet_utils.preprocess_input`: tf (-1..1), caffe (BGR less a mean), torch
(mean and deviation of ImageNet); the newer networks scale by a layer of their own and take 0..255, but for those that
were made without it. Keras squashes a picture to the size of the input.

Names of scopes and files tell nothing: others call their networks so too, and feed them otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnxviz.feed.preprocessing import METADATA_PREPROCESSING, PRESETS

_PRESETS = (
    (r"vgg(16|19)|resnet(50|101|152)", "caffe"),
    (r"densenet(121|169|201)", "imagenet"),
    (
        r"mobilenet_\d\.\d\d_\d+|mobilenetv2_\d\.\d\d_\d+|inception_v3|inception_resnet_v2|xception|"
        r"resnet(50|101|152)v2|nasnet_(mobile|large)|NASNet",
        "inception",
    ),
    (
        r"efficientnetb[0-7]|efficientnetv2-(b[0-3]|s|m|l)|MobileNetV3(Small|Large)|"
        r"convnext_(tiny|small|base|large|xlarge)|regnet[xy]\d{3}",
        "raw",
    ),
)
_SCALING = ("Rescaling", "Normalization")


@dataclass(frozen=True, slots=True)
class KnownPreprocessing:
    """What belongs into the metadata of a model whose whole name matches, and that has a layer of one of these kinds.

    No kinds: whatever its layers are.
    """

    pattern: str
    layers: tuple[str, ...]
    key: str
    text: str


def known_preprocessing() -> list[KnownPreprocessing]:
    """Return for each family of networks how its models are known, and what to write."""
    return [
        KnownPreprocessing(
            pattern,
            _SCALING if preset == "raw" else (),
            METADATA_PREPROCESSING,
            replace(PRESETS[preset], resize="squash").to_json(),
        )
        for pattern, preset in _PRESETS
    ]
