"""Small networks with random weights, written in several ways."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import onnxviz


@dataclass
class Net:
    """Nodes and weights while a network is written; each method adds a node and returns the value it makes."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    channels: int = 8

    def add(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def constant(self, array: Any, name: str) -> str:
        self.tensors.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def conv(self, value: str, name: str, seed: int, into: int = 8, scale: Any = 1.0, **attributes: Any) -> str:
        """Add a convolution whose weights the seed gives, each filter of them scaled."""
        weights = np.random.default_rng(seed).standard_normal((self.channels, into, 3, 3)) * 0.2
        scaled = weights * np.broadcast_to(np.reshape(scale, (-1, 1, 1, 1)), (self.channels, 1, 1, 1))
        return self.add("Conv", [value, self.constant(scaled, f"{name}_w")], name, pads=[1] * 4, **attributes)

    def save(self, path: Path, output: str, input_channels: int = 8) -> onnxviz.Model:
        infos = [
            helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, input_channels, 8, 8]),
            helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None),
        ]
        graph = helper.make_graph(self.nodes, "net", infos[:1], infos[1:], self.tensors)
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
        return onnxviz.open(path)


def chain(path: Path, seeds: Sequence[int], names: Sequence[str] = ()) -> onnxviz.Model:
    """Return convolutions with a ReLU each, named as given, else in order."""
    net, value = Net(), "x"
    for place, seed in enumerate(seeds):
        name = names[place] if names else f"conv{place}"
        value = net.add("Relu", [net.conv(value, name, seed)], f"{name}_relu")
    return net.save(path, value)


def blocks(path: Path, seeds: Sequence[int]) -> onnxviz.Model:
    """Return residual blocks of two convolutions each, called after their seeds."""
    net, value = Net(), "x"
    for seed in seeds:
        inner = net.add("Relu", [net.conv(value, f"b{seed}a", 2 * seed)], f"b{seed}r")
        added = net.add("Add", [value, net.conv(inner, f"b{seed}b", 2 * seed + 1)], f"b{seed}add")
        value = net.add("Relu", [added], f"b{seed}end")
    return net.save(path, value)


def scrambled(model: onnxviz.Model, path: Path, seed: int = 1) -> tuple[onnxviz.Model, dict[str, str]]:
    """Return a copy with other names, and what its values were called."""
    proto, chance = onnx.load(model.path), random.Random(seed)
    kept = {info.name for info in (*proto.graph.input, *proto.graph.output)}
    values = [tensor.name for tensor in proto.graph.initializer] + [
        out for node in proto.graph.node for out in node.output
    ]
    numbers = chance.sample(range(len(values)), len(values))
    names = {value: value if value in kept else f"t{number}" for value, number in zip(values, numbers, strict=True)}
    for node in proto.graph.node:
        node.name = f"n{chance.randrange(10**9)}"
        node.input[:] = [names.get(value, value) for value in node.input]
        node.output[:] = [names.get(value, value) for value in node.output]
    for tensor in proto.graph.initializer:
        tensor.name = names[tensor.name]
    del proto.graph.value_info[:]
    onnx.save(proto, path)
    return onnxviz.open(path), {new: old for old, new in names.items()}


def optimised(model: onnxviz.Model, path: Path, level: str) -> onnxviz.Model:
    """Return a model as onnxruntime optimises it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model.path, options, providers=["CPUExecutionProvider"])
    return onnxviz.open(path)
