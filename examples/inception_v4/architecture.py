"""Inception-v4 for 299x299 pictures, after figures 3 to 9 of Szegedy, Ioffe, Vanhoucke and Alemi (2016).

The net is written once, over the few operations of `Operations`; `slim.py` builds it in a TensorFlow 1 graph,
`keras_model.py` as a Keras model, and `weights.py` runs it to make its weights. Scopes are those of TF-Slim's
checkpoints. Dropout before the classifier does nothing at inference and is left out.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

SIZE = 299
CLASSES = 1001
EPSILON = 1e-3  # of every batch normalisation; none has a scale, as in TF-Slim
SAME, VALID = "SAME", "VALID"
Kernel = tuple[int, int]


class Operations(Protocol):
    """What a framework brings along to build the net; tensors are (N, H, W, C)."""

    def scope(self, name: str) -> AbstractContextManager[Any]:
        """Put what is made within it under a name."""

    def conv(self, x: Any, scope: str, channels: int, kernel: Kernel, stride: int = 1, padding: str = SAME) -> Any:
        """Convolution without bias, batch normalisation, ReLU."""

    def max_pool(self, x: Any, scope: str) -> Any:
        """The maximum over 3x3 positions at stride 2, without padding."""

    def average_pool(self, x: Any, scope: str) -> Any:
        """The mean over 3x3 positions at stride 1, padded."""

    def concat(self, parts: list[Any]) -> Any:
        """The channels of several tensors behind each other."""

    def classify(self, x: Any) -> Any:
        """The mean over all positions, a dense layer of `CLASSES` units, softmax."""


def inception_v4(image: Any, net: Operations) -> Any:
    """Build the net on pictures (N, 299, 299, 3) in -1..1 and return its probabilities (N, 1001)."""
    with net.scope("InceptionV4"):
        x = _stem(image, net)
        for letter in "bcde":
            x = _inception_a(x, net, f"Mixed_5{letter}")
        x = _reduction_a(x, net, "Mixed_6a")
        for letter in "bcdefgh":
            x = _inception_b(x, net, f"Mixed_6{letter}")
        x = _reduction_b(x, net, "Mixed_7a")
        for letter in "bcd":
            x = _inception_c(x, net, f"Mixed_7{letter}")
        with net.scope("Logits"):
            return net.classify(x)


def _stem(x: Any, net: Operations) -> Any:
    """Figure 3: 299x299x3 to 35x35x384."""
    x = net.conv(x, "Conv2d_1a_3x3", 32, (3, 3), 2, VALID)
    x = net.conv(x, "Conv2d_2a_3x3", 32, (3, 3), 1, VALID)
    x = net.conv(x, "Conv2d_2b_3x3", 64, (3, 3))
    with net.scope("Mixed_3a"):
        with net.scope("Branch_0"):
            first = net.max_pool(x, "MaxPool_0a_3x3")
        with net.scope("Branch_1"):
            second = net.conv(x, "Conv2d_0a_3x3", 96, (3, 3), 2, VALID)
        x = net.concat([first, second])
    with net.scope("Mixed_4a"):
        with net.scope("Branch_0"):
            first = net.conv(x, "Conv2d_0a_1x1", 64, (1, 1))
            first = net.conv(first, "Conv2d_1a_3x3", 96, (3, 3), 1, VALID)
        with net.scope("Branch_1"):
            second = net.conv(x, "Conv2d_0a_1x1", 64, (1, 1))
            second = net.conv(second, "Conv2d_0b_1x7", 64, (1, 7))
            second = net.conv(second, "Conv2d_0c_7x1", 64, (7, 1))
            second = net.conv(second, "Conv2d_1a_3x3", 96, (3, 3), 1, VALID)
        x = net.concat([first, second])
    with net.scope("Mixed_5a"):
        with net.scope("Branch_0"):
            first = net.conv(x, "Conv2d_1a_3x3", 192, (3, 3), 2, VALID)
        with net.scope("Branch_1"):
            second = net.max_pool(x, "MaxPool_1a_3x3")
        return net.concat([first, second])


def _inception_a(x: Any, net: Operations, scope: str) -> Any:
    """Figure 4, on the 35x35 grid."""
    with net.scope(scope):
        with net.scope("Branch_0"):
            first = net.conv(x, "Conv2d_0a_1x1", 96, (1, 1))
        with net.scope("Branch_1"):
            second = net.conv(x, "Conv2d_0a_1x1", 64, (1, 1))
            second = net.conv(second, "Conv2d_0b_3x3", 96, (3, 3))
        with net.scope("Branch_2"):
            third = net.conv(x, "Conv2d_0a_1x1", 64, (1, 1))
            third = net.conv(third, "Conv2d_0b_3x3", 96, (3, 3))
            third = net.conv(third, "Conv2d_0c_3x3", 96, (3, 3))
        with net.scope("Branch_3"):
            fourth = net.average_pool(x, "AvgPool_0a_3x3")
            fourth = net.conv(fourth, "Conv2d_0b_1x1", 96, (1, 1))
        return net.concat([first, second, third, fourth])


def _reduction_a(x: Any, net: Operations, scope: str) -> Any:
    """Figure 7 with k, l, m, n = 192, 224, 256, 384: 35x35x384 to 17x17x1024."""
    with net.scope(scope):
        with net.scope("Branch_0"):
            first = net.conv(x, "Conv2d_1a_3x3", 384, (3, 3), 2, VALID)
        with net.scope("Branch_1"):
            second = net.conv(x, "Conv2d_0a_1x1", 192, (1, 1))
            second = net.conv(second, "Conv2d_0b_3x3", 224, (3, 3))
            second = net.conv(second, "Conv2d_1a_3x3", 256, (3, 3), 2, VALID)
        with net.scope("Branch_2"):
            third = net.max_pool(x, "MaxPool_1a_3x3")
        return net.concat([first, second, third])


def _inception_b(x: Any, net: Operations, scope: str) -> Any:
    """Figure 5, on the 17x17 grid."""
    with net.scope(scope):
        with net.scope("Branch_0"):
            first = net.conv(x, "Conv2d_0a_1x1", 384, (1, 1))
        with net.scope("Branch_1"):
            second = net.conv(x, "Conv2d_0a_1x1", 192, (1, 1))
            second = net.conv(second, "Conv2d_0b_1x7", 224, (1, 7))
            second = net.conv(second, "Conv2d_0c_7x1", 256, (7, 1))
        with net.scope("Branch_2"):
            third = net.conv(x, "Conv2d_0a_1x1", 192, (1, 1))
            third = net.conv(third, "Conv2d_0b_7x1", 192, (7, 1))
            third = net.conv(third, "Conv2d_0c_1x7", 224, (1, 7))
            third = net.conv(third, "Conv2d_0d_7x1", 224, (7, 1))
            third = net.conv(third, "Conv2d_0e_1x7", 256, (1, 7))
        with net.scope("Branch_3"):
            fourth = net.average_pool(x, "AvgPool_0a_3x3")
            fourth = net.conv(fourth, "Conv2d_0b_1x1", 128, (1, 1))
        return net.concat([first, second, third, fourth])


def _reduction_b(x: Any, net: Operations, scope: str) -> Any:
    """Figure 8: 17x17x1024 to 8x8x1536."""
    with net.scope(scope):
        with net.scope("Branch_0"):
            first = net.conv(x, "Conv2d_0a_1x1", 192, (1, 1))
            first = net.conv(first, "Conv2d_1a_3x3", 192, (3, 3), 2, VALID)
        with net.scope("Branch_1"):
            second = net.conv(x, "Conv2d_0a_1x1", 256, (1, 1))
            second = net.conv(second, "Conv2d_0b_1x7", 256, (1, 7))
            second = net.conv(second, "Conv2d_0c_7x1", 320, (7, 1))
            second = net.conv(second, "Conv2d_1a_3x3", 320, (3, 3), 2, VALID)
        with net.scope("Branch_2"):
            third = net.max_pool(x, "MaxPool_1a_3x3")
        return net.concat([first, second, third])


def _inception_c(x: Any, net: Operations, scope: str) -> Any:
    """Figure 6, on the 8x8 grid."""
    with net.scope(scope):
        with net.scope("Branch_0"):
            first = net.conv(x, "Conv2d_0a_1x1", 256, (1, 1))
        with net.scope("Branch_1"):
            second = net.conv(x, "Conv2d_0a_1x1", 384, (1, 1))
            wide = net.conv(second, "Conv2d_0b_1x3", 256, (1, 3))
            second = net.concat([wide, net.conv(second, "Conv2d_0c_3x1", 256, (3, 1))])
        with net.scope("Branch_2"):
            third = net.conv(x, "Conv2d_0a_1x1", 384, (1, 1))
            third = net.conv(third, "Conv2d_0b_3x1", 448, (3, 1))
            third = net.conv(third, "Conv2d_0c_1x3", 512, (1, 3))
            wide = net.conv(third, "Conv2d_0d_1x3", 256, (1, 3))
            third = net.concat([wide, net.conv(third, "Conv2d_0e_3x1", 256, (3, 1))])
        with net.scope("Branch_3"):
            fourth = net.average_pool(x, "AvgPool_0a_3x3")
            fourth = net.conv(fourth, "Conv2d_0b_1x1", 256, (1, 1))
        return net.concat([first, second, third, fourth])
