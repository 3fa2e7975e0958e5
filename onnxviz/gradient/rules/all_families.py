"""All rules: importing the families fills the registry."""

from __future__ import annotations

from onnxviz.gradient.registry import RULES
from onnxviz.gradient.rules import (
    convolution,
    indexing,
    interpolation,
    linear_algebra,
    norm_layers,
    pointwise,
    pooling,
    reducing,
    reordering,
    rounding,
)

__all__ = [
    "RULES",
    "convolution",
    "indexing",
    "interpolation",
    "linear_algebra",
    "norm_layers",
    "pointwise",
    "pooling",
    "reducing",
    "reordering",
    "rounding",
]
