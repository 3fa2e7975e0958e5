"""Regions against perturbation: what the mask says is exactly what a change of the input changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from onnxviz.errors import UsageError
from onnxviz.graph.graph import Graph
from onnxviz.graph.receptive_field import Status, receptive_fields
from onnxviz.graph.region import region
from onnxviz.graph.shapes import fix_inputs, infer_types

SIZE = 17
SUPPORTED = settings(max_examples=80, deadline=None)


@dataclass
class Net:
    """A graph over one axis of space that grows a node at a time, all weights one."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, op: str, inputs: list[str], **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def model(self, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, SIZE])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def conv(net: Net, draw: Callable, value: str) -> str:
    kernel = draw(st.integers(1, 4))
    weight = net.constant(np.ones((1, 1, kernel), np.float32))
    if draw(st.booleans()):
        mode = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
        return net.add("Conv", [value, weight], auto_pad=mode, strides=[draw(st.integers(1, 2))])
    pads = [draw(st.integers(0, 2)), draw(st.integers(0, 2))]
    dilation, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return net.add("Conv", [value, weight], pads=pads, dilations=[dilation], strides=[stride])


def pool(net: Net, draw: Callable, value: str) -> str:
    kernel = draw(st.integers(1, 3))
    pads = [draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))]
    return net.add("AveragePool", [value], kernel_shape=[kernel], strides=[draw(st.integers(1, 2))], pads=pads)


def transposed(net: Net, draw: Callable, value: str) -> str:
    kernel = draw(st.integers(1, 4))
    weight = net.constant(np.ones((1, 1, kernel), np.float32))
    pads = [draw(st.integers(0, (kernel - 1) // 2))] * 2
    return net.add("ConvTranspose", [value, weight], strides=[draw(st.integers(1, 3))], pads=pads)


def resize(net: Net, draw: Callable, value: str) -> str:
    scale = net.constant(np.array([1, 1, draw(st.sampled_from([2.0, 3.0, 0.5]))], np.float32))
    mode = draw(st.sampled_from(["nearest", "linear"]))
    place = draw(st.sampled_from(["half_pixel", "asymmetric"]))
    return net.add("Resize", [value, "", scale], mode=mode, coordinate_transformation_mode=place)


def pad(net: Net, draw: Callable, value: str) -> str:
    pads = net.constant(np.array([0, 0, draw(st.integers(0, 2)), 0, 0, draw(st.integers(0, 2))], np.int64))
    return net.add("Pad", [value, pads])


def cut(net: Net, draw: Callable, value: str) -> str:
    ends = [draw(st.integers(0, 2)), -draw(st.integers(1, 2)), 2, draw(st.integers(1, 2))]
    return net.add("Slice", [value, *(net.constant(np.array([end], np.int64)) for end in ends)])


def branch(net: Net, draw: Callable, value: str) -> str:
    weight = net.constant(np.ones((1, 1, 3), np.float32))
    other = net.add("Conv", [value, weight], pads=[1, 1])
    if draw(st.booleans()):
        return net.add("Add", [value, other])
    joined = net.add("Concat", [value, other], axis=1)
    return net.add("Conv", [joined, net.constant(np.ones((1, 2, 1), np.float32))])


@st.composite
def nets(draw: Callable) -> tuple[onnx.ModelProto, str]:
    net, value = Net(), "x"
    for step in draw(
        st.lists(st.sampled_from([conv, pool, transposed, resize, pad, cut, branch]), min_size=1, max_size=4)
    ):
        value = step(net, draw, value)
    return net.model(value), value


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def changes(session: onnxruntime.InferenceSession) -> np.ndarray:
    """Return (SIZE, outputs): which outputs move when one pixel of an input of ones becomes 1000."""
    ones = np.ones((1, 1, SIZE), np.float32)
    (still,) = session.run(None, {"x": ones})
    moved = []
    for place in range(SIZE):
        changed = ones.copy()
        changed[0, 0, place] = 1000
        moved.append(session.run(None, {"x": changed})[0][0, 0] != still[0, 0])
    return np.array(moved)


@given(nets())
@SUPPORTED
def test_the_mask_is_what_a_change_changes(drawn: tuple[onnx.ModelProto, str]) -> None:
    model, value = drawn
    try:
        moved = changes(session_of(model))
    except Exception:  # onnxruntime's errors share no base class; here they mean that the sizes ran out
        assume(False)
        return
    assume(moved.shape[1] > 0)
    graph = Graph.from_proto(model)
    types = infer_types(graph)
    whole = receptive_fields(graph, types).get(value)
    for position in range(moved.shape[1]):
        seen = region(graph, types, value, (position,))
        (mask,) = seen.masks
        if seen.status is Status.UPPER_BOUND:
            assert not (moved[:, position] & ~mask).any()
        else:
            assert mask.tolist() == moved[:, position].tolist(), onnx.printer.to_text(model)
        if whole is not None and whole.size is not None and whole.start is not None and whole.stride is not None:
            first = whole.start[0] + position * whole.stride[0]
            places = np.flatnonzero(moved[:, position])
            # Resize reads the last pixel in place of what lies beyond it; spans are those of an endless input.
            endless = all(node.op_type != "Resize" for node in model.graph.node)
            inside = [first <= place < first + whole.size[0] for place in places]
            assert all(inside) or not endless, onnx.printer.to_text(model)


def test_holes_and_borders_on_paper() -> None:
    net = Net()
    weight = net.constant(np.ones((1, 1, 3), np.float32))
    value = net.add("Conv", ["x", weight], dilations=[3], pads=[3, 3])
    graph = Graph.from_proto(net.model(value))
    types = infer_types(graph)
    assert np.flatnonzero(region(graph, types, value, (5,)).masks[0]).tolist() == [2, 5, 8]
    assert np.flatnonzero(region(graph, types, value, (0,)).masks[0]).tolist() == [0, 3]
    with pytest.raises(UsageError, match="outside"):
        region(graph, types, value, (SIZE,))
    with pytest.raises(UsageError, match="1 or 3 numbers, not 2"):
        region(graph, types, value, (1, 1))


def test_two_axes_at_once(bundled_model: Path) -> None:
    """The first convolution pads 0 before and 1 after, and has stride 2: position i sees 2i to 2i + 2."""
    graph = fix_inputs(Graph.from_bytes(bundled_model.read_bytes()), {"image": (1, 3, 224, 224)})
    seen = region(graph, infer_types(graph), "stem/conv_relu6", (4, 111))
    assert [np.flatnonzero(mask).tolist() for mask in seen.masks] == [[8, 9, 10], [222, 223]]
    assert seen.status is Status.EXACT
