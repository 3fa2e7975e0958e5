"""Rules that stand in place of the usual ones: guided backpropagation and the deconvnet.

At a Relu, `y = max(x, 0)`, the gradient goes on where the output was positive. A deconvnet lets on what of the gradient
itself is positive, guided backpropagation what both let on:

    plain   g where y > 0                  deconvnet   g where g > 0            guided   g where y > 0 and g > 0

Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (2014), section 2; Springenberg et al., Striving
for Simplicity (2015), section 3.4. Both are pictures of what drives a unit and no gradients of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxviz.gradient.registry import Adjoint, GradientRule, Gradients
from onnxviz.gradient.rules.all_families import RULES
from onnxviz.gradient.rules.pooling import exact_max_pool

_RECTIFIERS = ("Relu", "Clip", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "HardSwish", "Swish", "Mish")


def _guided(rule: GradientRule) -> GradientRule:
    def write(at: Adjoint) -> Gradients:
        return rule(replace(at, gradients=(at.g.map("Relu"), *at.gradients[1:])))

    return write


def _rectified(at: Adjoint) -> Gradients:
    return at.g.map("Relu")


GUIDED: Mapping[str, GradientRule] = {name: _guided(RULES[name]) for name in _RECTIFIERS} | {"MaxPool": exact_max_pool}
"""Guided backpropagation: of each rectifier only what is positive goes on."""

DECONVNET: Mapping[str, GradientRule] = dict.fromkeys(_RECTIFIERS, _rectified) | {"MaxPool": exact_max_pool}
"""The deconvnet: a Relu backwards is a Relu of the gradient, whatever its output was."""
