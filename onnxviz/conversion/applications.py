"""How the networks of keras.applications want their pixels, told by the names that their models bear.

The modes are those of `keras.applications.imagenet_utils.preprocess_input`: tf (-1..1), caffe (BGR less a mean), torch
(mean and deviation of ImageNet); the newer networks scale by a layer of their own and take 0..255. Keras squashes a
picture to the size of the input.
"""

from __future__ import annotations

from dataclasses import replace

from onnxviz.feed.preprocessing import METADATA_PREPROCESSING, PRESETS

_PRESETS = (
    (r"(vgg16|vgg19|resnet50|resnet101|resnet152)(_\d+)?$", "caffe"),
    (r"densenet(121|169|201)(_\d+)?$", "imagenet"),
    (
        r"(mobilenet_\d|mobilenetv2_\d|inception_v3|inception_resnet_v2|xception|resnet(50|101|152)v2|nasnet|NASNet$)",
        "inception",
    ),
    (r"(?i)(efficientnet|mobilenetv3|convnext|regnet)", "raw"),
)


def known_preprocessing() -> list[tuple[str, str, str]]:
    """Return for each family of networks a pattern of its models' names, a metadata key, and what belongs there."""
    return [
        (pattern, METADATA_PREPROCESSING, replace(PRESETS[preset], resize="squash").to_json())
        for pattern, preset in _PRESETS
    ]
