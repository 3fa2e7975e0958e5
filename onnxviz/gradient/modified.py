"""Rules laid over the usual ones, by which a gradient becomes another projection of a unit into the picture.

GUIDED: a nonlinearity passes what is above 0 both forward and on the way back (Springenberg et al. 2014,
arXiv:1412.6806). DECONVNET: it passes what is above 0 on the way back alone (Zeiler and Fergus 2014, arXiv:1311.2901).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxviz.gradient.registry import RULES, Adjoint, GradientRule, Gradients
from onnxviz.gradient.rules.all_families import RULES as _ALL

_NONLINEAR = ("Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Celu", "Selu", "ThresholdedRelu", "HardSwish", "Gelu", "Mish")


def _guided(rule: GradientRule) -> GradientRule:
    def guided(at: Adjoint) -> Gradients:
        return rule(replace(at, gradients=(at.g.map("Relu"), *at.gradients[1:])))

    return guided


def _deconvnet(at: Adjoint) -> Gradients:
    return at.g.map("Relu")


GUIDED: Mapping[str, GradientRule] = {name: _guided(_ALL[name]) for name in _NONLINEAR if name in RULES}
DECONVNET: Mapping[str, GradientRule] = {name: _deconvnet for name in _NONLINEAR if name in RULES}
