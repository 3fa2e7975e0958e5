"""Builds sources that are hard to convert: ends in an order, few digits, states, odd files of TensorFlow Lite.

    python hard_nets.py OUT [NAME ...]        run by a Python that has TensorFlow 2.16 or later

Beside each source lies what TensorFlow computes for it, `NAME.npz` with `input/NAME` and `output/NAME`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tensorflow.lite.python import schema_py_generated as schema

RANDOM = np.random.default_rng(4)
IMAGE = RANDOM.uniform(0, 1, (2, 16, 16, 3)).astype(np.float32)
NUMBERS = RANDOM.uniform(0, 1, (2, 5)).astype(np.float32)
Arrays = dict[str, np.ndarray]


def store(out: Path, name: str, inputs: Arrays, outputs: Arrays) -> None:
    np.savez(
        out / f"{name}.npz",
        **{f"input/{k}": v for k, v in inputs.items()},
        **{f"output/{k}": v for k, v in outputs.items()},
    )


# Ends in the order of their author: none of these is the order of the alphabet.


def ends() -> tuple[Any, Any, Any, Any]:
    image, numbers = keras.Input((16, 16, 3), name="zebra"), keras.Input((5,), name="apple")
    who = layers.Dense(3, name="who")(layers.GlobalAveragePooling2D(name="mean")(image))
    return image, numbers, who, layers.Dense(2, name="where")(numbers)


def ends_list(out: Path) -> None:
    image, numbers, who, where = ends()
    keep_model(out, keras.Model([image, numbers], [who, where]), "ends_list", ["who", "where"])


def ends_dict(out: Path) -> None:
    image, numbers, who, where = ends()
    keep_model(
        out, keras.Model({"zebra": image, "apple": numbers}, {"to": who, "at": where}), "ends_dict", ["to", "at"]
    )


def ends_nested(out: Path) -> None:
    image, numbers, who, where = ends()
    model = keras.Model([image, numbers], {"second": [who, who], "first": where, "same": numbers})
    keep_model(out, model, "ends_nested", ["second_0", "second_1", "first", "same"])


def keep_model(out: Path, model: Any, name: str, names: list[str]) -> None:
    model.save(out / f"{name}.keras")
    result = model({"zebra": IMAGE, "apple": NUMBERS} if isinstance(model.input, dict) else [IMAGE, NUMBERS])
    parts = [
        part
        for value in (result.values() if isinstance(result, dict) else result)
        for part in (value if isinstance(value, list) else [value])
    ]
    store(
        out,
        name,
        {"zebra": IMAGE, "apple": NUMBERS},
        {key: np.asarray(part) for key, part in zip(names, parts, strict=True)},
    )


def many(out: Path) -> None:
    class Many(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 5], tf.float32, name="x"),
                tf.TensorSpec([None], tf.float32, name="unread"),
            ]
        )
        def run(self, x: Any, unread: Any) -> Any:
            return {f"output_{place}": x * float(place) for place in range(12)}

    net = Many()
    tf.saved_model.save(net, str(out / "many"), signatures=net.run)
    store(out, "many", {"x": NUMBERS}, {f"output_{place}": NUMBERS * place for place in range(12)})


# Few digits.


def half_net(policy: str) -> Any:
    keras.mixed_precision.set_dtype_policy(policy)
    keras.utils.set_random_seed(1)
    x = image = keras.Input((16, 16, 3), name="image")
    for place in range(4):
        x = layers.Conv2D(16, 3, padding="same", use_bias=False, name=f"conv{place}")(x)
        x = layers.BatchNormalization(name=f"norm{place}")(x)
        x = layers.ReLU(name=f"relu{place}")(x)
    model = keras.Model(
        image, layers.Dense(10, name="scores")(layers.GlobalAveragePooling2D(name="mean")(x)), name="half"
    )
    keras.mixed_precision.set_dtype_policy("float32")
    return model


def half(out: Path) -> None:
    for policy in ("mixed_float16", "float16", "mixed_bfloat16"):
        model = half_net(policy)
        model.save(out / f"{policy}.keras")
        whole = half_net("float32")
        whole.set_weights([np.asarray(weight, np.float32) for weight in model.get_weights()])
        store(out, policy, {"image": IMAGE}, {"scores": np.asarray(whole(IMAGE))})
    half_net("mixed_float16").export(str(out / "half_saved"))


# What is written while the model runs.


def written(out: Path) -> None:
    class Sampling(layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.seed = keras.random.SeedGenerator(3)

        def call(self, ends: Any) -> Any:
            mean, spread = ends
            return mean + keras.ops.exp(spread) * keras.random.normal(keras.ops.shape(mean), seed=self.seed)

    image = keras.Input((16, 16, 3), name="image")
    x = layers.GlobalAveragePooling2D(name="gap")(layers.Conv2D(4, 3, name="conv")(image))
    mean, spread = layers.Dense(2, name="mean")(x), layers.Dense(2, name="spread")(x)
    drawn = Sampling(name="drawn")([mean, spread])
    keras.Model(image, [mean, layers.Dense(3, name="after")(drawn)]).export(str(out / "sampling"))
    steps = keras.Input((6, 4), batch_size=1, name="steps")
    model = keras.Model(steps, layers.LSTM(5, stateful=True, name="lstm")(steps))
    model.save(out / "stateful.keras")
    given = RANDOM.uniform(0, 1, (1, 6, 4)).astype(np.float32)
    store(out, "stateful", {"steps": given}, {"lstm": np.asarray(model(given))})
    image = keras.Input((16, 16, 3), name="image")
    model = keras.Model(image, layers.Conv2D(2, 3, name="conv")(layers.RandomPosterization(4, name="augment")(image)))
    model.save(out / "augmented.keras")
    store(out, "augmented", {"image": IMAGE}, {"conv": np.asarray(model(IMAGE, training=False))})


# TensorFlow Lite.


def lite(out: Path) -> None:
    keras.utils.set_random_seed(2)
    image = keras.Input((24, 24, 3), batch_size=1, name="image")
    x = layers.Conv2D(
        16, 3, strides=2, padding="same", activation="relu6", bias_initializer="random_normal", name="conv1"
    )(image)
    x = layers.Conv2D(24, 3, padding="same", activation="relu", bias_initializer="random_normal", name="conv2")(x)
    model = keras.Model(
        image, layers.Dense(8, activation="softmax", name="scores")(layers.GlobalAveragePooling2D(name="gap")(x))
    )
    plain = bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    eight = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    sixteen = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    files = {
        "plain": plain,
        "u8_u8": quantised(model, eight, tf.uint8, tf.uint8),
        "float_u8": quantised(model, eight, tf.float32, tf.uint8),
        "i8_float": quantised(model, eight, tf.int8, tf.float32),
        "int16": quantised(model, sixteen, tf.int16, tf.int16),
        "by_range": changed(quantised(model, eight, tf.int8, tf.int8), without_activations),
        "nameless": changed(plain, without_names),
        "same_names": changed(plain, with_same_names),
        "sparse": changed(plain, with_sparse_weights),
        "through": changed(plain, with_the_input_as_output),
        "unknown": changed(plain, with_an_unknown_operator),
        "flat": changed(converted(flat_function), without_reshape),
        "free": converted(free_function),
        "state": converted(state_function),
    }
    for name, content in files.items():
        (out / f"{name}.tflite").write_bytes(content)


def quantised(model: Any, operators: Any, given: Any, made: Any) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = pictures
    converter.target_spec.supported_ops = [operators]
    converter.inference_input_type, converter.inference_output_type = given, made
    return bytes(converter.convert())


def pictures() -> Iterator[list[np.ndarray]]:
    for _ in range(8):
        yield [RANDOM.uniform(0, 1, (1, 24, 24, 3)).astype(np.float32)]


def converted(make: Callable[[], Any]) -> bytes:
    module = make()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.run.get_concrete_function()], module)
    converter.experimental_enable_resource_variables = True
    return bytes(converter.convert())


def flat_function() -> Any:
    """A dense layer behind 4 axes."""

    class Flat(tf.Module):
        def __init__(self) -> None:
            self.weight = tf.constant(RANDOM.standard_normal((48, 5)).astype(np.float32))
            self.bias = tf.constant(RANDOM.standard_normal(5).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec([2, 4, 4, 3], tf.float32, name="x")])
        def run(self, x: Any) -> Any:
            return tf.nn.relu(tf.matmul(tf.reshape(x, (2, 48)), self.weight) + self.bias)

    return Flat()


def free_function() -> Any:
    class Free(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="sound")])
        def run(self, sound: Any) -> Any:
            return tf.abs(tf.reshape(sound, (-1, 400))) * 2.0

    return Free()


def state_function() -> Any:
    class State(tf.Module):
        def __init__(self) -> None:
            self.seen = tf.Variable(tf.zeros((1, 4)))

        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, name="x")])
        def run(self, x: Any) -> Any:
            self.seen.assign_add(x)
            return self.seen * 2.0

    return State()


def two_signatures(out: Path) -> None:
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, name="x")])
        def narrow(self, x: Any) -> Any:
            return {"squashed": tf.tanh(x) * 2.0}

        @tf.function(input_signature=[tf.TensorSpec([1, 6], tf.float32, name="y")])
        def wide(self, y: Any) -> Any:
            return {"shifted": tf.sigmoid(y) - 1.0}

    net = Two()
    tf.saved_model.save(net, str(out / "two"), signatures={"narrow": net.narrow, "wide": net.wide})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(out / "two"), signature_keys=["narrow", "wide"])
    (out / "two.tflite").write_bytes(bytes(converter.convert()))


def changed(content: bytes, change: Callable[[Any], None]) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    change(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def without_activations(model: Any) -> None:
    """As older converters wrote it: the quantised range alone cuts off what is below 0."""
    for operator in model.subgraphs[0].operators:
        if hasattr(operator.builtinOptions, "fusedActivationFunction"):
            operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE


def without_reshape(model: Any) -> None:
    """The fully connected operator then flattens its input itself."""
    graph = model.subgraphs[0]
    reshape = next(o for o in graph.operators if _code(model, o) == schema.BuiltinOperator.RESHAPE)
    dense = next(o for o in graph.operators if _code(model, o) == schema.BuiltinOperator.FULLY_CONNECTED)
    dense.inputs = np.array([reshape.inputs[0], *dense.inputs[1:]], np.int32)
    graph.operators.remove(reshape)


def _code(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def without_names(model: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        tensor.name = None


def with_same_names(model: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"tensor"


def with_the_input_as_output(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, graph.inputs[0]]
    for signature in model.signatureDefs or ():
        signature.outputs = []


def with_an_unknown_operator(model: Any) -> None:
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.SOFTMAX:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
            code.customCode = b"OwnSoftmax"


def with_sparse_weights(model: Any) -> None:
    """The weights of the second convolution, every other one 0, as those that are not 0, behind a DENSIFY."""
    graph = model.subgraphs[0]
    operator = next(o for o in graph.operators if list(graph.tensors[o.outputs[0]].shape) == [1, 12, 12, 24])
    weight = graph.tensors[operator.inputs[1]]
    array = np.frombuffer(model.buffers[weight.buffer].data, np.float32).reshape(weight.shape).copy()
    array[..., ::2] = 0
    sparse, buffer, code, densify = schema.TensorT(), schema.BufferT(), schema.OperatorCodeT(), schema.OperatorT()
    sparse.name, sparse.shape, sparse.type, sparse.buffer = b"packed", weight.shape, weight.type, len(model.buffers)
    sparse.sparsity = sparsity(array)
    buffer.data = np.frombuffer(array[array != 0].tobytes(), np.uint8)
    model.buffers.append(buffer)
    weight.buffer = 0
    graph.tensors.append(sparse)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DENSIFY
    model.operatorCodes.append(code)
    densify.opcodeIndex, densify.inputs = len(model.operatorCodes) - 1, np.array([len(graph.tensors) - 1], np.int32)
    densify.outputs = np.array([operator.inputs[1]], np.int32)
    graph.operators.insert(0, densify)


def sparsity(array: np.ndarray) -> Any:
    """The last axis lists its places; the axes before it are whole."""
    found = schema.SparsityParametersT()
    found.traversalOrder = np.arange(array.ndim, dtype=np.int32)
    found.dimMetadata = []
    for size in array.shape[:-1]:
        level = schema.DimensionMetadataT()
        level.format, level.denseSize = schema.DimensionType.DENSE, size
        found.dimMetadata.append(level)
    rows = array.reshape(-1, array.shape[-1]) != 0
    level, segments, indices = schema.DimensionMetadataT(), schema.Int32VectorT(), schema.Int32VectorT()
    segments.values = np.concatenate([[0], np.cumsum(rows.sum(1))]).astype(np.int32)
    indices.values = np.nonzero(rows)[1].astype(np.int32)
    level.format = schema.DimensionType.SPARSE_CSR
    level.arraySegmentsType = level.arrayIndicesType = schema.SparseIndexVector.Int32Vector
    level.arraySegments, level.arrayIndices = segments, indices
    found.dimMetadata.append(level)
    return found


NETS = (ends_list, ends_dict, ends_nested, many, half, written, lite, two_signatures)


def main() -> None:
    out, names = Path(sys.argv[1]), sys.argv[2:]
    out.mkdir(parents=True, exist_ok=True)
    for make in NETS:
        if not names or make.__name__ in names:
            make(out)


if __name__ == "__main__":
    main()
