"""Seeded weights for Inception-v4, calibrated so that its maps look alive.

    python weights.py OUT.npz

Nothing is downloaded and nothing is trained: kernels are random after He et al. (2015), and each batch normalisation
gets the mean and variance that its convolution has on four pictures (the connectome and smooth noise of three
scales), layer by layer from the input on, as training would have left them. With statistics of 0 and 1 instead, the
maps of deep layers would drown in their own offsets.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from architecture import CLASSES, EPSILON, SIZE, Kernel, inception_v4

CONNECTOME = Path(__file__).resolve().parents[2] / "models" / "connectome_aal2_80.csv"
Weights = Mapping[str, np.ndarray]


def weights(beside: Path) -> Weights:
    """Return the net's weights by their TF-Slim names, from a file next to another, made where there is none.

    Both builders read the same file: made twice, the statistics could differ in their last digits.
    """
    path = beside.with_name("inception_v4_weights.npz")
    if not path.exists():
        part = path.with_suffix(".part.npz")
        np.savez(part, **make_weights())
        part.replace(path)
    with np.load(path) as stored:
        return dict(stored)


def make_weights(seed: int = 0) -> Weights:
    """Make the weights: `SCOPE/weights`, `SCOPE/BatchNorm/beta`, `.../moving_mean`, `.../moving_variance`."""
    calibration = _Calibration(seed)
    inception_v4(calibration_pictures(seed), calibration)
    return calibration.made


def calibration_pictures(seed: int) -> tf.Tensor:
    """Return four pictures (4, 299, 299, 3) in -1..1: the connectome, and noise smooth over 64, 16 and 4 pixels."""
    generator = np.random.default_rng(seed)
    matrix = np.loadtxt(CONNECTOME, delimiter=",")
    matrix = np.log10(1 + matrix / np.median(matrix[matrix > 0]))
    pictures = [np.repeat(matrix[..., None] / matrix.max() * 2 - 1, 3, axis=2)]
    pictures += [generator.uniform(-1, 1, (SIZE // pixels + 2, SIZE // pixels + 2, 3)) for pixels in (64, 16, 4)]
    return tf.stack([tf.image.resize(tf.constant(picture, tf.float32), (SIZE, SIZE)) for picture in pictures])


class _Calibration:
    """Operations that make the weights as they come to them, and carry the values on."""

    def __init__(self, seed: int) -> None:
        self.made: dict[str, np.ndarray] = {}
        self._generator = np.random.default_rng(seed)
        self._scopes: list[str] = []

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        self._scopes.append(name)
        yield
        self._scopes.pop()

    def conv(
        self, x: tf.Tensor, scope: str, channels: int, kernel: Kernel, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        fan_in = kernel[0] * kernel[1] * x.shape[-1]
        shape = (*kernel, x.shape[-1], channels)
        values = self._keep(f"{scope}/weights", self._normal(shape, (2 / fan_in) ** 0.5))
        beta = self._keep(f"{scope}/BatchNorm/beta", self._normal((channels,), 0.1) + np.float32(0.1))
        y = tf.nn.conv2d(x, values, stride, padding)
        mean, variance = (moment.numpy() for moment in tf.nn.moments(y, (0, 1, 2)))
        self._keep(f"{scope}/BatchNorm/moving_mean", mean)
        self._keep(f"{scope}/BatchNorm/moving_variance", variance)
        return tf.nn.relu((y - mean) / np.sqrt(variance + EPSILON) + beta)

    def max_pool(self, x: tf.Tensor, scope: str) -> tf.Tensor:
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def average_pool(self, x: tf.Tensor, scope: str) -> tf.Tensor:
        return tf.nn.avg_pool2d(x, 3, 1, "SAME")

    def concat(self, parts: list[tf.Tensor]) -> tf.Tensor:
        return tf.concat(parts, 3)

    def classify(self, x: tf.Tensor) -> tf.Tensor:
        features = tf.reduce_mean(x, (1, 2))
        self._keep("Logits/weights", self._normal((features.shape[-1], CLASSES), features.shape[-1] ** -0.5))
        self._keep("Logits/biases", np.zeros(CLASSES, np.float32))
        return features

    def _normal(self, shape: tuple[int, ...], deviation: float) -> np.ndarray:
        return self._generator.standard_normal(shape, np.float32) * np.float32(deviation)

    def _keep(self, name: str, values: np.ndarray) -> np.ndarray:
        self.made["/".join((*self._scopes, name))] = values
        return values


if __name__ == "__main__":
    np.savez(sys.argv[1], **make_weights())
