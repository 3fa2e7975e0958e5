"""Small nets in TensorFlow's own terms: a graph of TensorFlow 1, and a module of TensorFlow 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
LAYERS = (
    "Conv2D DepthwiseConv2dNative BiasAdd FusedBatchNormV3 Relu ConcatV2 MaxPool AvgPool AddV2 MatMul Softmax".split()
)
Values = dict[str, np.ndarray]


def slim_graph(session: v1.Session) -> None:
    """Build `image:0` (N, 20, 20, 3) to `scores:0` (N, 5) in the session's graph, in scopes, and set its variables."""
    image = v1.placeholder(tf.float32, (None, 20, 20, 3), "image")
    with v1.variable_scope("Net"):
        x = _conv(image, "Conv2d_1a_3x3", 8, 3, 2)
        with v1.variable_scope("Mixed_2a"):
            with v1.variable_scope("Branch_0"):
                first = tf.nn.max_pool2d(x, 3, 1, "SAME", name="MaxPool_0a_3x3")
            with v1.variable_scope("Branch_1"):
                second = _conv(x, "Conv2d_0a_1x1", 6, 1, 1)
            x = tf.concat([first, second], 3, name="concat")
        with v1.variable_scope("Biased"):
            x = v1.nn.conv2d(x, _variable("weights", (3, 3, 14, 4)), (1, 1, 1, 1), "VALID", name="Conv2D")
            x = tf.nn.relu(tf.nn.bias_add(x, _variable("biases", (4,)), name="BiasAdd"), name="Relu")
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID", name="AvgPool")
        x = tf.reshape(x, (-1, 64), name="Flat")
        x = tf.matmul(x, _variable("Logits", (64, 5), use_resource=True), name="MatMul")
    tf.nn.softmax(x, name="scores")
    generator = np.random.default_rng(3)
    for variable in v1.global_variables():
        shape = variable.shape.as_list()
        spread = generator.uniform(0.5, 1.5, shape) if len(shape) == 1 else generator.normal(0, 0.3, shape)
        variable.load(spread.astype(np.float32), session)


def graph_values(graph: v1.GraphDef, feed: Values) -> Values:
    """Return what `Session.run` gives for every node that is a layer."""
    names = [f"{node.name}:0" for node in graph.node if node.op in LAYERS]
    with tf.Graph().as_default():
        tf.import_graph_def(graph, name="")
        with v1.Session() as session:
            return dict(zip(names, session.run(names, feed), strict=True))


class Module(tf.Module):
    """A net without Keras, whose function returns a dictionary."""

    def __init__(self) -> None:
        generator = np.random.default_rng(5)
        super().__init__(name="module")
        shapes = {"stem": (3, 3, 3, 6), "depthwise": (3, 3, 6, 1), "logits": (6, 4)}
        self.weights = {name: tf.Variable(generator.normal(0, 0.4, s).astype(np.float32)) for name, s in shapes.items()}

    @tf.function(input_signature=[tf.TensorSpec((None, 18, 18, 3), tf.float32, "image")])
    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        values = self.values(image)
        return {"scores": values["head/scores"], "maps": values["body/sum"]}

    def values(self, image: tf.Tensor) -> dict[str, Any]:
        """Return every layer's value by its name in the graph."""
        values = {}
        with tf.name_scope("stem"):
            values["stem/conv"] = x = tf.nn.conv2d(image, self.weights["stem"], 2, "SAME", name="conv")
            values["stem/relu"] = stem = tf.nn.relu(x, name="relu")
        with tf.name_scope("body"):
            x = tf.nn.depthwise_conv2d(stem, self.weights["depthwise"], (1, 1, 1, 1), "SAME", name="depthwise")
            values["body/depthwise"] = x
            values["body/sum"] = x = tf.add(x, stem, name="sum")
        with tf.name_scope("head"):
            x = tf.reduce_mean(x, (1, 2), name="mean")
            values["head/logits"] = x = tf.matmul(x, self.weights["logits"], name="logits")
            values["head/scores"] = tf.nn.softmax(x, name="scores")
        return values


def graph_of_two_ends() -> v1.GraphDef:
    """Return a graph with two inputs and two outputs that nothing names."""
    with tf.Graph().as_default() as graph:
        left, right = (v1.placeholder(tf.float32, (None, 8, 8, 2), name) for name in ("left", "right"))
        both = tf.add(left, 2 * right, name="both")
        weights = np.random.default_rng(1).normal(0, 1, (3, 3, 2, 3)).astype(np.float32)
        tf.nn.relu(tf.nn.conv2d(both, weights, 1, "SAME", name="conv"), name="first")
        tf.nn.max_pool2d(both, 2, 2, "VALID", name="second")
        return graph.as_graph_def()


def graph_of_noise() -> v1.GraphDef:
    """Return a graph with two outputs, `plain` and `noisy`, of which the second is another one in each run."""
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, (None, 8, 8, 2), "image")
        weights = np.random.default_rng(1).normal(0, 1, (3, 3, 2, 3)).astype(np.float32)
        x = tf.nn.conv2d(image, weights, 1, "SAME", name="conv")
        tf.nn.relu(x, name="plain")
        tf.add(x, tf.random.uniform((8, 8, 3)), name="noisy")
        return graph.as_graph_def()


def graph_of_unknown_operator() -> v1.GraphDef:
    """Return a graph with a singular value decomposition, which ONNX lacks, in the scope `Decompose`."""
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, (2, 6, 6), "image")
        with tf.name_scope("Decompose"):
            singular = tf.linalg.svd(image, compute_uv=False, name="Svd")
        tf.identity(singular, name="scores")
        return graph.as_graph_def()


def save_checkpoint(session: v1.Session, folder: Path) -> None:
    """Save as `model.ckpt.meta` and its weights."""
    folder.mkdir()
    v1.train.Saver(v1.global_variables()).save(session, str(folder / "model.ckpt"))


def save_training(session: v1.Session, folder: Path) -> None:
    """Save a checkpoint with what only training needs in its graph: records from a file, a loss, a step."""
    with session.graph.as_default():
        records = v1.data.make_one_shot_iterator(tf.data.TFRecordDataset("train.records").repeat()).get_next()
        loss = tf.reduce_mean(session.graph.get_tensor_by_name("scores:0")) + tf.strings.to_number(records)
        v1.summary.scalar("loss", loss)
        v1.train.GradientDescentOptimizer(0.1).minimize(loss)
    save_checkpoint(session, folder)


def save_for_serving(session: v1.Session, folder: Path) -> None:
    """Save as TensorFlow 1 did, with the signature `serving_default`."""
    graph = session.graph
    inputs, outputs = {"image": graph.get_tensor_by_name("image:0")}, {"scores": graph.get_tensor_by_name("scores:0")}
    v1.saved_model.simple_save(session, str(folder), inputs, outputs)


def _conv(x: tf.Tensor, scope: str, channels: int, size: int, stride: int) -> tf.Tensor:
    with v1.variable_scope(scope):
        weights = _variable("weights", (size, size, x.shape[-1], channels))
        x = v1.nn.conv2d(x, weights, (1, stride, stride, 1), "SAME", name="Conv2D")
        with v1.variable_scope("BatchNorm"):
            scale, offset, mean, variance = (
                _variable(name, (channels,)) for name in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            x, *_ = v1.nn.fused_batch_norm(x, scale, offset, mean, variance, 1e-3, is_training=False)
        return tf.nn.relu(x, name="Relu")


def _variable(name: str, shape: tuple[int, ...], use_resource: bool = False) -> Any:
    """Return a variable of either kind that TensorFlow 1 has: old programs make the one, later ones resources."""
    return v1.get_variable(name, shape, initializer=v1.zeros_initializer(), use_resource=use_resource)
