"""Inception-v4 as a frozen TensorFlow 1 graph in TF-Slim's scopes.

    python slim.py OUT.pb

Its input is `input:0` (N, 299, 299, 3) in -1..1, its output `InceptionV4/Logits/Predictions:0` (N, 1001).
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from architecture import CLASSES, EPSILON, SIZE, Kernel, inception_v4
from weights import Weights, weights

v1 = tf.compat.v1
OUTPUT = "InceptionV4/Logits/Predictions"


def frozen_graph(values: Weights) -> v1.GraphDef:
    """Return the net as a graph whose variables have become constants, as TF-Slim's users freeze a checkpoint."""
    with tf.Graph().as_default() as graph:
        inception_v4(v1.placeholder(tf.float32, (None, SIZE, SIZE, 3), "input"), _Slim())
        with v1.Session() as session:
            for variable in v1.global_variables():
                variable.load(values[variable.op.name], session)
            return v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), [OUTPUT])


class _Slim:
    """The operations of TensorFlow 1, named as TF-Slim names them."""

    def scope(self, name: str) -> AbstractContextManager[object]:
        return v1.variable_scope(name)

    def conv(
        self, x: tf.Tensor, scope: str, channels: int, kernel: Kernel, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        with v1.variable_scope(scope):
            filters = _variable("weights", (*kernel, x.shape[-1], channels))
            x = v1.nn.conv2d(x, filters, (1, stride, stride, 1), padding, name="Conv2D")
            with v1.variable_scope("BatchNorm"):
                beta, mean, variance = (
                    _variable(name, (channels,)) for name in ("beta", "moving_mean", "moving_variance")
                )
                scale = tf.ones((channels,), name="Const")
                x, *_ = v1.nn.fused_batch_norm(
                    x, scale, beta, mean, variance, EPSILON, is_training=False, name="FusedBatchNormV3"
                )
            return tf.nn.relu(x, name="Relu")

    def max_pool(self, x: tf.Tensor, scope: str) -> tf.Tensor:
        return tf.nn.max_pool2d(x, 3, 2, "VALID", name=scope)

    def average_pool(self, x: tf.Tensor, scope: str) -> tf.Tensor:
        return tf.nn.avg_pool2d(x, 3, 1, "SAME", name=scope)

    def concat(self, parts: list[tf.Tensor]) -> tf.Tensor:
        return tf.concat(parts, 3, name="concat")

    def classify(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.reduce_mean(x, (1, 2), name="AvgPool_1a")
        with v1.variable_scope("Logits"):
            x = v1.nn.xw_plus_b(
                x, _variable("weights", (x.shape[-1], CLASSES)), _variable("biases", (CLASSES,)), "logits"
            )
        return tf.nn.softmax(x, name="Predictions")


def _variable(name: str, shape: tuple[int, ...]) -> tf.Variable:
    return v1.get_variable(name, shape, initializer=v1.zeros_initializer(), use_resource=False)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.write_bytes(frozen_graph(weights(out)).SerializeToString())
