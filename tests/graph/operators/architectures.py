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
SYMMETRIC = "symmetric"


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
            group=group,
            **({"pads": [side // 2 for side in kernel] * 2} if padding == SYMMETRIC else {"auto_pad": padding}),
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


def vgg_16(size: int | str | None = 224) -> onnx.ModelProto:
    """Return VGG-16 up to its last pooling (Simonyan and Zisserman 2014, table 1, column D)."""
    net = Sketch("vgg_16", size)
    x = "input:0"
    for block, (count, filters) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for place in range(1, count + 1):
            x = net.conv(x, f"vgg_16/conv{block}/conv{block}_{place}", filters, (3, 3))
        x = net.pool(x, f"vgg_16/pool{block}", kernel=2, padding=VALID)
    return net.model(x)


def alexnet_v2(size: int | str | None = 224) -> onnx.ModelProto:
    """Return AlexNet up to its last pooling, in the form of Krizhevsky 2014 (One weird trick, section 5)."""
    net = Sketch("alexnet_v2", size)
    x = net.conv("input:0", "alexnet_v2/conv1", 64, (11, 11), 4, VALID)
    x = net.pool(x, "alexnet_v2/pool1", padding=VALID)
    x = net.conv(x, "alexnet_v2/conv2", 192, (5, 5))
    x = net.pool(x, "alexnet_v2/pool2", padding=VALID)
    for place, filters in ((3, 384), (4, 384), (5, 256)):
        x = net.conv(x, f"alexnet_v2/conv{place}", filters, (3, 3))
    return net.model(net.pool(x, "alexnet_v2/pool5", padding=VALID))


def mobilenet_v1(size: int | str | None = 224) -> onnx.ModelProto:
    """Return MobileNet up to its last convolution (Howard et al. 2017, table 1)."""
    net = Sketch("MobilenetV1", size)
    x = net.conv("input:0", "MobilenetV1/Conv2d_0", 32, (3, 3), 2)
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    filters = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    for place, (stride, count) in enumerate(zip(strides, filters, strict=True), 1):
        scope = f"MobilenetV1/Conv2d_{place}"
        x = net.conv(x, f"{scope}_depthwise", net.channels[x], (3, 3), stride, depthwise=True)
        x = net.conv(x, f"{scope}_pointwise", count, (1, 1))
    return net.model(x)


def resnet_v1(blocks: tuple[int, int, int, int], size: int | str | None = 224) -> onnx.ModelProto:
    """Return a residual network of bottlenecks (He et al. 2015, table 1), strides where TF-slim has them.

    A block's stride is in the 3x3 convolution of its last unit; the shortcut of that unit is subsampled. Its strided
    convolutions pad both sides alike (`conv2d_same`); only the first pooling pads as `SAME` does.
    """
    net = Sketch("resnet_v1", size)
    x = net.pool(net.conv("input:0", "resnet_v1/conv1", 64, (7, 7), 2, SYMMETRIC), "resnet_v1/pool1")
    for block, (count, stride) in enumerate(zip(blocks, (2, 2, 2, 1), strict=True), 1):
        for unit in range(1, count + 1):
            scope = f"resnet_v1/block{block}/unit_{unit}/bottleneck_v1"
            x = _bottleneck(net, x, scope, 64 << block - 1, stride if unit == count else 1)
    return net.model(x)


def _bottleneck(net: Sketch, x: str, scope: str, filters: int, stride: int) -> str:
    if net.channels[x] != 4 * filters:
        shortcut = net.conv(x, f"{scope}/shortcut", 4 * filters, (1, 1), stride, relu=False)
    else:
        shortcut = x if stride == 1 else net.pool(x, f"{scope}/shortcut", kernel=1, stride=stride)
    x = net.conv(x, f"{scope}/conv1", filters, (1, 1))
    x = net.conv(x, f"{scope}/conv2", filters, (3, 3), stride, SYMMETRIC)
    x = net.conv(x, f"{scope}/conv3", 4 * filters, (1, 1), relu=False)
    return net.node("Relu", [net.add(scope, shortcut, x)], f"{scope}/Relu", 4 * filters)


def inception_v2(size: int | str | None = 224) -> onnx.ModelProto:
    """Return Inception-v2 up to its last module (Ioffe and Szegedy 2015, figure 5)."""
    net = Sketch("InceptionV2", size)
    x = net.conv("input:0", "InceptionV2/Conv2d_1a_7x7", 64, (7, 7), 2)
    x = net.pool(x, "InceptionV2/MaxPool_2a_3x3")
    x = net.chain(x, "InceptionV2", ("Conv2d_2b_1x1", 64, 1, 1), ("Conv2d_2c_3x3", 192, 3, 3))
    x = net.pool(x, "InceptionV2/MaxPool_3a_3x3")
    for name in ("3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "5c"):
        scope = f"InceptionV2/Mixed_{name}"
        halves = name in ("4a", "5a")
        last = (2 if halves else 1, SAME)
        branches = [
            net.chain(x, f"{scope}/Branch_1", ("a_1x1", 64, 1, 1), ("b_3x3", 96, 3, 3), last=last),
            net.chain(x, f"{scope}/Branch_2", ("a_1x1", 64, 1, 1), ("b_3x3", 96, 3, 3), ("c_3x3", 96, 3, 3), last=last),
        ]
        if halves:
            branches.append(net.pool(x, f"{scope}/Branch_3/MaxPool_1a_3x3"))
        else:
            branches.append(net.chain(x, f"{scope}/Branch_0", ("a_1x1", 64, 1, 1)))
            branches.append(_pooled(net, x, f"{scope}/Branch_3", 32))
        x = net.concat(scope, *branches)
    return net.model(x)


def inception_v3(size: int | str | None = 299) -> onnx.ModelProto:
    """Return Inception-v3 up to its last module (Szegedy et al. 2015, table 1, as TF-slim has it)."""
    net = Sketch("InceptionV3", size)
    root = "InceptionV3"
    x = net.conv("input:0", f"{root}/Conv2d_1a_3x3", 32, (3, 3), 2, VALID)
    x = net.conv(x, f"{root}/Conv2d_2a_3x3", 32, (3, 3), 1, VALID)
    x = net.conv(x, f"{root}/Conv2d_2b_3x3", 64, (3, 3))
    x = net.pool(x, f"{root}/MaxPool_3a_3x3", padding=VALID)
    x = net.conv(x, f"{root}/Conv2d_3b_1x1", 80, (1, 1), 1, VALID)
    x = net.conv(x, f"{root}/Conv2d_4a_3x3", 192, (3, 3), 1, VALID)
    x = net.pool(x, f"{root}/MaxPool_5a_3x3", padding=VALID)
    one = ("a_1x1", 64, 1, 1)
    for letter in "bcd":
        scope = f"{root}/Mixed_5{letter}"
        x = net.concat(
            scope,
            net.chain(x, f"{scope}/Branch_0", one),
            net.chain(x, f"{scope}/Branch_1", one, ("b_5x5", 64, 5, 5)),
            net.chain(x, f"{scope}/Branch_2", one, ("b_3x3", 96, 3, 3), ("c_3x3", 96, 3, 3)),
            _pooled(net, x, f"{scope}/Branch_3", 64),
        )
    scope = f"{root}/Mixed_6a"
    x = net.concat(
        scope,
        net.conv(x, f"{scope}/Branch_0/a_1x1", 384, (3, 3), 2, VALID),
        net.chain(x, f"{scope}/Branch_1", one, ("b_3x3", 96, 3, 3), ("c_3x3", 96, 3, 3), last=(2, VALID)),
        net.pool(x, f"{scope}/Branch_2/MaxPool_1a_3x3", padding=VALID),
    )
    row, column = ("1x7", 160, 1, 7), ("7x1", 160, 7, 1)
    for letter in "bcde":
        scope = f"{root}/Mixed_6{letter}"
        again = (("b_7x1", 160, 7, 1), ("c_1x7", 160, 1, 7), ("d_7x1", 160, 7, 1), ("e_1x7", 192, 1, 7))
        x = net.concat(
            scope,
            net.chain(x, f"{scope}/Branch_0", one),
            net.chain(x, f"{scope}/Branch_1", one, row, column),
            net.chain(x, f"{scope}/Branch_2", one, *again),
            _pooled(net, x, f"{scope}/Branch_3", 192),
        )
    scope = f"{root}/Mixed_7a"
    x = net.concat(
        scope,
        net.chain(x, f"{scope}/Branch_0", one, ("b_3x3", 320, 3, 3), last=(2, VALID)),
        net.chain(x, f"{scope}/Branch_1", one, row, column, ("d_3x3", 192, 3, 3), last=(2, VALID)),
        net.pool(x, f"{scope}/Branch_2/MaxPool_1a_3x3", padding=VALID),
    )
    for letter in "bc":
        scope = f"{root}/Mixed_7{letter}"
        first = net.chain(x, f"{scope}/Branch_1", one)
        second = net.chain(x, f"{scope}/Branch_2", one, ("b_3x3", 384, 3, 3))
        x = net.concat(
            scope,
            net.chain(x, f"{scope}/Branch_0", one),
            _fork(net, first, f"{scope}/Branch_1", 384, ("1x3", "3x1")),
            _fork(net, second, f"{scope}/Branch_2", 384, ("c_1x3", "c_3x1")),
            _pooled(net, x, f"{scope}/Branch_3", 192),
        )
    return net.model(x)
