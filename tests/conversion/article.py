"""What TensorFlow computes on the article's matrix, without any of onnxviz.

    python article.py GRAPH.pb MATRIX.csv OUT.npz

Stores the picture `input` (1, 299, 299, 3) and every layer's value up to Mixed_5e under its tensor's name.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
LAYERS = ("Conv2D", "FusedBatchNormV3", "Relu", "ConcatV2", "MaxPool", "AvgPool")
UP_TO_5E = re.compile("InceptionV4/(Conv2d_|Mixed_[345])")


def main(graph_file: str, matrix_file: str, target: str) -> None:
    matrix = np.loadtxt(matrix_file, delimiter=",")
    logarithms = np.log10(1 + matrix / np.median(matrix[matrix > 0]))
    grey = (logarithms - logarithms.min()) / (logarithms.max() - logarithms.min()) * 2 - 1
    graph = v1.GraphDef()
    graph.ParseFromString(Path(graph_file).read_bytes())
    names = [f"{node.name}:0" for node in graph.node if node.op in LAYERS and UP_TO_5E.match(node.name)]
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph, name="")
        picture = tf.repeat(tf.image.resize(tf.constant(grey[None, :, :, None], tf.float32), (299, 299)), 3, 3)
        fed = session.run(picture)
        values = session.run(names, {"input:0": fed})
    np.savez(target, input=fed, **dict(zip(names, values, strict=True)))


if __name__ == "__main__":
    main(*sys.argv[1:])
