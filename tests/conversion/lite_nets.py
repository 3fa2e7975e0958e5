"""TensorFlow Lite models of one Keras net: float, half precision, weights quantised, all quantised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

Keras = Any
Model = Any
PRECISIONS = ("float", "float16", "dynamic", "int8")


def lite_net(keras: Keras) -> Model:
    """Convolutions with more than 1024 weights: fewer are left as they are when weights are quantised."""
    layers = keras.layers
    image = keras.Input((24, 24, 3), name="image", batch_size=1)
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="conv1")(image)
    x = layers.BatchNormalization(name="norm1")(x)
    x = layers.ReLU(name="relu1")(x)
    x = layers.Conv2D(48, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(image, layers.Dense(64, activation="softmax", name="scores")(x), name="lite")


def lite_model(model: Model, precision: str) -> bytes:
    """Return a model as .tflite in one of `PRECISIONS`."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if precision != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = _pictures
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def lite_values(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return inputs, outputs and every operator's values as the interpreter computes them, made real numbers."""
    # The default delegate would keep values to itself.
    resolver = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(
        model_content=content, experimental_preserve_all_tensors=True, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    picture = next(_pictures())[0]
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], _quantised(picture, detail))
    interpreter.invoke()
    operators = [operator for operator in interpreter._get_ops_details() if operator["op_name"] != "DEQUANTIZE"]
    made = {index for operator in operators for index in operator["outputs"]}
    layers = {
        detail["name"]: _real(interpreter.get_tensor(detail["index"]), detail)
        for detail in interpreter.get_tensor_details()
        if detail["index"] in made and detail["name"]
    }
    inputs, outputs = (
        {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in details}
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    return inputs, outputs, layers


def _pictures() -> Iterator[list[np.ndarray]]:
    generator = np.random.default_rng(11)
    for _ in range(16):
        yield [generator.uniform(0, 1, (1, 24, 24, 3)).astype(np.float32)]


def _quantised(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    return (np.rint(values / scale) + zero).clip(-128, 127).astype(np.int8) if scale else values


def _real(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    return ((values.astype(np.float32) - zero) * scale).astype(np.float32) if scale else values
