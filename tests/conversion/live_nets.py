"""Converts a model that lives in this program, as an author would, and stores what it computes.

python live_nets.py NAME OUT      run by a Python that has TensorFlow, and numpy, onnx and Pillow for onnxviz
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras_nets
import numpy as np
import tensorflow as tf

import onnxviz
from onnxviz.conversion.convert_options import ConvertOptions


def with_lambda(keras: Any) -> Any:
    scale = 3.0
    image = keras.Input((12, 12, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    x = keras.layers.Lambda(lambda x: tf.cast(x, tf.float32) * scale, output_shape=lambda shape: shape, name="own")(x)
    return keras.Model(image, keras.layers.ReLU(name="relu")(x), name="with_lambda")


def with_wrapped(keras: Any) -> Any:
    """A layer of the caller's inside of one of Keras."""

    class Own(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x * 2.0

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    image = keras.Input((12, 12, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    return keras.Model(image, keras.layers.TimeDistributed(Own(name="own"), name="wrapped")(x), name="with_wrapped")


def with_function(keras: Any) -> Any:
    """A function of the caller's as an activation."""

    def own(x: Any) -> Any:
        return tf.nn.relu(x) + 0.5

    image = keras.Input((12, 12, 3), name="image")
    return keras.Model(image, keras.layers.Conv2D(4, 3, activation=own, name="conv")(image), name="with_function")


def main(name: str, out: str) -> None:
    nets = {
        "functional": keras_nets.functional,
        "subclassed": keras_nets.subclassed,
        "lambda": with_lambda,
        "wrapped": with_wrapped,
        "function": with_function,
    }
    model = nets[name](tf.keras)
    image = np.random.default_rng(3).uniform(
        0, 1, (2, 16, 16, 3) if name == "subclassed" else (2, *model.input_shape[1:])
    )
    result = model(image.astype(np.float32))
    output = next(iter(result.values())) if isinstance(result, dict) else result
    np.savez(Path(out) / "values.npz", image=image.astype(np.float32), output=np.asarray(output))
    # Compared by who called, who has onnxruntime.
    onnxviz.convert(model, Path(out) / "live.onnx", ConvertOptions(verify=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
