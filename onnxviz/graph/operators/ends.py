"""Between which ends the operators that limit their values hold them, as the table of operators says it.

An end at 0 that a Clip shares with a ReLU does not count: there a unit is off. Sigmoid and HardSigmoid have both ends,
as what they make is a share, of which 0 says as much as 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from onnxviz.bounds import NO_END
from onnxviz.graph.node import Node

NEAR = 2.0**-23
"""How near to 0, 1 or -1 a sigmoid or tanh counts as being there: the step of float32 at 1, in every dtype.

onnxruntime computes them by a fraction of polynomials, which ends a step beside 1, and comes so near for |x| > 16
(sigmoid) and 8.3 (tanh). float16 and bfloat16 have no number that is nearer to 1 than this but 1 itself."""


@dataclass(frozen=True, slots=True)
class ValueEnds:
    """The least and the greatest value that an operator makes, NaN where an end does not count, and how near counts."""

    low: float = NO_END
    high: float = NO_END
    near: float = 0.0


Constant = Callable[[str], float | None]
"""Returns the number that a value of the graph is, None where it is not one constant number."""

EndsOf = Callable[[Node, Constant], ValueEnds]


def clip(node: Node, constant: Constant) -> ValueEnds:
    """The bounds of a Clip: its inputs, or before opset 11 its attributes."""
    given = [constant(value) if value else None for value in (*node.inputs[1:3], "", "")]
    return _counted(*(node.attribute(name, given[place]) for place, name in enumerate(("min", "max"))))


def greatest(node: Node, constant: Constant) -> ValueEnds:
    """The low end of a Max with a constant."""
    return _counted(_constant_input(node, constant), None)


def least(node: Node, constant: Constant) -> ValueEnds:
    """The high end of a Min with a constant."""
    return _counted(None, _constant_input(node, constant))


def share(node: Node, constant: Constant) -> ValueEnds:
    """The ends of a Sigmoid."""
    return ValueEnds(0.0, 1.0, NEAR)


def hard_share(node: Node, constant: Constant) -> ValueEnds:
    """The ends of a HardSigmoid, which it reaches exactly."""
    return ValueEnds(0.0, 1.0)


def both_signs(node: Node, constant: Constant) -> ValueEnds:
    """The ends of a Tanh."""
    return ValueEnds(-1.0, 1.0, NEAR)


def fused(node: Node, constant: Constant) -> ValueEnds:
    """The ends of the nonlinearity that an optimiser put into a convolution."""
    activation = node.attribute("activation")
    if activation == "Clip":
        return _counted(*[*_floats(node.attribute("activation_params")), None, None][:2])
    rule = _FUSED.get(activation)
    return ValueEnds() if rule is None else rule(node, constant)


_FUSED: Mapping[Any, EndsOf] = {"Sigmoid": share, "HardSigmoid": hard_share, "Tanh": both_signs}


def _constant_input(node: Node, constant: Constant) -> float | None:
    return next((found for value in node.inputs if value and (found := constant(value)) is not None), None)


def _counted(low: Any, high: Any) -> ValueEnds:
    """Return ends without those that are 0, infinite or not numbers."""
    return ValueEnds(*(float(end) if _is_end(end) else NO_END for end in (low, high)))


def _is_end(end: Any) -> bool:
    return isinstance(end, int | float) and math.isfinite(end) and end != 0


def _floats(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple) else []
