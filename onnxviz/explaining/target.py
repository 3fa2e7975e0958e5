"""What is explained: a number of the model, such as the score of a class or a unit of a layer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnxviz.classes.asked_class import before, class_number
from onnxviz.classes.classes import class_outputs
from onnxviz.errors import NoMatchError, UsageError
from onnxviz.explaining.network import Network
from onnxviz.graph.layers.layer import Layer
from onnxviz.layout import Array, channel_axis
from onnxviz.model import Model, choices_of
from onnxviz.words import listed, near, quoted

_NUMBERS = r"\s*\d+\s*(?:,\s*\d+\s*)*"


@dataclass(frozen=True, slots=True)
class Target:
    """One number for each item of a batch.

    Attributes:
        name: in words, such as `Egyptian cat` or `stage3/block2/depthwise#214`.
        value: the value that holds it.
        place: its index in the value behind the batch axis.
        kind: `class`, `unit` or `output`.
        index: the number of the class or channel, None for a place of an output.
        score: what the model's output says of a class: the share of a softmax, or the score itself; None for others.
        output: the output that says it, which is watched where no gradient is needed; empty where it is the value.
    """

    name: str
    value: str
    place: tuple[int, ...]
    kind: str
    index: int | None = None
    score: float | None = None
    output: str = ""

    @property
    def watched(self) -> Target:
        """What methods without a gradient watch: of a class its share, which what speaks for another lowers too."""
        return replace(self, value=self.output or self.value)

    def of(self, array: Array) -> Array:
        """Return the numbers of a batch, (N,), of the value, (N, ...)."""
        return np.asarray(array[self._where], np.float64)

    def seed(self, array: Array) -> Array:
        """Return 1 at the target and 0 elsewhere, for a gradient."""
        seed: Array = np.zeros(array.shape, np.float32)
        seed[self._where] = 1
        return seed

    @property
    def _where(self) -> tuple[slice | int, ...]:
        return (slice(None), *self.place)


def numbers_of(network: Network, targets: Sequence[Target], variants: Iterable[Array]) -> Array:
    """Return the number of each target for each variant of the input, (1, ...): (targets, variants)."""
    names = list(dict.fromkeys(target.value for target in targets))
    found = network.picked(names, variants, lambda values: [target.of(values[target.value])[0] for target in targets])
    return np.array(list(found)).T


def class_targets(network: Network, wanted: str | int, labels: tuple[str, ...] | None) -> tuple[Target, ...]:
    """Return the classes that are asked for: `top3`, an index, or a name.

    The value is the score before the softmax: behind it the gradient of a sure answer is 0.

    Raises:
        NoMatchError: The model has no output of class scores, or no such class.
        UsageError: The strongest 0 are asked for.
    """
    model = network.model
    outputs = class_outputs(model, (), labels, asked=True)
    if not outputs:
        raise NoMatchError(
            "no output of the model holds class scores: name a unit, --unit LAYER#C, or a place of an output, --at"
        )
    value = outputs[0].value
    scores = network.values([value])[0][0]
    if scores.ndim != 1:
        raise NoMatchError(f"{quoted(value)} does not hold a vector of class scores: --at names one place of an output")
    source = before(model.graph, value)
    names = labels if labels is not None and len(labels) == scores.size else None
    found = []
    for index in _class_indices(wanted, scores, names):
        name = names[index] if names is not None else f"class {index}"
        found.append(Target(name, source, (index,), "class", index, float(scores[index]), value))
    return tuple(found)


def _class_indices(wanted: str | int, scores: Array, names: Sequence[str] | None) -> list[int]:
    count = scores.size
    text = str(wanted)
    top = re.fullmatch(r"top(\d+)", text)
    if top is not None:
        if int(top[1]) == 0:
            raise UsageError("top0 names no class: top1 is the strongest")
        return [int(index) for index in np.argsort(-scores, kind="stable")[: min(int(top[1]), count)]]
    return [class_number(text, count, names)]


def named_unit(model: Model, text: str) -> tuple[Layer, str, int, str]:
    """Return the layer, its value, the channel and the place, often empty, that `LAYER#C` or `LAYER#C@y,x` names.

    Raises:
        UsageError: The text does not name a unit.
        NoMatchError: There is no such layer.
    """
    found = re.fullmatch(rf"(.+)#(\d+)(?:@({_NUMBERS}))?", text)
    if found is None:
        raise UsageError(f"a unit is LAYER#CHANNEL, or LAYER#CHANNEL@Y,X, not {quoted(text)}")
    choices, _ = choices_of(model, [found[1]], tap="op")
    if len(choices) != 1 or choices[0].layer is None:
        raise UsageError(f"a unit is of one layer; {quoted(found[1])} selects {len(choices)}")
    return choices[0].layer, choices[0].value, int(found[2]), found[3] or ""


def unit_target(network: Network, text: str) -> Target:
    """Return a unit of a layer, `LAYER#C`, or a neuron of it, `LAYER#C@y,x`; of a unit its strongest place.

    The value is that of the layer before its nonlinearity, which may be at an end there.

    Raises:
        UsageError: The text does not name a unit.
        NoMatchError: There is no such layer, channel or place.
    """
    layer, value, channel, place = named_unit(network.model, text)
    array = network.values([value])[0]
    axis = channel_axis(layer.layout) if layer.layout and len(layer.layout) == array.ndim else None
    axis = axis if axis is not None else min(1, array.ndim - 1)
    if channel >= array.shape[axis]:
        raise NoMatchError(
            f"{quoted(layer.name)} has {array.shape[axis]} channels, counted from 0: there is no {channel}"
        )
    others = [size for which, size in enumerate(array.shape) if which not in (0, axis)]
    given = [int(part) for part in place.split(",")] if place else None
    if given is not None and (len(given) != len(others) or any(a >= b for a, b in zip(given, others, strict=True))):
        raise NoMatchError(f"{quoted(layer.name)} has no place {place}: its maps are {'x'.join(map(str, others))}")
    if given is None:
        given = (
            [int(part) for part in np.unravel_index(int(np.argmax(array[0].take(channel, axis - 1))), others)]
            if others
            else []
        )
    rest = iter(given)
    index = tuple(channel if which == axis else next(rest) for which in range(1, array.ndim))
    shown = f"{layer.name}#{channel}" + (f"@{','.join(map(str, given))}" if given and math.prod(others) > 1 else "")
    return Target(shown, value, index, "unit", channel)


def output_target(network: Network, text: str) -> Target:
    """Return one number of an output: `NAME[I,J,...]`, an index for each axis behind the batch.

    Raises:
        UsageError: The text names no place.
        NoMatchError: There is no such output or place.
    """
    found = re.fullmatch(rf"(.+)\[({_NUMBERS})\]", text)
    if found is None:
        raise UsageError(
            f"a place of an output is NAME[I,J,...], an index for each axis behind the batch, not {quoted(text)}"
        )
    name, place = found[1], tuple(int(part) for part in found[2].split(","))
    names = [spec.name for spec in network.model.outputs]
    if name not in names:
        raise NoMatchError(
            f"no output is called {quoted(name)}{near(name, names)}: there are {listed(map(quoted, names))}"
        )
    value = before(network.model.graph, name)
    shape = network.values([value])[0].shape[1:]
    if len(place) != len(shape) or any(index >= size for index, size in zip(place, shape, strict=True)):
        raise NoMatchError(
            f"{quoted(name)} has no place {found[2]}: behind the batch it is {'x'.join(map(str, shape))}"
        )
    return Target(text, value, place, "output")
