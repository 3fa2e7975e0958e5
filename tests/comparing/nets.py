"""A small net in float32 and the same quantised, to be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, helper, numpy_helper

SIZE = 12


def float_net(path: Path, seed: int = 0, depth: int = 6) -> Path:
    """Write conv0 .. conv5, each 3x3 of 8 channels with bias and Clip(0, 6), then a pool and a dense layer of 5."""
    random = np.random.default_rng(seed)
    nodes, tensors, value = [], [], "x"

    def tensor(name: str, array: np.ndarray) -> str:
        tensors.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    tensor("low", np.array(0.0))
    tensor("high", np.array(6.0))
    for number in range(depth):
        channels = 3 if number == 0 else 8
        weights = tensor(f"w{number}", random.normal(size=(8, channels, 3, 3)) / np.sqrt(4.5 * channels))
        bias = tensor(f"b{number}", random.normal(size=8) * 0.3)
        name = f"conv{number}"
        nodes.append(helper.make_node("Conv", [value, weights, bias], [f"{name}_out"], name=name, pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Clip", [f"{name}_out", "low", "high"], [f"{name}_act"], name=f"{name}/clip"))
        value = f"{name}_act"
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["pooled"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"], name="flatten"))
    dense = ["flat", tensor("w", random.normal(size=(8, 5)) * 2), tensor("b", np.zeros(5))]
    nodes.append(helper.make_node("Gemm", dense, ["y"], name="fc"))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 5])],
        tensors,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def with_norms(source: Path, path: Path) -> Path:
    """Write a net with a BatchNormalization behind each convolution; its statistics leave the values about as large."""
    random, model = np.random.default_rng(9), onnx.load(source)
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type == "Conv":
            made, node.output[0] = node.output[0], f"{node.name}_raw"
            parts = [f"{node.name}_{part}" for part in ("scale", "shift", "mean", "variance")]
            found = (random.uniform(0.7, 1.3, 8), random.normal(size=8) * 0.2, np.zeros(8), random.uniform(0.2, 2, 8))
            model.graph.initializer.extend(
                numpy_helper.from_array(each.astype(np.float32), name) for name, each in zip(parts, found, strict=True)
            )
            norm = helper.make_node("BatchNormalization", [node.output[0], *parts], [made], name=f"{node.name}/norm")
            model.graph.node.insert(place + 1, norm)
    onnx.save(model, path)
    return path


def inputs(count: int = 2, seed: int = 1) -> list[np.ndarray]:
    """Return arrays to feed."""
    random = np.random.default_rng(seed)
    return [random.normal(size=(1, 3, SIZE, SIZE)).astype(np.float32) for _ in range(count)]


def quantised_net(source: Path, path: Path) -> Path:
    """Write the same in QDQ: weights int8 for each channel, activations uint8 of the ranges of `inputs(4)`.

    As onnxruntime's quantiser does it, the Clip is left to the quantiser behind it, whose codes end where it does.
    """
    import onnxruntime

    model = onnx.load(source)
    values = [node.output[0] for node in model.graph.node if node.op_type != "Conv"]
    exposed = onnx.load(source)
    exposed.graph.output.extend(helper.make_empty_tensor_value_info(value) for value in values if value != "y")
    session = onnxruntime.InferenceSession(exposed.SerializeToString())
    runs = [dict(zip(values, session.run(values, {"x": each}), strict=True)) | {"x": each} for each in inputs(4, 5)]
    for clip in [node for node in model.graph.node if node.op_type == "Clip"]:
        next(node for node in model.graph.node if clip.input[0] in node.output).output[0] = clip.output[0]
        model.graph.node.remove(clip)
    quantiser = _Quantiser(model)
    for node in list(model.graph.node):
        if node.op_type in ("Conv", "Gemm"):
            quantiser.weight(node)
    for value in ["x", *values]:
        found = np.concatenate([run[value].reshape(-1) for run in runs])
        quantiser.value(value, min(0.0, float(found.min())), max(0.0, float(found.max())))
    quantiser.write(path)
    return path


class _Quantiser:
    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.nodes = list(model.graph.node)
        self.tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}

    def weight(self, node: onnx.NodeProto) -> None:
        name, axis = node.input[1], 0 if node.op_type == "Conv" else 1
        array = self.tensors.pop(name)
        shape = [-1 if place == axis else 1 for place in range(array.ndim)]
        scale = np.abs(array).max(tuple(place for place in range(array.ndim) if place != axis)) / 127
        codes = np.clip(np.rint(array / scale.reshape(shape)), -127, 127).astype(np.int8)
        self.tensors |= {
            f"{name}_q": codes,
            f"{name}_s": scale.astype(np.float32),
            f"{name}_z": np.zeros(len(scale), np.int8),
        }
        self.nodes.append(
            helper.make_node("DequantizeLinear", [f"{name}_{part}" for part in "qsz"], [f"{name}_dq"], axis=axis)
        )
        node.input[1] = f"{name}_dq"

    def value(self, value: str, low: float, high: float) -> None:
        scale = np.float32((high - low) / 255)
        self.tensors |= {f"{value}_s": scale, f"{value}_z": np.uint8(np.rint(-low / scale))}
        for node in self.nodes:
            node.input[:] = [f"{value}_dq" if name == value else name for name in node.input]
        raw = value
        maker = next((node for node in self.nodes if value in node.output), None)
        if value == "y" and maker is not None:
            raw = maker.output[0] = "y_raw"
        parts = [f"{value}_s", f"{value}_z"]
        self.nodes.append(helper.make_node("QuantizeLinear", [raw, *parts], [f"{value}_q"], name=f"{value}/q"))
        out = "y" if value == "y" else f"{value}_dq"
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{value}_q", *parts], [out], name=f"{value}/dq"))

    def write(self, path: Path) -> None:
        known, rest = {"x", *self.tensors}, list(self.nodes)
        ordered = []
        while rest:
            node = next(each for each in rest if known.issuperset(filter(None, each.input)))
            rest.remove(node)
            ordered.append(node)
            known.update(node.output)
        del self.model.graph.node[:], self.model.graph.initializer[:]
        self.model.graph.node.extend(ordered)
        self.model.graph.initializer.extend(
            numpy_helper.from_array(np.asarray(array), name) for name, array in self.tensors.items()
        )
        onnx.save(self.model, path)
