"""Well-known networks as graphs without weights, for tests that need real topologies.

Built from the papers, with the scopes, the places of the strides and the padding of TF-slim, since the published
receptive fields were computed there. `SAME` of TensorFlow is ONNX's auto_pad `SAME_UPPER`. Weights are external
tensors whose file does not exist: a graph can be read, checked for shapes and rewritten, but not run.
Node names are TF-slim's (`InceptionV4/Mixed_3a/concat`); the value a node makes is called `<node>:0`.
Batch normalisation is left out: it follows every convolution, changes no shape and no receptive field.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

SAME = "SAME_UPPER"
VALID = "VALID"


class Sketch:
    """A graph that grows a node at a time; every method returns the name of the value it made."""

    def __init__(self, name: str, size: int | str | None, channels: int = 3) -> None:
        """Start with one input, `input:0`, of shape (1, channels, size, size)."""
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.channels = {"input:0": channels}
        self.input = helper.make_tensor_value_info("input:0", TensorProto.FLOAT, [1, channels, size, size])

    def node(self, op: str, inputs: Sequence[str], name: str, channels: int, **attributes: object) -> str:
        """Add any node with one output."""
        value = f"{name}:0"
        self.nodes.append(helper.make_node(op, list(inputs), [value], name=name, **attributes))
        self.channels[value] = channels
        return value

    def weight(self, name: str, *dims: int) -> str:
        """Add a float weight whose data lies in a file that is not there."""
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="absent.bin")
        self.weights.append(tensor)
        return name

    def conv(
        self,
        value: str,
        name: str,
        filters: int,
        kernel: tuple[int, int],
        stride: int = 1,
        padding: str = SAME,
        *,
        relu: bool = True,
        depthwise: bool = False,
    ) -> str:
        """Add a convolution with bias, and its Relu."""
        channels = self.channels[value]
        group = channels if depthwise else 1
        weight = self.weight(f"{name}/weights", filters, channels // group, *kernel)
        bias = self.weight(f"{name}/biases", filters)
        value = self.node(
            "Conv",
            [value, weight, bias],
            f"{name}/Conv2D",
            filters,
            kernel_shape=list(kernel),
            strides=[stride, stride],
            auto_pad=padding,
            group=group,
        )
        return self.node("Relu", [value], f"{name}/Relu", filters) if relu else value

    def pool(
        self, value: str, name: str, kernel: int = 3, stride: int = 2, padding: str = SAME, op: str = "MaxPool"
    ) -> str:
        """Add a pooling over squares."""
        return self.node(
            op,
            [value],
            f"{name}/{op}",
            self.channels[value],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            auto_pad=padding,
        )

    def concat(self, name: str, *values: str) -> str:
        """Join values along the channels."""
        return self.node("Concat", values, f"{name}/concat", sum(self.channels[value] for value in values), axis=1)

    def add(self, name: str, *values: str) -> str:
        """Add two values."""
        return self.node("Add", values, f"{name}/add", self.channels[values[0]])

    def chain(
        self, value: str, scope: str, *steps: tuple[str, int, int, int], last: tuple[int, str] = (1, SAME)
    ) -> str:
        """Add convolutions one after the other: (name, filters, kernel height, kernel width); `last`: its stride."""
        for place, (name, filters, height, width) in enumerate(steps, 1):
            stride, padding = last if place == len(steps) else (1, SAME)
            value = self.conv(value, f"{scope}/{name}", filters, (height, width), stride, padding)
        return value

    def head(self, value: str, scope: str, classes: int) -> str:
        """Add what most classifiers end with: a mean over space and a dense layer."""
        channels = self.channels[value]
        value = self.node("GlobalAveragePool", [value], f"{scope}/AvgPool_1a/GlobalPool", channels)
        value = self.node("Flatten", [value], f"{scope}/Flatten", channels)
        weight = self.weight(f"{scope}/Logits/weights", classes, channels)
        return self.node("Gemm", [value, weight], f"{scope}/Logits/MatMul", classes, transB=1)

    def model(self, output: str) -> onnx.ModelProto:
        """Return the graph as a model with this one output."""
        target = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, self.name, [self.input], [target], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def inception_v4(size: int | str | None = 299) -> onnx.ModelProto:
    """Return Inception-v4 (Szegedy, Ioffe, Vanhoucke and Alemi 2016, figures 3 to 9)."""
    net = Sketch("InceptionV4", size)
    root = "InceptionV4"
    x = net.conv("input:0", f"{root}/Conv2d_1a_3x3", 32, (3, 3), 2, VALID)
    x = net.conv(x, f"{root}/Conv2d_2a_3x3", 32, (3, 3), 1, VALID)
    x = net.conv(x, f"{root}/Conv2d_2b_3x3", 64, (3, 3))
    scope = f"{root}/Mixed_3a"
    x = net.concat(
        scope,
        net.pool(x, f"{scope}/Branch_0/MaxPool_0a_3x3", padding=VALID),
        net.conv(x, f"{scope}/Branch_1/Conv2d_0a_3x3", 96, (3, 3), 2, VALID),
    )
    scope = f"{root}/Mixed_4a"
    x = net.concat(
        scope,
        net.chain(x, f"{scope}/Branch_0", ("Conv2d_0a_1x1", 64, 1, 1), ("Conv2d_1a_3x3", 96, 3, 3), last=(1, VALID)),
        net.chain(
            x,
            f"{scope}/Branch_1",
            ("Conv2d_0a_1x1", 64, 1, 1),
            ("Conv2d_0b_1x7", 64, 1, 7),
            ("Conv2d_0c_7x1", 64, 7, 1),
            ("Conv2d_1a_3x3", 96, 3, 3),
            last=(1, VALID),
        ),
    )
    scope = f"{root}/Mixed_5a"
    x = net.concat(
        scope,
        net.conv(x, f"{scope}/Branch_0/Conv2d_1a_3x3", 192, (3, 3), 2, VALID),
        net.pool(x, f"{scope}/Branch_1/MaxPool_1a_3x3", padding=VALID),
    )
    for letter in "bcde":
        x = _inception_v4_a(net, x, f"{root}/Mixed_5{letter}")
    scope = f"{root}/Mixed_6a"
    x = net.concat(
        scope,
        net.conv(x, f"{scope}/Branch_0/Conv2d_1a_3x3", 384, (3, 3), 2, VALID),
        net.chain(
            x,
            f"{scope}/Branch_1",
            ("Conv2d_0a_1x1", 192, 1, 1),
            ("Conv2d_0b_3x3", 224, 3, 3),
            ("Conv2d_1a_3x3", 256, 3, 3),
            last=(2, VALID),
        ),
        net.pool(x, f"{scope}/Branch_2/MaxPool_1a_3x3", padding=VALID),
    )
    for letter in "bcdefgh":
        x = _inception_v4_b(net, x, f"{root}/Mixed_6{letter}")
    scope = f"{root}/Mixed_7a"
    x = net.concat(
        scope,
        net.chain(x, f"{scope}/Branch_0", ("Conv2d_0a_1x1", 192, 1, 1), ("Conv2d_1a_3x3", 192, 3, 3), last=(2, VALID)),
        net.chain(
            x,
            f"{scope}/Branch_1",
            ("Conv2d_0a_1x1", 256, 1, 1),
            ("Conv2d_0b_1x7", 256, 1, 7),
            ("Conv2d_0c_7x1", 320, 7, 1),
            ("Conv2d_1a_3x3", 320, 3, 3),
            last=(2, VALID),
        ),
        net.pool(x, f"{scope}/Branch_2/MaxPool_1a_3x3", padding=VALID),
    )
    for letter in "bcd":
        x = _inception_v4_c(net, x, f"{root}/Mixed_7{letter}")
    return net.model(net.head(x, f"{root}/Logits", 1001))


def _inception_v4_a(net: Sketch, x: str, scope: str) -> str:
    return net.concat(
        scope,
        net.chain(x, f"{scope}/Branch_0", ("Conv2d_0a_1x1", 96, 1, 1)),
        net.chain(x, f"{scope}/Branch_1", ("Conv2d_0a_1x1", 64, 1, 1), ("Conv2d_0b_3x3", 96, 3, 3)),
        net.chain(
            x,
            f"{scope}/Branch_2",
            ("Conv2d_0a_1x1", 64, 1, 1),
            ("Conv2d_0b_3x3", 96, 3, 3),
            ("Conv2d_0c_3x3", 96, 3, 3),
        ),
        _pooled(net, x, f"{scope}/Branch_3", 96),
    )


def _inception_v4_b(net: Sketch, x: str, scope: str) -> str:
    return net.concat(
        scope,
        net.chain(x, f"{scope}/Branch_0", ("Conv2d_0a_1x1", 384, 1, 1)),
        net.chain(
            x,
            f"{scope}/Branch_1",
            ("Conv2d_0a_1x1", 192, 1, 1),
            ("Conv2d_0b_1x7", 224, 1, 7),
            ("Conv2d_0c_7x1", 256, 7, 1),
        ),
        net.chain(
            x,
            f"{scope}/Branch_2",
            ("Conv2d_0a_1x1", 192, 1, 1),
            ("Conv2d_0b_7x1", 192, 7, 1),
            ("Conv2d_0c_1x7", 224, 1, 7),
            ("Conv2d_0d_7x1", 224, 7, 1),
            ("Conv2d_0e_1x7", 256, 1, 7),
        ),
        _pooled(net, x, f"{scope}/Branch_3", 128),
    )


def _inception_v4_c(net: Sketch, x: str, scope: str) -> str:
    first = net.chain(x, f"{scope}/Branch_1", ("Conv2d_0a_1x1", 384, 1, 1))
    second = net.chain(
        x,
        f"{scope}/Branch_2",
        ("Conv2d_0a_1x1", 384, 1, 1),
        ("Conv2d_0b_3x1", 448, 3, 1),
        ("Conv2d_0c_1x3", 512, 1, 3),
    )
    return net.concat(
        scope,
        net.chain(x, f"{scope}/Branch_0", ("Conv2d_0a_1x1", 256, 1, 1)),
        _fork(net, first, f"{scope}/Branch_1", 256, ("Conv2d_0b_1x3", "Conv2d_0c_3x1")),
        _fork(net, second, f"{scope}/Branch_2", 256, ("Conv2d_0d_1x3", "Conv2d_0e_3x1")),
        _pooled(net, x, f"{scope}/Branch_3", 256),
    )


def _pooled(net: Sketch, x: str, scope: str, filters: int, op: str = "AveragePool") -> str:
    x = net.pool(x, f"{scope}/{'AvgPool' if op == 'AveragePool' else 'MaxPool'}_0a_3x3", 3, 1, op=op)
    return net.conv(x, f"{scope}/Conv2d_0b_1x1", filters, (1, 1))


def _fork(net: Sketch, x: str, scope: str, filters: int, names: tuple[str, str]) -> str:
    """Add a 1x3 and a 3x1 convolution beside each other, joined."""
    return net.concat(
        scope,
        net.conv(x, f"{scope}/{names[0]}", filters, (1, 3)),
        net.conv(x, f"{scope}/{names[1]}", filters, (3, 1)),
    )
