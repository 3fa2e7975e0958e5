"""What a model says of the activations that it made: their layers, the names of their units, the strongest classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from onnxviz.activations import Activation
from onnxviz.classes import ClassScore, top_classes
from onnxviz.feed.preprocessing import model_labels
from onnxviz.graph.layers.catalogue import catalogue
from onnxviz.graph.layers.layer import Layer
from onnxviz.model import Model


class ModelFacts:
    """The layer of each activation and, of the model's outputs, the classes."""

    def __init__(self, model: Model | None, labels: Sequence[str] | None) -> None:
        """Take the model that made the activations, or None; `labels` of None means the model's own class names."""
        self._model = model
        self._labels = labels if labels is not None or model is None else model_labels(model.metadata)
        self._layers = {} if model is None else _by_name_and_value(catalogue(model.graph, model.types, every=True))

    def layer(self, activation: Activation) -> Layer | None:
        """Return an activation's entry in the catalogue."""
        found = self._layers.get((activation.name, activation.value))
        return found or self._layers.get(("", activation.value))

    def labels(self, activation: Activation) -> Sequence[str] | None:
        """Return the class names for an output of the model, or for any activation if the model is unknown."""
        return self._labels if self._is_output(activation) else None

    def classes(self, activations: Iterable[Activation]) -> tuple[ClassScore, ...]:
        """Return the strongest classes of the first activation that holds scores."""
        tried = (
            top_classes(activation, self._labels)
            for activation in activations
            if self._is_output(activation) and (self._labels is not None or self._model is not None)
        )
        return next((found for found in tried if found), ())

    def _is_output(self, activation: Activation) -> bool:
        return self._model is None or any(spec.name == activation.value for spec in self._model.outputs)


def _by_name_and_value(layers: Iterable[Layer]) -> dict[tuple[str, str], Layer]:
    """Return layers by (name, value); ("", value) finds the first layer with that value, whatever its name."""
    found: dict[tuple[str, str], Layer] = {}
    for layer, tap in product(layers, ("op", "act")):
        for name in (layer.name, ""):
            found.setdefault((name, layer.value(tap)), layer)
    return found
