"""Makes the models that are measured: residual stacks of 3x3 convolutions, weights random, and calls of a function."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from onnx import helper, numpy_helper

from onnxviz.graph.storage.wire import encode_varint


def one_large_file(path: Path, channels: int = 800, blocks: int = 55) -> None:
    """Write 2.5 GB as one file, which protobuf refuses to write and to read: weights are a hole in the file, zeros."""
    model = onnx.ModelProto()
    residual_stack(path, 1, blocks)
    model.ParseFromString(path.read_bytes())
    names = [weight.name for weight in model.graph.initializer]
    del model.graph.initializer[:]
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = channels
    weights = []
    for name in names:
        dims = [channels, 3 if name == "stem.weight" else channels, 3, 3]
        header = onnx.TensorProto(name=name, data_type=onnx.TensorProto.FLOAT, dims=dims).SerializeToString()
        size = int(np.prod(dims)) * 4
        weights.append(
            (b"\x2a" + encode_varint(len(header) + len(raw_data(size)) + size) + header + raw_data(size), size)
        )
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    length = len(graph) + sum(len(head) + size for head, size in weights)
    with path.open("wb") as file:
        file.write(model.SerializeToString() + b"\x3a" + encode_varint(length) + graph)
        for head, size in weights:
            file.write(head)
            file.seek(size, 1)
        file.truncate()


def raw_data(size: int) -> bytes:
    """Return the head of a TensorProto's field raw_data."""
    return b"\x4a" + encode_varint(size)


def residual_stack(path: Path, channels: int, blocks: int, side: int = 32) -> None:
    """Write a net of 2 * blocks + 1 convolutions; 552 channels and 50 blocks make 1.1 GB."""
    generator = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def conv(source: str, inputs: int, name: str) -> str:
        values = generator.standard_normal((channels, inputs, 3, 3), dtype=np.float32)
        weights.append(numpy_helper.from_array(values * np.float32((2 / (inputs * 9)) ** 0.5), f"{name}.weight"))
        nodes.append(helper.make_node("Conv", [source, f"{name}.weight"], [name], name=name, pads=[1, 1, 1, 1]))
        return name

    def relu(source: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [f"{source}_relu"], name=f"{source}_relu"))
        return f"{source}_relu"

    value = relu(conv("input", 3, "stem"))
    for block in range(blocks):
        inner = conv(relu(conv(value, channels, f"b{block}.c1")), channels, f"b{block}.c2")
        nodes.append(helper.make_node("Add", [value, inner], [f"b{block}"], name=f"b{block}"))
        value = relu(f"b{block}")
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["pooled"], name="pool"))
    image = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 3, side, side])
    pooled = helper.make_tensor_value_info("pooled", onnx.TensorProto.FLOAT, [1, channels, 1, 1])
    graph = helper.make_graph(nodes, "stack", [image], [pooled], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


def u_net(path: Path, side: int, width: int = 32) -> None:
    """Write a U-Net of four levels, two 3x3 convolutions with ReLU each, for `x` (1, 3, side, side); weights random."""
    generator = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def add(kind: str, name: str, sources: list[str], shape: tuple[int, ...] = (), **attributes: object) -> str:
        if shape:
            values = generator.standard_normal(shape, dtype=np.float32)
            scale = np.float32((2 / np.prod([shape[0] if kind == "ConvTranspose" else shape[1], *shape[2:]])) ** 0.5)
            weights.append(numpy_helper.from_array(values * scale, f"{name}.weight"))
            sources = [*sources, f"{name}.weight"]
        nodes.append(helper.make_node(kind, sources, [name], name=name, **attributes))
        return name

    def twice(source: str, inputs: int, channels: int, name: str) -> str:
        for number, count in enumerate((inputs, channels)):
            made = add("Conv", f"{name}/conv{number}", [source], (channels, count, 3, 3), pads=[1, 1, 1, 1])
            source = add("Relu", f"{name}/relu{number}", [made])
        return source

    widths = [width << level for level in range(4)]
    kept, source, inputs = list[str](), "x", 3
    for level, channels in enumerate(widths):
        if level:
            source = add("MaxPool", f"pool{level}", [source], kernel_shape=[2, 2], strides=[2, 2])
        source, inputs = twice(source, inputs, channels, f"down{level}"), channels
        kept.append(source)
    for level in (2, 1, 0):
        shape = (widths[level + 1], widths[level], 2, 2)
        raised = add("ConvTranspose", f"up{level}", [source], shape, strides=[2, 2])
        joined = add("Concat", f"join{level}", [kept[level], raised], axis=1)
        source = twice(joined, 2 * widths[level], widths[level], f"out{level}")
    add("Conv", "y", [source], (4, width, 1, 1))
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, side, side])
        for name, channels in (("x", 3), ("y", 4))
    ]
    graph = helper.make_graph(nodes, "u_net", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def long_loop(path: Path) -> None:
    """Write a Loop over a map of 1 MiB that makes as many steps as its input `n` says."""
    text = """<ir_version: 10, opset_import: ["": 18]> g (float[1,16,128,128] x, int64 n) => (float[1,16,128,128] y) {
        go = Constant <value = bool {1}> ()
        half = Constant <value = float {0.5}> ()
        y = Loop (n, go, x) <body = b (int64 i, bool c, float[1,16,128,128] v) => (bool d, float[1,16,128,128] w) {
            d = Identity (c)
            t = Mul (v, half)
            w = Sigmoid (t)
        }>
    }"""
    onnx.save(onnx.parser.parse_model(text), path)


BLOCK = """<ir_version: 10, opset_import: ["": 18, "local": 1]>
g (float[1,4,16,16] x, float[4,4,3,3] w) => (float[1,4,16,16] y) { y = local.block (x, w) }
<domain: "local", opset_import: ["": 18]>
block (v, w) => (o) {
    c = Conv <pads = [1, 1, 1, 1]> (v, w) s = Sigmoid (c) g = Mul (c, s) a = Add (g, v) o = Relu (a)
}"""


def calls(path: Path, count: int) -> None:
    """Write so many calls of a function of five nodes, one behind the other; `plain.onnx` has the same nodes."""
    model = onnx.parser.parse_model(BLOCK)
    values = ["x", *(f"v{place}" for place in range(1, count)), "y"]
    del model.graph.node[:]
    model.graph.node.extend(
        helper.make_node("block", [source, "w"], [made], name=f"b{place}", domain="local")
        for place, (source, made) in enumerate(pairwise(values))
    )
    onnx.save(model, path)
    onnx.save(onnx.inliner.inline_local_functions(model), path.with_name("plain.onnx"))
