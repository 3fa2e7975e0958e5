"""Which value of each of two layers is compared: both of one stage, so that only what differs in numbers is seen.

| A | B | compared |
|---|---|---|
| Conv, ReLU | Conv, batch norm, ReLU | behind both ReLUs: a norm can be folded into weights |
| Conv, ReLU | QLinearConv whose codes begin at 0 | behind the ReLU and the codes: the quantiser took in the ReLU |
| Conv, read twice, and a HardSigmoid of it | FusedConv (HardSigmoid) | nothing: the Conv of B is put out nowhere |
| Dense, Softmax | Dense, an output of the model | both Dense: one of the models leaves its last nonlinearity out |
| Conv, ReLU | Conv | the ends of both, and it is said: B lacks a nonlinearity |
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onnxviz.comparing.matching.canonical import Canonical
from onnxviz.comparing.matching.operation import Operation, Stage
from onnxviz.comparing.matching.pairing import readers_of
from onnxviz.errors import ModelError
from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.blocked import blocked_values
from onnxviz.graph.operators.codes import CodeScale, code_scales, dequantised
from onnxviz.model import Model
from onnxviz.quantised import code_ends


@dataclass(frozen=True)
class MatchedModel:
    """One of the two models: itself and its canonical form."""

    model: Model
    canonical: Canonical

    @cached_property
    def scales(self) -> Mapping[str, CodeScale]:
        """The scales of values that hold codes."""
        return code_scales(self.model.flat)

    @cached_property
    def blocked(self) -> Mapping[str, int | None]:
        """The values whose channels lie in blocks."""
        return blocked_values(self.model.flat)


@dataclass(frozen=True, slots=True)
class Compared:
    """The stages of two layers whose values are compared.

    Attributes:
        a, b: the stages.
        reason: empty, or why their numbers cannot be compared.
        differs: whether one lacks a nonlinearity that the other has, for no reason that shows.
    """

    a: Stage
    b: Stage
    reason: str = ""
    differs: bool = False


def compared_stages(
    x: Operation, y: Operation, a: MatchedModel, b: MatchedModel, *, is_loose: bool = False
) -> Compared:
    """Return the stages at which two layers are compared.

    `is_loose`: something without a counterpart reads one of them, which may be the missing step in other words.
    """
    one, other = x.end, y.end
    if one.steps != other.steps and not _took_in(x, y, a, b) and not _took_in(y, x, b, a):
        if not (is_loose or _stands_alone(x, y, b) or _stands_alone(y, x, a) or _is_last(x, y, b) or _is_last(y, x, a)):
            return _checked(one, other, differs=True)
        one, other = _common(x, y)
    return _checked(one, other)


def _checked(one: Stage, other: Stage, *, differs: bool = False) -> Compared:
    if not one.value or not other.value:
        which = "A" if not one.value else "B"
        return Compared(one, other, f"{which} computes it inside a fused kernel and puts it out nowhere")
    return Compared(one, other, differs=differs)


def _common(x: Operation, y: Operation) -> tuple[Stage, Stage]:
    """Return the last stages with the same steps, of those whose values are there if any are."""
    pairs = [(one, other) for one in x.stages for other in y.stages if one.steps == other.steps]
    shown = [pair for pair in pairs if pair[0].value and pair[1].value]
    return (shown or pairs)[-1]


def _surplus(x: Operation, y: Operation) -> tuple[str, ...]:
    """Return the steps that x has at its end and y lacks; empty where y is not as far."""
    steps, other = x.end.steps, y.end.steps
    return steps[len(other) :] if steps[: len(other)] == other else ()


def _stands_alone(x: Operation, y: Operation, side: MatchedModel) -> bool:
    """Return whether the step that y lacks is an operation of its own behind y."""
    surplus = _surplus(x, y)
    readers = (side.canonical.operations[number].operator for number in readers_of(side.canonical, y))
    return bool(surplus) and surplus[0] in readers


def _is_last(x: Operation, y: Operation, side: MatchedModel) -> bool:
    """Return whether y, which lacks a step of x, ends the model."""
    return bool(_surplus(x, y)) and not readers_of(side.canonical, y)


def _took_in(x: Operation, y: Operation, own: MatchedModel, other: MatchedModel) -> bool:
    """Return whether y's end is kept in codes that reach no further than the step of x that y lacks lets through."""
    if len(_surplus(x, y)) != 1:
        return False
    bounds, reach = _bounds(own.model.flat, x.end.value), _reach(other, y.end.value)
    if bounds is None or reach is None:
        return False
    low, high, step = reach
    return low >= bounds[0] - step and high <= bounds[1] + step


def _bounds(graph: Graph, value: str) -> tuple[float, float] | None:
    """Return what a ReLU or Clip lets through; None for another node."""
    node = graph.producers.get(value)
    while node is not None and node.operator in ("DequantizeLinear", "QuantizeLinear", "Cast", "Identity", "Transpose"):
        node = graph.producers.get(node.inputs[0])
    if node is None or node.operator not in ("Relu", "Clip"):
        return None
    if node.operator == "Relu":
        return 0.0, math.inf
    ends = [*node.inputs[1:3], "", ""][:2]
    given = [graph.constant(value) if value else None for value in ends]
    written = [node.attribute(name, default) for name, default in (("min", -math.inf), ("max", math.inf))]
    low, high = (float(w if g is None else g.item()) for g, w in zip(given, written, strict=True))
    return low, high


def _reach(side: MatchedModel, value: str) -> tuple[float, float, float] | None:
    """Return the least and the greatest number that a value's codes stand for, and their step; None without codes."""
    graph = side.model.flat
    found = dequantised(graph, value)
    scale = found[1] if found is not None else side.scales.get(value)
    if scale is None:
        return None
    try:
        zero = graph.constant(scale.zero_point) if scale.zero_point else np.zeros(1, np.uint8)
    except ModelError:
        return None
    if zero is None or (quantised := scale.quantised(graph, zero.dtype.name)) is None:
        return None
    ends = code_ends(quantised.dtype)
    if ends is None or isinstance(quantised.scale, tuple) or isinstance(quantised.zero_point, tuple):
        return None
    low, high = ((end - quantised.zero_point) * quantised.scale for end in ends)
    return low, high, quantised.scale
