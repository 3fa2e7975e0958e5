"""`Explaining`: what the methods work on, and `Heat`, what one makes of one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from onnxviz.errors import UnsupportedError
from onnxviz.explaining.class_activation import CLASS_ACTIVATION
from onnxviz.explaining.explain_options import ExplainOptions
from onnxviz.explaining.map_layers import MapLayer, MapLayers
from onnxviz.explaining.network import Network
from onnxviz.explaining.target import Target
from onnxviz.inference.model_gradient import ForwardRun
from onnxviz.layout import Array, channel_axis, spatial_axes
from onnxviz.model import choices_of

Settings = Mapping[str, float | str]

_LOOKED_AT = 96


@dataclass(frozen=True, slots=True)
class Heat:
    """What a method makes of one target.

    Attributes:
        array: (h, w) numbers, or (H, W, C) for what is drawn in colours.
        settings: what it was made with.
        layer: the layer whose maps it was made of; empty where it was made of the input.
    """

    array: Array
    settings: Settings = field(default_factory=dict)
    layer: str = ""


class Explaining:
    """What the methods work on: one network, its targets, and what several of them need."""

    def __init__(
        self,
        network: Network,
        targets: Sequence[Target],
        options: ExplainOptions,
        map_layers: MapLayers | None = None,
    ) -> None:
        """Keep them; `map_layers` are looked for when a method asks, unless they are known."""
        self.network, self.targets, self.options = network, tuple(targets), options
        self._map_layers = map_layers
        self._run: tuple[tuple[str, ...], ForwardRun] | None = None

    def alone(self, target: Target) -> Explaining:
        """Return the same for one of the targets."""
        return Explaining(self.network, [target], self.options, self._map_layers)

    def by_layer(self, method: str) -> list[Explaining]:
        """Return the same for each layer that is asked for, where a method makes its maps of one; else this alone.

        Raises:
            NoMatchError: The model lacks the layer.
        """
        if self.options.layers is None or method not in CLASS_ACTIVATION:
            return [self]
        choices, _ = choices_of(self.network.model, self.options.layers)
        one_each = (replace(self.options, layers=[choice.name]) for choice in choices)
        return [Explaining(self.network, self.targets, options, self.map_layers) for options in one_each]

    @property
    def map_layers(self) -> MapLayers:
        """The layers with maps."""
        if self._map_layers is None:
            self._map_layers = MapLayers(self.network)
        return self._map_layers

    @cached_property
    def axes(self) -> tuple[int, int]:
        """The axes of rows and columns of the input.

        Raises:
            UnsupportedError: The input is not a picture.
        """
        axes = spatial_axes(self.network.feed.main.layout)
        if len(axes) != 2:
            raise UnsupportedError("explanations are drawn over a picture: the input is not one")
        return axes[0], axes[1]

    def pixels(self, array: Array) -> Array:
        """Return an array of the input's shape without the batch as (H, W, C)."""
        channel = channel_axis(self.network.feed.main.layout)
        order = [self.axes[0] - 1, self.axes[1] - 1] + ([] if channel is None else [channel - 1])
        return array.transpose(order).reshape(*(array.shape[axis] for axis in order[:2]), -1)

    def layer_maps(self, target: Target, layer: MapLayer) -> tuple[Array, Array]:
        """Return the maps of a layer and their gradient, (C, h, w)."""
        run = self._forward(target, (layer.value,))
        found = run.backward(target.seed(run.target))[layer.value]
        return layer.maps(run.values[layer.value]), layer.maps(found)

    def reached(self, target: Target, layer: MapLayer) -> MapLayer:
        """Return a layer, or the last one before it whose places say something of the target.

        Of a transformer only the class token goes on behind the last attention: what it says of the places lies before.
        The last maps of a detector hold the number of a box in one place, and maps that say why lie before.
        """
        if _is_told(target, self.layer_maps(target, layer)[1]):
            return layer
        layers = self.map_layers.on_the_way(target.value)
        before = layers[: layers.index(layer)][-_LOOKED_AT:]
        if before:
            run = self._forward(target, tuple(one.value for one in before))
            found = run.backward(target.seed(run.target))
            for one in reversed(before):
                if _is_told(target, one.maps(found[one.value])):
                    return one
        return layer

    def _forward(self, target: Target, values: tuple[str, ...]) -> ForwardRun:
        """Return the forward pass from which gradients at values are had; the last one is kept for further targets."""
        key = (target.value, *values)
        if self._run is None or self._run[0] != key:
            made = self.network.gradient(target.value, values)
            self._run = key, made.forward(self.network.feed_of(self.network.array))
        return self._run[1]


def _is_told(target: Target, gradient: Array) -> bool:
    """Return whether a gradient (C, h, w) is of more places than the one in which an output holds its number."""
    return int(gradient.any(axis=0).sum()) > (1 if target.kind == "output" else 0)
