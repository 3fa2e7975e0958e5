"""Builds Keras nets whose axes no convolution fixes, and a TensorFlow Lite net without one.

    python axes_nets.py OUT        run by a Python that has TensorFlow

`OUT/axes.json` says of each net how many channels each of its layers has, as Keras tells.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")

import tensorflow as tf

keras = tf.keras
layers = keras.layers


def convnext() -> Any:
    """A block of ConvNeXt, whose pointwise layers are Dense, with group and response norms."""
    image = keras.Input((32, 48, 3), name="image")
    x = layers.Conv2D(12, 4, strides=4, name="stem")(image)
    y = layers.DepthwiseConv2D(7, padding="same", name="depthwise")(x)
    y = layers.LayerNormalization(name="norm")(y)
    y = layers.Dense(20, activation="gelu", name="widen")(y)
    y = layers.Dense(12, name="narrow")(y)
    x = layers.Add(name="sum")([x, y])
    return keras.Model(image, layers.GroupNormalization(4, name="groups")(x), name="convnext")


def transformer() -> Any:
    """Two blocks over the 9 x 16 patches of a picture, with the norm before and behind."""
    image = keras.Input((36, 64, 3), name="image")
    x = layers.Conv2D(24, 4, strides=4, name="patches")(image)
    x = layers.Reshape((144, 24), name="tokens")(x)
    for block in ("one", "two"):
        y = layers.LayerNormalization(name=f"{block}_norm")(x)
        y = layers.MultiHeadAttention(3, 8, name=f"{block}_attention")(y, y)
        x = layers.Add(name=f"{block}_sum")([x, y])
        y = layers.Dense(40, activation="gelu", name=f"{block}_widen")(
            layers.LayerNormalization(name=f"{block}_post")(x)
        )
        x = layers.Add(name=f"{block}_end")([x, layers.Dense(24, name=f"{block}_narrow")(y)])
    return keras.Model(image, x, name="transformer")


def recurrent() -> Any:
    """Words through recurrent layers in both directions."""
    words = keras.Input((20,), dtype="int32", name="words")
    x = layers.Embedding(50, 24, name="embedded")(words)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Bidirectional(layers.LSTM(7, return_sequences=True), name="both")(x)
    x = layers.GRU(9, return_sequences=True, name="gru")(x)
    x = layers.Conv1D(11, 3, name="conv")(x)
    x = layers.Dense(13, use_bias=False, name="plain")(x)
    return keras.Model(words, layers.Dense(5, activation="relu", name="dense")(x), name="recurrent")


def main(out: Path) -> None:
    """Save the nets and what Keras says of their layers."""
    channels = {}
    for make in (convnext, transformer, recurrent):
        model = make()
        model.save(out / f"{model.name}.keras")
        shapes = {layer.name: layer.output.shape for layer in model.layers if not isinstance(layer, layers.InputLayer)}
        channels[model.name] = {name: shape[-1] for name, shape in shapes.items()}
    image = keras.Input((6, 8, 3), batch_size=1, name="image")
    lite = keras.Model(image, layers.Softmax(name="shares")(image))
    (out / "lite.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(lite).convert())
    (out / "axes.json").write_text(json.dumps(channels), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
