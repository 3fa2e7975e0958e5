"""How the networks of keras.applications want their pixels, by the names that Keras gives their models.

The modes are those of `keras.applications.imagenet_utils.preprocess_input`: tf (-1..1), caffe (BGR less a mean), torch
(mean and deviation of ImageNet). The newer networks scale by a layer of their own and take 0..255, unless they were
made without it. Names of scopes and files prove nothing: other authors use them too, for networks fed in other ways.
"""

from __future__ import annotations

from dataclasses import replace

from onnxviz.conversion.child.exchange import KnownPreprocessing
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


def known_preprocessing() -> list[KnownPreprocessing]:
    """Return for each family of networks how its models are recognised, and what to write into their metadata."""
    # Keras squashes a picture to the size of the input.
    return [
        {
            "pattern": pattern,
            "layers": ["Rescaling", "Normalization"] if preset == "raw" else [],
            "key": METADATA_PREPROCESSING,
            "text": replace(PRESETS[preset], resize="squash").to_json(),
        }
        for pattern, preset in _PRESETS
    ]
