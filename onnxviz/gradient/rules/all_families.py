"""All rules: importing the families fills the registry."""

from __future__ import annotations

from onnxviz.gradient.registry import RULES
from onnxviz.gradient.rules import (
    attending,
    convolution,
    grid_sampling,
    indexing,
    interpolation,
    linear_algebra,
    norm_layers,
    pointwise,
    pooling,
    recurrence,
    reducing,
    reordering,
    rounding,
    spectrum,
)

__all__ = [
    "RULES",
    "attending",
    "convolution",
    "grid_sampling",
    "indexing",
    "interpolation",
    "linear_algebra",
    "norm_layers",
    "pointwise",
    "pooling",
    "recurrence",
    "reducing",
    "reordering",
    "rounding",
    "spectrum",
]
