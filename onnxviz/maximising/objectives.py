"""What a picture is made for: a channel, a place of it, a direction between channels, or a class; read from a text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from onnxviz.classes.asked_class import before, class_number
from onnxviz.classes.classes import class_outputs
from onnxviz.errors import NoMatchError, UsageError
from onnxviz.feed.preprocessing import model_labels
from onnxviz.layout import Array, channel_axis
from onnxviz.model import Model, choices_of
from onnxviz.words import quoted

CHANNEL, NEURON = "channel", "neuron"
OBJECTIVES = (CHANNEL, NEURON)
_UNIT = re.compile(r"(.+)#(\d+(?:[+-]\d+)*)(?:@(\d+)\s*,\s*(\d+))?")
_LEAST_COSINE, _BELOW = 0.1, 0.1


@dataclass(frozen=True, slots=True)
class Objective:
    """A number of a model's value, and its gradient.

    Attributes:
        name: in words, such as `stage4/block3/expand#383` or `Egyptian cat`.
        value: the value that holds it, before a nonlinearity.
        layer: the name of the layer, empty for a class.
        channels: the channels, each with its weight; several are a direction.
        axis: of the channels in the value.
        place: `(y, x)` on the map, `None` for the mean over all of it; `middle` for the place in its middle.
    """

    name: str
    value: str
    layer: str
    channels: tuple[tuple[int, float], ...]
    axis: int = 1
    place: tuple[int, int] | str | None = None

    def check(self, array: Array) -> None:
        """Refuse a channel or place that a value does not have.

        Raises:
            NoMatchError: It has too few channels, or its maps are smaller.
        """
        count = array.shape[self.axis]
        highest = max(channel for channel, _ in self.channels)
        if highest >= count:
            raise NoMatchError(f"{quoted(self.layer or self.name)} has {count} channels, counted from 0: no {highest}")
        maps = self._maps(array)
        if isinstance(self.place, tuple) and (
            maps.ndim != 3 or any(index >= size for index, size in zip(self.place, maps.shape[1:], strict=False))
        ):
            sizes = "x".join(map(str, maps.shape[1:])) or "no maps"
            raise NoMatchError(f"{quoted(self.layer)} has no place {self.place[0]},{self.place[1]}: {sizes}")

    def number(self, array: Array) -> tuple[float, Array]:
        """Return what is maximised, of the first item of a value, and its gradient by the value.

        Of one channel it is the number at a place, or the mean of its map, in which numbers below 0 count a tenth, as
        most nonlinearities behind it let them through no more: the plain mean of a first convolution, whose weights sum
        to nearly nothing, says only what its border does. Of several it is, at each place, the product
        with the direction d times the squared cosine of the angle to it, `dot(a, d) * cos(a, d) ** 2`, d of length 1:
        large only where these channels answer and others do not (Carter et al., Activation Atlas, Distill 2019).
        """
        maps = self._maps(array).astype(np.float64)
        flat = maps.reshape(len(maps), -1)
        share = self._shares(maps.shape[1:])
        gradient = np.zeros_like(flat)
        if len(self.channels) == 1:
            ((channel, _),) = self.channels
            counts = share if self._has_place(maps.shape[1:]) else share * np.where(flat[channel] < 0, _BELOW, 1.0)
            gradient[channel] = counts
            number = float(flat[channel] @ counts)
        else:
            number, gradient = _along(flat, self._direction(len(maps)), share)
        return number, self._as(gradient.reshape(maps.shape), array)

    def map(self, array: Array) -> Array:
        """Return its map of the first item, `(H, W)`; of a vector `(1, 1)`, of a sequence one row."""
        maps = self._maps(array).astype(np.float64)
        found = maps[self.channels[0][0]]
        if len(self.channels) > 1:
            found = np.tensordot(self._direction(len(maps)), maps, 1)
        return np.atleast_2d(found) if found.ndim < 2 else found.reshape(found.shape[0], -1)

    def spread(self, array: Array) -> float:
        """Return the deviation of all numbers of a value: what a change of one of them is to be measured by."""
        return float(np.std(self._maps(array)))

    def _maps(self, array: Array) -> Array:
        return np.moveaxis(array[:1], self.axis, 0)[:, 0]

    def _as(self, maps: Array, array: Array) -> Array:
        """Return a gradient of the maps as one of the value, 0 for other items."""
        found = np.zeros(array.shape, np.float32)
        np.moveaxis(found[:1], self.axis, 0)[:, 0] = maps
        return found

    def _has_place(self, sizes: tuple[int, ...]) -> bool:
        return not sizes or (self.place is not None and len(sizes) == 2)

    def _shares(self, sizes: tuple[int, ...]) -> Array:
        count = int(np.prod(sizes)) if sizes else 1
        if self.place is None or len(sizes) != 2:
            return np.full(count, 1 / count)
        y, x = (sizes[0] // 2, sizes[1] // 2) if isinstance(self.place, str) else self.place
        shares = np.zeros(count)
        shares[y * sizes[1] + x] = 1
        return shares

    def _direction(self, count: int) -> Array:
        direction = np.zeros(count)
        for channel, weight in self.channels:
            direction[channel] += weight
        return direction / np.linalg.norm(direction)


def _along(flat: Array, direction: Array, share: Array) -> tuple[float, Array]:
    dot, length = direction @ flat, np.linalg.norm(flat, axis=0) + 1e-6
    cosine = np.maximum(dot / length, _LEAST_COSINE)
    turns = 2 * dot * cosine * (dot / length > _LEAST_COSINE)
    slope = direction[:, None] * (cosine**2 + turns / length) - flat * (turns * dot / length**3)
    return float((dot * cosine**2) @ share), slope * share


def unit_objective(model: Model, text: str, objective: str = CHANNEL) -> Objective:
    """Read `LAYER#C`, `LAYER#C@Y,X` for one place, or `LAYER#3+17-4` for a direction.

    Raises:
        UsageError: The text names no unit.
        NoMatchError: There is no such layer.
    """
    found = _UNIT.fullmatch(text)
    if found is None:
        raise UsageError(f"a unit is LAYER#C, LAYER#C@Y,X or a direction LAYER#3+17-4, not {quoted(text)}")
    if objective not in OBJECTIVES:
        raise UsageError(f"no objective {objective!r}: {', '.join(OBJECTIVES)}")
    choices, _ = choices_of(model, [found[1]], tap="op")
    if len(choices) != 1 or choices[0].layer is None:
        raise UsageError(f"a unit is of one layer; {quoted(found[1])} selects {len(choices)}")
    layer = choices[0].layer
    axis = channel_axis(layer.layout)
    channels = tuple((abs(int(part)), -1.0 if part[0] == "-" else 1.0) for part in re.findall(r"[+-]?\d+", found[2]))
    place: tuple[int, int] | str | None = (int(found[3]), int(found[4])) if found[3] else None
    if place is None and objective == NEURON:
        place = "middle"
    name = f"{layer.name}#{found[2]}" + (f"@{found[3]},{found[4]}" if found[3] else "")
    return Objective(name, choices[0].value, layer.name, channels, 1 if axis is None else axis, place)


def class_objective(model: Model, wanted: str, labels: tuple[str, ...] | None = None) -> Objective:
    """Return a class by its name or number: its score before the softmax.

    Raises:
        NoMatchError: The model has no class scores, or no such class.
    """
    labels = labels if labels is not None else model_labels(model.metadata)
    outputs = class_outputs(model, (), labels, asked=True)
    if not outputs:
        raise NoMatchError("no output of the model holds class scores: name a unit, --unit LAYER#C")
    number = class_number(wanted, len(labels) if labels is not None else None, labels)
    name = labels[number] if labels is not None and number < len(labels) else f"class {number}"
    return Objective(name, before(model.graph, outputs[0].value), "", ((number, 1.0),))
