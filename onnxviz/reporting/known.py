"""What a model tells of activations that were taken from it before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onnxviz.activations import Activation
from onnxviz.classes import ClassScore, top_classes
from onnxviz.feed.preprocessing import model_labels
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.model import Model


class Known:
    """What is known of activations besides themselves: their layers, and of the model's outputs the classes."""

    def __init__(self, model: Model | None, labels: Sequence[str] | None) -> None:
        """Take the model that made the activations, where it is at hand; labels of None are the model's own."""
        self._model = model
        self._labels = labels if labels is not None or model is None else model_labels(model.metadata)
        self._layers = {} if model is None else _by_place(catalogue(model.graph, model.types, every=True))

    def layer(self, activation: Activation) -> Layer | None:
        """Return an activation's entry in the catalogue."""
        found = self._layers.get((activation.name, activation.value))
        return found or self._layers.get(("", activation.value))

    def labels(self, activation: Activation) -> Sequence[str] | None:
        """Return the class names where they may be those of its units: of outputs, or where no model tells."""
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


def _by_place(layers: Iterable[Layer]) -> dict[tuple[str, str], Layer]:
    """Return layers by name and value; under no name the first that has the value, for those that were renamed."""
    found: dict[tuple[str, str], Layer] = {}
    for layer in layers:
        for tap in ("op", "act"):
            for name in (layer.name, ""):
                found.setdefault((name, layer.value(tap)), layer)
    return found
