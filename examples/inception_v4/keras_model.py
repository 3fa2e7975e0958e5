"""Inception-v4 as a Keras model, with the weights of `slim.py`.

    python keras_model.py OUT.keras        or OUT.h5, or a folder for a SavedModel

Layers are named by their scopes with dots, as Keras allows no slash: `Mixed_5b.Branch_0.Conv2d_0a_1x1` is a
convolution, with `.BatchNorm` and `.Relu` behind it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from architecture import CLASSES, EPSILON, SIZE, Kernel, inception_v4
from weights import Weights, weights


def keras_model(values: Weights) -> keras.Model:
    """Return the net as a Functional model on pictures (N, 299, 299, 3) in -1..1."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    model = keras.Model(image, inception_v4(image, _Keras()), name="InceptionV4")
    for layer in model.layers:
        if layer.weights:
            scope = "InceptionV4/" + layer.name.replace(".", "/")
            layer.set_weights([values[f"{scope}/{_SLIM_NAMES.get(w.name, w.name)}"] for w in layer.weights])
    return model


_SLIM_NAMES = {"kernel": "weights", "bias": "biases"}


class _Keras:
    """The operations of Keras; the scope that all names share is left out."""

    def __init__(self) -> None:
        self._scopes: list[str] = []

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        self._scopes.append(name)
        yield
        self._scopes.pop()

    def conv(self, x: Any, scope: str, channels: int, kernel: Kernel, stride: int = 1, padding: str = "SAME") -> Any:
        name = self._name(scope)
        x = keras.layers.Conv2D(channels, kernel, stride, padding.lower(), use_bias=False, name=name)(x)
        x = keras.layers.BatchNormalization(epsilon=EPSILON, scale=False, name=f"{name}.BatchNorm")(x)
        return keras.layers.ReLU(name=f"{name}.Relu")(x)

    def max_pool(self, x: Any, scope: str) -> Any:
        return keras.layers.MaxPooling2D(3, 2, name=self._name(scope))(x)

    def average_pool(self, x: Any, scope: str) -> Any:
        return keras.layers.AveragePooling2D(3, 1, "same", name=self._name(scope))(x)

    def concat(self, parts: list[Any]) -> Any:
        return keras.layers.Concatenate(name=self._name("concat"))(parts)

    def classify(self, x: Any) -> Any:
        x = keras.layers.GlobalAveragePooling2D(name=self._name("AvgPool_1a"))(x)
        x = keras.layers.Dense(CLASSES, name=self._name("Logits"))(x)
        return keras.layers.Softmax(name=self._name("Predictions"))(x)

    def _name(self, last: str) -> str:
        return ".".join((*self._scopes[1:], last))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    built = keras_model(weights(out))
    built.save(out) if out.suffix else built.export(out)
