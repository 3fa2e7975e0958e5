"""All rules: importing the families fills the registry."""

from __future__ import annotations

from onnxviz.gradient.registry import RULES
from onnxviz.gradient.rules import convolution, linear_algebra, norm_layers, pointwise, pooling, reducing, reordering

__all__ = ["RULES", "convolution", "linear_algebra", "norm_layers", "pointwise", "pooling", "reducing", "reordering"]
