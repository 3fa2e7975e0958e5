"""Small Keras nets of every shape a model can have; `keras` is Keras 3 or tf_keras, which is Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

Keras = Any
Model = Any


def functional(keras: Keras) -> Model:
    """Norms behind convolutions, a depthwise one, a sum, a join, pools, activations inside and outside of layers."""
    layers = keras.layers
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv1")(image)
    x = layers.BatchNormalization(name="norm1")(x)
    x = first = layers.ReLU(name="relu1")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.BatchNormalization(name="norm2")(x)
    x = layers.ReLU(6.0, name="relu6")(x)
    x = layers.Conv2D(8, 1, name="project")(x)
    x = layers.Add(name="add")([first, x])
    side = layers.Conv2D(4, (3, 1), padding="same", activation="relu", name="side")(first)
    x = layers.Concatenate(name="join")([x, side])
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(16, 3, activation="tanh", name="last")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="scores")(x), name="functional")


def sequential(keras: Keras) -> Model:
    """Flatten, whose order of units depends on the layout, and dropout, which does nothing."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16, 16, 3), name="image"),
            layers.Conv2D(6, 3, activation="relu", name="conv1"),
            layers.AveragePooling2D(2, name="pool"),
            layers.ZeroPadding2D(1, name="pad"),
            layers.Conv2D(8, 3, name="conv2"),
            layers.BatchNormalization(name="norm"),
            layers.LeakyReLU(name="leaky"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.5, name="dropout"),
            layers.Dense(4, activation="softmax", name="scores"),
        ],
        name="sequential",
    )


def nested(keras: Keras) -> Model:
    """A model within a model."""
    layers = keras.layers
    image = keras.Input((24, 24, 3), name="image")
    x = _backbone(keras)(image)
    x = layers.Conv2D(6, 1, activation="relu", name="head")(x)
    x = layers.GlobalMaxPooling2D(name="most")(x)
    return keras.Model(image, layers.Dense(3, name="scores")(x), name="nested")


def shared(keras: Keras) -> Model:
    """A model that is called twice: each of its layers has two values."""
    left, right = keras.Input((24, 24, 3), name="left"), keras.Input((24, 24, 3), name="right")
    backbone = _backbone(keras)
    x = keras.layers.Concatenate(name="both")([backbone(left), backbone(right)])
    return keras.Model([left, right], keras.layers.Conv2D(2, 1, name="maps")(x), name="shared")


def multi(keras: Keras) -> Model:
    """Two inputs and two outputs, in lists."""
    inputs, outputs = _two_of_each(keras)
    return keras.Model(inputs, outputs, name="multi")


def multi_dict(keras: Keras) -> Model:
    """Two inputs and two outputs, in dictionaries."""
    inputs, outputs = _two_of_each(keras)
    named = dict(zip(("numbers", "image"), reversed(inputs), strict=True))
    return keras.Model(named, dict(zip(("scores", "maps"), outputs, strict=True)), name="multi_dict")


def mobilenet_v2(keras: Keras) -> Model:
    """MobileNetV2 of keras.applications, the narrowest, at 96x96."""
    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None)


def subclassed(keras: Keras) -> Model:
    """A model whose calls only its own Python code knows."""

    class Subclassed(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(name="subclassed")
            self.conv = keras.layers.Conv2D(4, 3, activation="relu", name="conv")
            self.scores = keras.layers.Dense(3, name="scores")

        def call(self, image: Any) -> dict[str, Any]:
            maps = self.conv(image)
            return {"maps": maps, "scores": self.scores(tf.reduce_mean(maps, (1, 2)))}

    model = Subclassed()
    model(np.zeros((1, 16, 16, 3), np.float32))
    return model


def built(make: Callable[[Keras], Model], keras: Keras) -> Model:
    """Return a net with seeded weights, its batch norms with the statistics of one random batch, layer by layer."""
    keras.utils.set_random_seed(7)
    model = make(keras)
    norms = [layer for layer in _flat(model) if type(layer).__name__ == "BatchNormalization"]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # one call in training then sets the moving statistics to the batch's
    model(inputs_of(model, 4), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


def inputs_of(model: Model, batch: int = 2) -> Any:
    """Return seeded random inputs in 0..1 in the structure that the model takes."""
    generator = np.random.default_rng(11)
    tensors = getattr(model, "_inputs_struct", None)
    if tensors is None:
        tensors = getattr(model, "inputs", None) or tf.TensorSpec((None, 16, 16, 3), tf.float32, "image")
        tensors = tensors[0] if isinstance(tensors, list) and len(tensors) == 1 else tensors
    return tf.nest.map_structure(
        lambda tensor: generator.uniform(0, 1, (batch, *tensor.shape[1:])).astype(np.float32), tensors
    )


@contextmanager
def recorded(keras: Keras) -> Iterator[dict[str, tuple[str, np.ndarray]]]:
    """Fill a dictionary with the class and value of every layer that is called: by its path, the nth call as `@n`."""
    values: dict[str, tuple[str, np.ndarray]] = {}
    within: list[str] = []
    original = keras.layers.Layer.__call__

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        within.append(self.name)
        try:
            result = original(self, *arguments, **named)
        finally:
            path = "/".join(within[1:])
            within.pop()
        if path and isinstance(result, tf.Tensor):
            calls = sum(name.partition("@")[0] == path for name in values)
            values[f"{path}@{calls + 1}" if calls else path] = type(self).__name__, result.numpy()
        return result

    keras.layers.Layer.__call__ = call
    try:
        yield values
    finally:
        keras.layers.Layer.__call__ = original


def _backbone(keras: Keras) -> Model:
    layers = keras.layers
    image = keras.Input((24, 24, 3), name="pixels")
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Activation("relu", name="relu")(x)
    return keras.Model(image, layers.MaxPooling2D(2, name="pool")(x), name="backbone")


def _two_of_each(keras: Keras) -> tuple[list[Any], list[Any]]:
    layers = keras.layers
    image, numbers = keras.Input((16, 16, 3), name="image"), keras.Input((5,), name="numbers")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="down")(image)
    offsets = layers.Reshape((1, 1, 8), name="offsets")(layers.Dense(8, name="dense")(numbers))
    x = layers.Add(name="shift")([x, offsets])
    scores = layers.Dense(4, activation="softmax", name="scores")(layers.GlobalAveragePooling2D(name="mean")(x))
    maps = layers.Conv2DTranspose(2, 3, strides=2, padding="same", activation="sigmoid", name="maps")(x)
    return [image, numbers], [scores, maps]


def _flat(model: Model) -> Iterator[Any]:
    for layer in getattr(model, "layers", []):
        yield layer
        yield from _flat(layer)
