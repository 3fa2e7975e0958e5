"""Makes small TensorFlow and Keras sources of every kind; run by the Python that has TensorFlow.

python make_sources.py FOLDER
"""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def small(keras: Any, name: str = "small") -> Any:
    """A Functional model with a bias, a batch norm, a depthwise convolution, a join, an add and a softmax."""
    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    c1 = layers.Conv2D(8, 3, padding="same", name="c1", use_bias=False)(image)
    b1 = layers.BatchNormalization(name="bn1")(c1)
    r1 = layers.ReLU(name="r1")(b1)
    c2a = layers.Conv2D(8, 1, activation="relu", name="c2a")(r1)
    c2b = layers.DepthwiseConv2D(3, padding="same", name="c2b")(r1)
    join = layers.Concatenate(name="join")([c2a, c2b])
    pool = layers.MaxPooling2D(name="pool")(join)
    c3 = layers.Conv2D(16, 3, padding="same", name="c3_1")(pool)
    plus = layers.Add(name="plus")([c3, pool])
    flat = layers.Flatten(name="flat")(plus)
    return keras.Model(image, layers.Dense(5, activation="softmax", name="scores")(flat), name=name)


def sequential(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12, 12, 1), name="grey"),
            layers.Conv2D(4, 3, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("relu", name="live"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(3, name="out"),
        ],
        name="row",
    )


def several(keras: Any) -> Any:
    """A nested model, called twice, with two inputs and two outputs."""
    layers = keras.layers
    inner_in = keras.Input((8, 8, 3), name="patch")
    inner = keras.Model(inner_in, layers.Conv2D(4, 3, padding="same", name="conv")(inner_in), name="backbone")
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    both = layers.Add(name="both")([inner(left), inner(right)])
    mean = layers.GlobalAveragePooling2D(name="mean")(both)
    return keras.Model([left, right], [layers.Dense(2, name="pair")(mean), both], name="several")


def lively(model: Any, seed: int = 1) -> Any:
    """Give a model seeded weights, and its norms statistics that are not 0 and 1."""
    generator = np.random.default_rng(seed)
    weights = []
    for variable in model.weights:
        shape = tuple(variable.shape)
        positive = "variance" in (getattr(variable, "path", "") or variable.name) or "gamma" in (
            getattr(variable, "path", "") or variable.name
        )
        fan = max(1, int(np.prod(shape[:-1]))) if len(shape) > 1 else 1
        value = generator.uniform(0.5, 1.5, shape) if positive else generator.normal(0, 1 / fan**0.5, shape)
        weights.append(value.astype("float32"))
    model.set_weights(weights)
    return model


class Net(tf.Module):  # type: ignore[misc]
    """A TensorFlow 2 module without Keras, with a dict of outputs and two signatures."""

    def __init__(self) -> None:
        super().__init__(name="Net")
        generator = np.random.default_rng(2)
        self.w = tf.Variable(generator.normal(0, 0.3, (3, 3, 3, 6)).astype("f"), name="w")
        self.d = tf.Variable(generator.normal(0, 0.3, (6, 4)).astype("f"), name="d")

    @tf.function(input_signature=[tf.TensorSpec((None, 10, 10, 3), tf.float32, name="picture")])  # type: ignore[misc]
    def both(self, picture: Any) -> Any:
        with tf.name_scope("stem"):
            maps = tf.nn.relu(tf.nn.conv2d(picture, self.w, 2, "SAME", name="conv"), name="relu")
        return {"scores": tf.matmul(tf.reduce_mean(maps, [1, 2]), self.d), "maps": maps}

    @tf.function(input_signature=[tf.TensorSpec((None, 10, 10, 3), tf.float32, name="picture")])  # type: ignore[misc]
    def first(self, picture: Any) -> Any:
        return {"maps": tf.nn.relu(tf.nn.conv2d(picture, self.w, 2, "SAME"))}


def tf1_graph() -> Any:
    """Slim-like scopes with fused batch norms, as TensorFlow 1 wrote them."""
    generator = np.random.default_rng(3)

    def conv(x: Any, count: int, size: int, stride: int, scope: str) -> Any:
        with v1.variable_scope(scope):
            weights = generator.normal(
                0, (2 / (size * size * int(x.shape[-1]))) ** 0.5, (size, size, int(x.shape[-1]), count)
            )
            w = v1.get_variable("weights", initializer=weights.astype("f"))
            y = v1.nn.conv2d(x, w, [1, stride, stride, 1], "SAME", name="Conv2D")
            with v1.variable_scope("BatchNorm"):
                parts = [
                    v1.get_variable(name, initializer=generator.uniform(0.5, 1.5, count).astype("f"))
                    for name in ("gamma", "beta", "moving_mean", "moving_variance")
                ]
                y = v1.nn.fused_batch_norm(y, *parts, is_training=False, epsilon=1e-3, name="FusedBatchNormV3")[0]
            return tf.nn.relu(y, name="Relu")

    image = v1.placeholder(tf.float32, (None, 16, 16, 3), name="image")
    with v1.variable_scope("Net"):
        x = conv(image, 8, 3, 2, "Conv2d_1a_3x3")
        with v1.variable_scope("Mixed_2a"):
            with v1.variable_scope("Branch_0"):
                a = conv(x, 4, 1, 1, "Conv2d_0a_1x1")
            with v1.variable_scope("Branch_1"):
                b = v1.nn.max_pool(x, [1, 3, 3, 1], [1, 1, 1, 1], "SAME", name="MaxPool_0a_3x3")
            x = tf.concat([a, b], 3, name="concat")
        mean = tf.reduce_mean(x, [1, 2], name="mean")
        head = v1.get_variable("head", initializer=generator.normal(0, 0.3, (12, 5)).astype("f"))
        logits = tf.matmul(mean, head, name="logits")
        return image, tf.nn.softmax(logits, name="Predictions")


def tf1_sources(folder: str) -> None:
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        image, predictions = tf1_graph()
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, os.path.join(folder, "checkpoint", "net.ckpt"))
        v1.saved_model.simple_save(
            session, os.path.join(folder, "tf1_saved"), {"image": image}, {"scores": predictions}
        )
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["Net/Predictions"])
    with open(os.path.join(folder, "frozen.pb"), "wb") as file:
        file.write(frozen.SerializeToString())


def lite_sources(folder: str, model: Any) -> None:
    def samples() -> Any:
        generator = np.random.default_rng(4)
        for _ in range(8):
            yield [generator.uniform(0, 1, (1, 16, 16, 3)).astype("f")]

    kinds = {"float": [], "fp16": [tf.float16], "dynamic": None, "int8": [tf.int8]}
    for name, types in kinds.items():
        converter = tf.lite.TFLiteConverter.from_saved_model(model)
        if name != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if name == "fp16":
            converter.target_spec.supported_types = types
        if name == "int8":
            converter.representative_dataset = samples
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        with open(os.path.join(folder, f"{name}.tflite"), "wb") as file:
            file.write(converter.convert())


def keras3_sources(folder: str) -> None:
    import keras

    for name, model in {"small": small(keras), "row": sequential(keras), "several": several(keras)}.items():
        lively(model)
        model.save(os.path.join(folder, f"{name}.keras"))
        model.save(os.path.join(folder, f"{name}.h5"))
        model.export(os.path.join(folder, f"{name}_export"), verbose=False)


def keras2_sources(folder: str) -> None:
    try:
        import tf_keras as keras
    except ImportError:
        keras = tf.keras
    model = lively(small(keras, "small2"))
    model.save(os.path.join(folder, "small2.h5"))
    model.save(os.path.join(folder, "small2.keras"))
    model.save(os.path.join(folder, "small2_saved"), save_format="tf")
    row = lively(sequential(keras))
    row.save(os.path.join(folder, "row2.h5"))


def main(folder: str) -> None:
    os.makedirs(os.path.join(folder, "checkpoint"), exist_ok=True)
    if tf.keras.__version__.startswith("3"):
        keras3_sources(folder)
    keras2_sources(folder)
    net = Net()
    tf.saved_model.save(net, os.path.join(folder, "module"), signatures={"both": net.both, "first": net.first})
    tf1_sources(folder)
    lite_sources(
        folder, os.path.join(folder, "small_export" if tf.keras.__version__.startswith("3") else "small2_saved")
    )


if __name__ == "__main__":
    main(sys.argv[1])
