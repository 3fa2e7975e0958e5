"""Statistics of channels in the graph, against the same by numpy on the map."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxviz.graph.attach import ChannelReduction, MapShape, attach, before_bound
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types

onnxruntime.set_default_logger_severity(4)


def model(nodes, inputs, outputs, opset=17, initializers=()):
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def identity(dtype, rank, opset=17):
    dims = [None] * rank
    ends = [helper.make_tensor_value_info(name, dtype, dims) for name in "xy"]
    return Graph.from_proto(model([helper.make_node("Identity", ["x"], ["y"])], ends[:1], ends[1:], opset))


def reduce_in_graph(graph, shape, x, ranked="y"):
    """Run what is attached, and return the greatest numbers, their flat places and the means."""
    attached = attach(graph, [ChannelReduction("y", ranked, shape)], infer_types(graph))
    onnx.checker.check_model(attached.graph.proto, full_check=True)
    session = onnxruntime.InferenceSession(attached.graph.to_bytes(), providers=["CPUExecutionProvider"])
    (outputs,) = attached.outputs
    greatest, *places, mean = session.run(list(outputs.names), {"x": x})
    flat = np.zeros(greatest.shape, np.int64)
    for place in places:
        flat = flat * shape.places[-1] + place[..., 0]
    return greatest, flat, mean


def by_numpy(x, shape):
    moved = np.transpose(x, shape.moves).astype(np.float32)
    maps = moved.reshape(moved.shape[0] if shape.has_batch else 1, shape.channels, -1)
    return maps.max(2), maps.argmax(2), maps.astype(np.float64).mean(2)


def check(graph, layout, x):
    shape = MapShape(layout, x.shape)
    found = reduce_in_graph(graph, shape, x)
    for ours, theirs in zip(found[:2], by_numpy(x, shape), strict=False):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(found[2], by_numpy(x, shape)[2], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("layout", "sizes"),
    [
        ("NCHW", (2, 5, 17, 13)),
        ("NCHW", (2, 5, 3, 4)),
        ("NCHW", (2, 5, 1, 1)),
        ("NHWC", (2, 17, 13, 5)),
        ("NHWC", (2, 3, 4, 5)),
        ("NCL", (2, 5, 333)),
        ("NCDHW", (2, 5, 4, 9, 11)),
        ("NTC", (2, 50, 16)),
        ("NCTT", (1, 3, 20, 20)),
        ("TGNC", (7, 2, 1, 4)),
        ("NC", (2, 10)),
        ("CHW", (5, 17, 13)),
        ("TC", (50, 6)),
    ],
)
def test_every_layout(layout, sizes):
    x = np.random.default_rng(1).standard_normal(sizes).astype(np.float32)
    check(identity(TensorProto.FLOAT, len(sizes)), layout, x)


@pytest.mark.parametrize("opset", [11, 13, 18, 22])
def test_every_way_to_give_axes(opset):
    x = np.random.default_rng(2).standard_normal((1, 3, 16, 16)).astype(np.float32)
    check(identity(TensorProto.FLOAT, 4, opset), "NCHW", x)


@pytest.mark.parametrize("name", ["float16", "float64", "int8", "uint8", "int32", "bool", "bfloat16"])
def test_every_dtype(name):
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    x = np.random.default_rng(3).standard_normal((1, 4, 15, 15)) * 20
    # onnxruntime takes no bfloat16 from Python: the graph makes it.
    if name == "bfloat16":
        ends = [helper.make_tensor_value_info(n, t, [None] * 4) for n, t in (("x", 1), ("y", 16))]
        graph = Graph.from_proto(model([helper.make_node("Cast", ["x"], ["y"], to=16)], ends[:1], ends[1:]))
        shape = MapShape("NCHW", x.shape)
        found = reduce_in_graph(graph, shape, x.astype(np.float32))
        narrow = by_numpy(x.astype(np.float32).astype(dtype), shape)
        np.testing.assert_array_equal(found[0], narrow[0])
        np.testing.assert_array_equal(found[1], narrow[1])
        return
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    with np.errstate(invalid="ignore"):
        check(identity(kind, 4), "NCHW", np.abs(x).astype(dtype) if name == "uint8" else x.astype(dtype))


def test_codes_are_what_they_stand_for():
    scale, zero = numpy_helper.from_array(np.float32(0.5), "s"), numpy_helper.from_array(np.uint8(10), "z")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("MaxPool", ["q"], ["y"], kernel_shape=[1, 1]),
        helper.make_node("DequantizeLinear", ["y", "s", "z"], ["d"]),
    ]
    ends = [helper.make_tensor_value_info(n, 1, [None] * 4) for n in ("x", "d")]
    graph = Graph.from_proto(model(nodes, ends[:1], ends[1:], 17, [scale, zero]))
    x = np.random.default_rng(4).standard_normal((1, 3, 20, 20)).astype(np.float32) * 9
    codes = (np.clip(np.rint(x / 0.5) + 10, 0, 255) - 10) * np.float32(0.5)
    shape = MapShape("NCHW", x.shape)
    found, theirs = reduce_in_graph(graph, shape, x), by_numpy(codes, shape)
    np.testing.assert_array_equal(found[0], theirs[0])
    np.testing.assert_array_equal(found[1], theirs[1])


@pytest.mark.parametrize("fill", [np.full((1, 2, 15, 15), 6), -1 - np.random.default_rng(5).random((1, 2, 15, 15))])
def test_ties_and_negative_maps(fill):
    check(identity(TensorProto.FLOAT, 4), "NCHW", fill.astype(np.float32))


def test_the_place_is_that_before_the_ceiling():
    ends = [helper.make_tensor_value_info(n, 1, [1, 1, 16, 16]) for n in "xy"]
    bounds = [numpy_helper.from_array(np.float32(v), n) for n, v in (("lo", 0), ("hi", 6))]
    nodes = [helper.make_node("Identity", ["x"], ["c"]), helper.make_node("Clip", ["c", "lo", "hi"], ["y"])]
    graph = Graph.from_proto(model(nodes, ends[:1], ends[1:], 17, bounds))
    bound = before_bound(graph, "y")
    assert bound is not None
    assert (bound.before, bound.op, bound.ceiling) == ("c", "Clip", 6.0)
    x = np.zeros((1, 1, 16, 16), np.float32)
    x[0, 0, 2, 3], x[0, 0, 9, 4] = 7, 8
    greatest, place, mean = reduce_in_graph(graph, MapShape("NCHW", x.shape), x, ranked="c")
    assert (greatest[0, 0], place[0, 0]) == (8, 9 * 16 + 4)
    assert mean[0, 0] == pytest.approx(12 / 256)


@pytest.mark.parametrize(
    ("op", "ceiling"), [("Sigmoid", 6.9068), ("Tanh", 3.8002), ("HardSigmoid", 2.5), ("Relu", None)]
)
def test_what_is_bounded(op, ceiling):
    ends = [helper.make_tensor_value_info(n, 1, [1, 1]) for n in "xy"]
    graph = Graph.from_proto(model([helper.make_node(op, ["x"], ["y"])], ends[:1], ends[1:]))
    bound = before_bound(graph, "y")
    assert (bound and bound.ceiling) == (ceiling and pytest.approx(ceiling, abs=1e-3))


def test_a_clip_without_an_upper_end_is_not_bounded():
    ends = [helper.make_tensor_value_info(n, 1, [1, 1]) for n in "xy"]
    low = numpy_helper.from_array(np.float32(0), "lo")
    graph = Graph.from_proto(model([helper.make_node("Clip", ["x", "lo"], ["y"])], ends[:1], ends[1:], 17, [low]))
    assert before_bound(graph, "y") is None


def test_the_deepest_layer_is_reduced_first(tmp_path):
    """onnxruntime runs each reduction right behind its layer: no two of these four maps are alive together."""
    names = ["x", "a", "b", "c", "y"]
    nodes = [helper.make_node("Sin", [before], [after]) for before, after in pairwise(names)]
    ends = [helper.make_tensor_value_info(n, 1, [1, 2, 16, 16]) for n in ("x", "y")]
    graph = Graph.from_proto(model(nodes, ends[:1], ends[1:]))
    shape = MapShape("NCHW", (1, 2, 16, 16))
    attached = attach(graph, [ChannelReduction(n, n, shape) for n in names[1:]], infer_types(graph))
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    session = onnxruntime.InferenceSession(attached.graph.to_bytes(), options, providers=["CPUExecutionProvider"])
    session.run([attached.outputs[0].greatest], {"x": np.ones((1, 2, 16, 16), np.float32)})
    events = json.loads(Path(session.end_profiling()).read_text())
    run = [event["args"]["op_name"] for event in events if event["name"].endswith("_kernel_time")]
    waves = [place for place, op in enumerate(run) if op == "Sin"]
    assert all(later - earlier > 4 for earlier, later in pairwise(waves)), run
