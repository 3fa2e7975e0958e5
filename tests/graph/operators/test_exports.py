"""Fields and regions of networks of both PyTorch exporters, whose sizes are computed, held against perturbed inputs.

tools/torch_exports.py writes the networks. A layer is looked at in the middle of its map: nothing outside its field
may move its values there, and where the field is exact, the first and the last row and column of it do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxviz
from onnxviz.graph.computed import written_out
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.operators.receptive_field import Status, receptive_fields
from onnxviz.graph.shapes import infer_types
from onnxviz.layout import spatial_axes

EXPORTS = sorted((Path(__file__).parent / "exports").glob("*.onnx"))
SIZES = {"yolo": 64, "unet": 40, "vit": 32, "swin": 64}
Array = np.ndarray[Any, Any]


class Perturbed:
    """A model with one input, and how much perturbing that moves the values of its layers."""

    def __init__(self, path: Path) -> None:
        self.model = onnxviz.open(path)
        self.side = SIZES[path.stem.split("_")[0]]
        random = np.random.default_rng(0)
        self.image = random.standard_normal((2 if "free" in path.stem else 1, 3, self.side, self.side), np.float32)
        self.noise = 30 * random.standard_normal(self.image.shape, np.float32)
        self.layers = [layer for layer in self.model.catalogue if not layer.inside]
        self.values = list(dict.fromkeys(layer.act for layer in self.layers))
        proto = written_out(Graph.from_proto(onnx.load(path)), self.model._computed, self.values).proto
        own = {info.name for info in proto.graph.output}
        proto.graph.output.extend(onnx.ValueInfoProto(name=value) for value in self.values if value not in own)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
        self.base = self.run(self.image)

    def run(self, image: Array) -> dict[str, Array]:
        return dict(zip(self.values, self.session.run(self.values, {"image": image}), strict=True))

    def middle(self, layer: Layer) -> list[int]:
        return [self.base[layer.act].shape[axis] // 2 for axis in spatial_axes(layer.layout)]

    def moves(self, layer: Layer, pixels: Array) -> bool:
        """Return whether perturbing these pixels moves the values in the middle of a layer."""
        at: list[Any] = [slice(None)] * self.base[layer.act].ndim
        for axis, place in zip(spatial_axes(layer.layout), self.middle(layer), strict=True):
            at[axis] = place
        image = np.where(pixels, self.image + self.noise, self.image)
        return not np.array_equal(self.run(image)[layer.act][tuple(at)], self.base[layer.act][tuple(at)])

    def edges(self, seen: Array, ends: Sequence[tuple[int, int]]) -> Iterator[Array]:
        """Yield the first and the last row and column of the pixels that are seen, as far as they are in the input."""
        for axis, pair in enumerate(ends):
            for place in pair:
                if 0 <= place < self.side:
                    line = np.zeros_like(seen)
                    line[(slice(None), place) if axis else place] = True
                    yield line & seen

    def check(self, layer: Layer, seen: Array, ends: Sequence[tuple[int, int]], status: Status) -> None:
        assert seen.all() or not self.moves(layer, ~seen), (layer.name, ends)
        if status is Status.EXACT:
            assert all(self.moves(layer, line) for line in self.edges(seen, ends) if line.any()), (layer.name, ends)


@pytest.fixture(scope="module", params=EXPORTS, ids=[path.stem for path in EXPORTS])
def perturbed(request: pytest.FixtureRequest) -> Perturbed:
    return Perturbed(request.param)


def test_shapes_are_told_as_far_as_sizes_are_fixed(perturbed: Perturbed) -> None:
    for layer in perturbed.layers:
        shape = perturbed.base[layer.act].shape
        assert layer.shape is not None and len(layer.shape) == len(shape), layer.name
        if len(perturbed.image) == 1:
            assert layer.shape == shape, layer.name
        for size, truth in zip(layer.shape, shape, strict=True):
            assert not isinstance(size, int) or size == truth, layer.name


@pytest.mark.parametrize("measured", [False, True], ids=["listed", "measured"])
def test_fields(perturbed: Perturbed, measured: bool) -> None:
    model = perturbed.model.measured(perturbed.image) if measured else perturbed.model
    checked = 0
    for layer in model.catalogue:
        field, rank = layer.receptive_field, len(spatial_axes(layer.layout))
        if measured:
            assert layer.shape == perturbed.base[layer.act].shape, layer.name
        if field is None or field.size is None or rank != 2:
            continue
        if field.start is None or field.stride is None:  # windows, which no axis of space counts
            assert perturbed.base[layer.act].ndim == 4 and layer.layout_assumed
            continue
        firsts = [
            int(np.floor(float(start + place * stride) + 0.5))
            for start, place, stride in zip(field.start, perturbed.middle(layer), field.stride, strict=True)
        ]
        ends = [(first, first + size - 1) for first, size in zip(firsts, field.size, strict=True)]
        inside = [(np.arange(perturbed.side) >= first) & (np.arange(perturbed.side) <= last) for first, last in ends]
        seen = inside[0][:, None] & inside[1]
        if field.reaches_whole:
            assert seen.all() or field.status is not Status.EXACT or perturbed.moves(layer, ~seen), layer.name
        else:
            perturbed.check(layer, seen, ends, field.status)
            checked += 1
    assert checked


def around(seen: Array) -> Array:
    """Return how far what each position sees reaches along axis 0; its ends are neighbours, as a roll joins them."""
    gap, longest = np.zeros((2, *seen.shape[1:]), int)
    for line in (*seen, *seen):
        gap = np.where(line, 0, gap + 1)
        longest = np.maximum(longest, gap)
    return np.maximum(len(seen) - longest, 0)


def test_no_position_sees_more_than_its_field(perturbed: Perturbed) -> None:
    """Each row and each column is perturbed; tokens and windows, which no axis of space counts, are judged as well."""
    spans: dict[str, list[int]] = {value: [] for value in perturbed.values}
    for axis in (2, 3):
        moved: dict[str, list[Array]] = {value: [] for value in perturbed.values}
        for place in range(perturbed.side):
            image = perturbed.image.copy()
            line = (slice(None), slice(None), *(place if at == axis else slice(None) for at in (2, 3)))
            image[line] += perturbed.noise[line]
            for value, array in perturbed.run(image).items():
                moved[value].append(array != perturbed.base[value])
        for value, lines in moved.items():
            spans[value].append(int(around(np.stack(lines)).max()))
    for layer in perturbed.layers:
        field = layer.receptive_field
        if field is None or field.size is None:
            continue
        limit = [perturbed.side] * 2 if field.reaches_whole else [min(size, perturbed.side) for size in field.size]
        assert all(span <= most for span, most in zip(spans[layer.act], limit, strict=True)), layer.name
        if field.status is Status.EXACT and max(field.size) < perturbed.side // 2:
            assert spans[layer.act] == limit, layer.name


def test_regions_of_convolutions(perturbed: Perturbed) -> None:
    for layer in perturbed.layers:
        if layer.kind == "conv":
            found = perturbed.model.region(layer, perturbed.middle(layer), perturbed.image)
            perturbed.check(layer, found.masks[0][:, None] & found.masks[1], found.box, found.status)


@pytest.mark.parametrize("stem", ["yolo_script_fixed", "yolo_script_free", "yolo_dynamo_fixed", "yolo_dynamo_free"])
def test_halves_of_channels_are_no_gates(stem: str) -> None:
    model = onnxviz.open(Path(__file__).parent / "exports" / f"{stem}.onnx")
    fields = [layer.receptive_field for layer in model.select("conv")]
    assert len(fields) == 20  # 2 stems, 3 C2f of 4, SPPF of 2, 2 between them, 2 heads
    assert not any(field is None or field.reaches_whole or field.size is None for field in fields)
    # stem and second: 3 + 2 * 2 = 7 px; two 3x3 of stride 4 in the first C2f: 7 + 2 * 2 * 4
    assert [field.size for field in fields[:6] if field] == [(3, 3), (7, 7), (7, 7), (15, 15), (23, 23), (23, 23)]
    assert {field.status for field in fields[:6] if field} == {Status.EXACT}


# Two 3x3 convolutions of 8-bit codes with all that stands between them in a network of onnxruntime's quantizer.
QUANTISED = """<ir_version: 9, opset_import: ["": 17, "com.microsoft": 1]>
g (float[1,2,16,16] x) => (float[1,6] y)
<float s = {0.05}, uint8 z = {9}, uint8[2,2,3,3] w = {WWW}, uint8[6,4] f = {FFF}> {
    q = QuantizeLinear (x, s, z)
    c = QLinearConv <pads=[1,1,1,1]> (q, s, z, w, s, z, s, z)
    g = com.microsoft.QLinearSigmoid (c, s, z, s, z)
    m = com.microsoft.QLinearMul (c, s, z, g, s, z, s, z)
    a = com.microsoft.QLinearAdd (m, s, z, q, s, z, s, z)
    l = com.microsoft.QLinearLeakyRelu <alpha=0.1> (a, s, z, s, z)
    p = com.microsoft.QLinearAveragePool <kernel_shape=[2,2], strides=[2,2]> (l, s, z, s, z)
    d = QLinearConv <pads=[1,1,1,1]> (p, s, z, w, s, z, s, z)
    j = com.microsoft.QLinearConcat <axis=1> (s, z, d, s, z, p, s, z)
    o = com.microsoft.QLinearGlobalAveragePool (j, s, z, s, z)
    r = Flatten (o)
    y = com.microsoft.QGemm <transB=1> (r, s, z, f, s, z)
}"""


def test_quantised_operators_are_followed_like_their_float_kin(tmp_path: Path) -> None:
    text = QUANTISED.replace("WWW", ",".join(map(str, range(36)))).replace("FFF", ",".join(map(str, range(24))))
    proto = onnx.parser.parse_model(text)
    onnx.save(proto, tmp_path / "quantised.onnx")
    model = onnxviz.open(tmp_path / "quantised.onnx")
    values = [value for node in model.graph.nodes for value in node.outputs]
    proto.graph.output.extend(onnx.ValueInfoProto(name=value) for value in values if value != "y")
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    image = np.zeros((1, 2, 16, 16), np.float32)
    for value, array in zip(values, session.run(values, {"x": image}), strict=True):
        spec = model.types[value]
        assert (spec.shape, spec.dtype) == (array.shape, str(array.dtype)), value
    fields = receptive_fields(model.graph, model.types)
    # 3; an average of two more: 4; and 2 * 2 with 3x3 of stride 2: 8
    found = {value: (field.size, field.status) for value, field in fields.items()}
    assert found | dict.fromkeys("cgmal", ((3, 3), Status.EXACT)) == found
    assert found | {"p": ((4, 4), Status.EXACT)} | dict.fromkeys("dj", ((8, 8), Status.EXACT)) == found
    assert fields["y"].status is Status.WHOLE_INPUT


FUSED = """<ir_version: 9, opset_import: ["": 21, "com.microsoft": 1]>
g (float[1,4,8,8] x, float[4,4,3,3] w, float[4] b, float[5,256] f) => (float[A,B] y) {
    n = GroupNormalization <num_groups=2> (x, b, b)
    c = com.microsoft.FusedConv <activation="Relu", pads=[1,1,1,1], kernel_shape=[3,3]> (n, w, b)
    g = com.microsoft.QuickGelu (c)
    e = Flatten (g)
    y = com.microsoft.FusedGemm <activation="Relu", transB=1> (e, f)
}"""


def test_operators_that_onnx_does_not_infer_have_shapes() -> None:
    graph = Graph.from_proto(onnx.parser.parse_model(FUSED))
    types = infer_types(graph)
    assert {value: types[value].shape for value in "ncgey"} == {
        **dict.fromkeys("ncg", (1, 4, 8, 8)),
        "e": (1, 256),
        "y": (1, 5),
    }
