"""The three pictures as they had to be made before: TensorFlow, sums by hand and a loop over matplotlib's axes.

    python before.py GRAPH.pb MATRIX.csv DIR

Kept to compare with one `onnxviz view`, not to follow: what it needs to know of the net and of each picture stands in
global variables, each map is drawn at whatever size its axes happen to have, and the gaps are wrong: maps are square,
the axes that a window of one size leaves them are not.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

graph_file, matrix_file, folder = sys.argv[1:]
v1 = tf.compat.v1

# What had to be looked up in the graph, one entry a picture.
tensor_names = [
    "InceptionV4/Conv2d_1a_3x3/Relu:0",
    "InceptionV4/Mixed_3a/concat:0",
    "InceptionV4/Mixed_5e/concat:0",
]
heights = [149, 73, 35]
widths = [149, 73, 35]
counts = [32, 160, 384]
rows = [4, 10, 16]
columns = [8, 16, 24]

matrix = np.loadtxt(matrix_file, delimiter=",")
matrix = np.log10(1 + matrix / np.median(matrix[matrix > 0]))
matrix = (matrix - matrix.min()) / (matrix.max() - matrix.min()) * 2 - 1

graph_def = v1.GraphDef()
with open(graph_file, "rb") as file:  # noqa: PTH123 - as it was written
    graph_def.ParseFromString(file.read())
with tf.Graph().as_default():
    tf.import_graph_def(graph_def, name="")
    small = tf.constant(matrix[:, :, np.newaxis], tf.float32)
    with v1.Session() as session:
        picture = session.run(tf.image.resize(small, (299, 299)))
        image = np.zeros((1, 299, 299, 3), np.float32)
        for channel in range(3):
            image[0, :, :, channel] = picture[:, :, 0]
        activations = session.run(tensor_names, {"input:0": image})

os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - as it was written
for number in range(3):
    maps = np.transpose(activations[number][0], (2, 0, 1)).reshape(counts[number], heights[number] * widths[number])
    figure = plt.figure(figsize=(16, 12))
    for row in range(rows[number]):
        for column in range(columns[number]):
            index = row * columns[number] + column
            axes = figure.add_subplot(rows[number], columns[number], index + 1)
            axes.imshow(maps[index].reshape(heights[number], widths[number]), cmap="viridis")
            axes.set_xticks([])
            axes.set_yticks([])
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.99, wspace=0.1, hspace=0.1)
    figure.savefig(f"{folder}/{number}.png")
    plt.close(figure)
