"""Regions against perturbation: what the mask says is exactly what a change of the input changes."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from onnxviz.errors import UsageError
from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.receptive_field import ReceptiveField, Status, receptive_fields
from onnxviz.graph.operators.region import region
from onnxviz.graph.shapes import fix_inputs, infer_types

SPACE = {1: (41,), 2: (9, 8)}
MARGIN = 12  # no border is met where so many pixels lie beside a field
SUPPORTED = settings(max_examples=60, deadline=None)


@dataclass
class Net:
    """A graph over one or two axes of space that grows a node at a time, all weights one."""

    rank: int = 1
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, op: str, inputs: list[str], **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, values: Sequence[float], kind: type = np.int64) -> str:
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, kind), name))
        return name

    def ones(self, *shape: int) -> str:
        return self.constant(np.ones(shape), np.float32)

    def model(self, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, *SPACE[self.rank]])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Draw:
    """Hypothesis's draw, with a number for each axis of space."""

    def __init__(self, draw: Callable, rank: int) -> None:
        self.one, self.rank = draw, rank

    def each(self, least: int, most: int) -> list[int]:
        return [self.one(st.integers(least, most)) for _ in range(self.rank)]

    def below(self, bounds: Sequence[int]) -> list[int]:
        return [self.one(st.integers(0, bound - 1)) for bound in bounds]

    def of(self, *choices: object) -> object:
        return self.one(st.sampled_from(choices))


def conv(net: Net, draw: Draw, value: str) -> str:
    weight = net.ones(1, 1, *draw.each(1, 4))
    mode = draw.of("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    if mode != "NOTSET":
        return net.add("Conv", [value, weight], auto_pad=mode, strides=draw.each(1, 2))
    pads, dilations, strides = draw.each(0, 2) + draw.each(0, 2), draw.each(1, 3), draw.each(1, 3)
    return net.add("Conv", [value, weight], pads=pads, dilations=dilations, strides=strides)


def average_pool(net: Net, draw: Draw, value: str) -> str:
    kernel = draw.each(1, 3)
    pads = draw.below(kernel) + draw.below(kernel)
    return net.add("AveragePool", [value], kernel_shape=kernel, strides=draw.each(1, 2), pads=pads)


def max_pool(net: Net, draw: Draw, value: str) -> str:
    kernel, strides = draw.each(1, 3), draw.each(1, 2)
    if draw.of(True, False):
        mode = draw.of("SAME_UPPER", "SAME_LOWER", "VALID")
        return net.add("MaxPool", [value], kernel_shape=kernel, strides=strides, auto_pad=mode)
    pads, dilations = draw.below(kernel) + draw.below(kernel), draw.each(1, 2)
    return net.add("MaxPool", [value], kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations)


def transposed(net: Net, draw: Draw, value: str) -> str:
    kernel, strides = draw.each(1, 4), draw.each(1, 3)
    pads = draw.below([(side + 1) // 2 for side in kernel]) * 2
    extra = draw.below(strides)
    weight = net.ones(1, 1, *kernel)
    return net.add("ConvTranspose", [value, weight], strides=strides, pads=pads, output_padding=extra)


def resize(net: Net, draw: Draw, value: str) -> str:
    scale = net.constant([1, 1, *(draw.of(2.0, 3.0, 0.5) for _ in range(net.rank))], np.float32)
    place = draw.of("half_pixel", "asymmetric")
    return net.add(
        "Resize", [value, "", scale], mode=draw.of("nearest", "linear"), coordinate_transformation_mode=place
    )


def pad(net: Net, draw: Draw, value: str) -> str:
    pads = net.constant([0, 0, *draw.each(0, 2), 0, 0, *draw.each(0, 2)])
    return net.add("Pad", [value, pads], mode=draw.of("constant", "edge", "reflect"))


def cut(net: Net, draw: Draw, value: str) -> str:
    axis = 2 + draw.below([net.rank])[0]
    ends = draw.of((0, -1, 1), (2, -1, 2), (1, 100, 1), (-1, -100, -1), (-2, -100, -2))
    start, stop, step = ends
    return net.add("Slice", [value, *(net.constant([number]) for number in (start, stop, axis, step))])


def branch(net: Net, draw: Draw, value: str) -> str:
    other = net.add("Conv", [value, net.ones(1, 1, *[3] * net.rank)], pads=[1] * 2 * net.rank)
    if draw.of(True, False):
        return net.add("Add", [value, other])
    joined = net.add("Concat", [value, other], axis=1)
    return net.add("Conv", [joined, net.ones(1, 2, *[1] * net.rank)])


def crossed(net: Net, draw: Draw, value: str) -> str:
    """Along one axis each: what an output sees is a cross, of which the product of masks is a bound."""
    arms = []
    for axis in range(net.rank):
        kernel = [3 if axis == place else 1 for place in range(net.rank)]
        pads = [1 if axis == place else 0 for place in range(net.rank)] * 2
        arms.append(net.add("Conv", [value, net.ones(1, 1, *kernel)], pads=pads))
    return net.add("Sum", arms)


def parted(net: Net, draw: Draw, value: str) -> str:
    """Two fields beside each other in the channels, of which one is taken again, or both by one that reads them all."""
    other = net.add("Conv", [value, net.ones(1, 1, *[3] * net.rank)], pads=[1] * 2 * net.rank)
    joined = net.add("Concat", draw.of([value, other], [other, value]), axis=1)
    if draw.of(True, False):
        joined = net.add("Conv", [joined, net.ones(2, 1, *[1] * net.rank)], group=2)
    start, stop = draw.of((0, 1), (1, 2))
    return net.add("Slice", [joined, *(net.constant([number]) for number in (start, stop, 1))])


def behind(net: Net, draw: Draw, value: str) -> str:
    # No sign is turned: what one adds must not cancel what the other does.
    return net.add("Concat", [value, net.add("Add", [value, value])], axis=2 + draw.below([net.rank])[0])


STEPS = (conv, average_pool, max_pool, transposed, resize, pad, cut, branch, crossed, behind, parted)


@st.composite
def nets(draw: Callable) -> tuple[Net, str]:
    net, value = Net(draw(st.sampled_from(sorted(SPACE)))), "x"
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=4)):
        value = step(net, Draw(draw, net.rank), value)
    return net, value


def changes(net: Net, value: str) -> np.ndarray:
    """Return (*space, *outputs): which outputs move when one pixel of an input of ones becomes huge.

    The change must outweigh the borders, where sums are smaller, even after poolings that average: a MaxPool would
    hide it otherwise. All changes are run as one batch, and compared with the same place of a batch without any, since
    rounding may differ from place to place.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(net.model(value).SerializeToString(), options)
    space = SPACE[net.rank]
    count = int(np.prod(space))
    still = np.ones((count, count), np.float32)
    both = (still, np.where(np.eye(count, dtype=bool), np.float32(1e6), still))
    before, after = (session.run(None, {"x": images.reshape(count, 1, *space)})[0][:, 0] for images in both)
    return (before != after).reshape(*space, *before.shape[1:])


def some_positions(shape: Sequence[int]) -> list[tuple[int, ...]]:
    positions = list(np.ndindex(*shape))
    return positions if len(positions) <= 40 else random.Random(0).sample(positions, 40)


@given(nets())
@SUPPORTED
def test_the_mask_is_what_a_change_changes(drawn: tuple[Net, str]) -> None:
    net, value = drawn
    try:
        moved = changes(net, value)
    except (errors.Fail, errors.InvalidArgument, errors.RuntimeException):
        assume(False)  # the sizes ran out
        return
    text = onnx.printer.to_text(net.model(value))
    shape = moved.shape[net.rank :]
    graph = fix_inputs(Graph.from_proto(net.model(value)), {"x": (1, 1, *SPACE[net.rank])})
    types = infer_types(graph)
    found = receptive_fields(graph, types).get(value)
    for position in some_positions(shape):
        seen = region(graph, types, value, position)
        assert len(seen.masks) == net.rank, text
        product = functools.reduce(np.multiply.outer, seen.masks)
        truth = moved[(..., *position)]
        if seen.status is Status.UPPER_BOUND:
            assert not (truth & ~product).any(), text
        else:
            assert np.array_equal(truth, product), text
        if found is not None and found.size is not None:
            assert_span(found, position, truth, text)


def assert_span(found: ReceptiveField, position: tuple[int, ...], truth: np.ndarray, text: str) -> None:
    """Hold the span of a field on an input without end against what one position sees far from all borders."""
    assert found.start is not None and found.stride is not None and found.size is not None
    firsts = [round(start + at * step) for start, at, step in zip(found.start, position, found.stride, strict=True)]
    spans = [(first, first + size - 1) for first, size in zip(firsts, found.size, strict=True)]
    if all(first >= MARGIN and last < side - MARGIN for (first, last), side in zip(spans, truth.shape, strict=True)):
        seen = [(places.min(), places.max()) for places in np.nonzero(truth)] if truth.any() else []
        assert all(a <= c and d <= b for (a, b), (c, d) in zip(spans, seen, strict=False)), text
        assert found.status is not Status.EXACT or seen == spans, text


def test_holes_and_borders_on_paper() -> None:
    net = Net()
    value = net.add("Conv", ["x", net.ones(1, 1, 3)], dilations=[3], pads=[3, 3])
    graph = fix_inputs(Graph.from_proto(net.model(value)), {"x": (1, 1, 17)})
    types = infer_types(graph)
    assert np.flatnonzero(region(graph, types, value, (5,)).masks[0]).tolist() == [2, 5, 8]
    assert np.flatnonzero(region(graph, types, value, (0,)).masks[0]).tolist() == [0, 3]
    with pytest.raises(UsageError, match="outside"):
        region(graph, types, value, (17,))
    with pytest.raises(UsageError, match="1 or 3 numbers, not 2"):
        region(graph, types, value, (1, 1))


def test_two_axes_at_once(bundled_model: Path) -> None:
    """The first convolution pads 0 before and 1 after, and has stride 2: position i sees 2i to 2i + 2."""
    graph = fix_inputs(Graph.from_bytes(bundled_model.read_bytes()), {"image": (1, 3, 224, 224)})
    seen = region(graph, infer_types(graph), "stem/conv_relu6", (4, 111))
    assert [np.flatnonzero(mask).tolist() for mask in seen.masks] == [[8, 9, 10], [222, 223]]
    assert seen.status is Status.EXACT


def test_a_row_that_is_picked_leaves_a_bound() -> None:
    """Gather with one index reads a single row, and the rule marks all of them: that must not be called exact."""
    head = '<ir_version: 8, opset_import: ["": 17]> g (float[1,1,8,8] x) => (float[] y)'
    text = f"{head} <int64 i = {{3}}, float[1,1,1,1] w = {{1}}> {{ c = Conv (x, w) y = Gather <axis=2> (c, i) }}"
    graph = Graph.from_proto(onnx.parser.parse_model(text))
    seen = region(graph, infer_types(graph), "y", (0, 0, 5))
    assert seen.status is Status.UPPER_BOUND
    assert [np.flatnonzero(mask).tolist() for mask in seen.masks] == [list(range(8)), [5]]
