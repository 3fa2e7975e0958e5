"""Kernels as rows of a figure, of models whose weights are worked out on paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxviz
from onnxviz.draw.figure.cells import TileCell
from onnxviz.draw.figure.common_scale import RowStyle
from onnxviz.draw.figure.figure_rows import SIGNED
from onnxviz.draw.palette import LEVELS
from onnxviz.draw.style import Style
from onnxviz.errors import NoMatchError
from onnxviz.figures.kernels import kernel_row
from onnxviz.inference.kernel_values import kernel_of

PLAIN = RowStyle(Style(theme="light"))


def model_of(path: Path, kernel: np.ndarray, op: str = "Conv", quantised: bool = False) -> Path:
    """Save x -> op(x, w) -> y; with `quantised` w is int8 times a scale."""
    nodes = [helper.make_node(op, ["x", "w"], ["y"], name="layer")]
    weights = [numpy_helper.from_array(kernel, "w")]
    if quantised:
        nodes.insert(0, helper.make_node("DequantizeLinear", ["codes", "step"], ["w"]))
        codes = numpy_helper.from_array((kernel * 2).astype(np.int8), "codes")
        weights = [codes, numpy_helper.from_array(np.float32(0.5), "step")]
    channels = kernel.shape[0 if op == "ConvTranspose" else 1]
    graph = helper.make_graph(
        nodes,
        "kernels",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def cell_of(kernel: np.ndarray, how: RowStyle = PLAIN) -> TileCell:
    (cell,) = kernel_row("conv", kernel, how).cells
    assert isinstance(cell, TileCell)
    return cell


def test_filters_of_three_channels_are_pictures_grey_at_zero(tmp_path: Path) -> None:
    kernel = np.zeros((2, 3, 1, 2), np.float32)
    kernel[0, 0, 0, 0], kernel[1, :, 0, 1] = 2.0, [-2.0, 1.0, 0.5]
    figure = onnxviz.figure(model_of(tmp_path / "m.onnx", kernel), weights="layer")
    first, second = (image.pixels for image in figure.panels[0].marks.images)
    assert first.tolist() == [[[255, 128, 128], [128, 128, 128]]]
    # 127.5 + 127.5 v / 2, and halves are rounded to even.
    assert second.tolist() == [[[128, 128, 128], [0, 191, 159]]]
    (bar,) = figure.bars
    assert (bar.low, bar.high) == (-2.0, 2.0)


@pytest.mark.parametrize("quantised", [False, True])
def test_other_filters_are_rows_about_zero(tmp_path: Path, quantised: bool) -> None:
    kernel = np.arange(-8, 8, dtype=np.float32).reshape(2, 4, 1, 2) / 2
    figure = onnxviz.figure(model_of(tmp_path / "m.onnx", kernel, quantised=quantised), weights="layer")
    images = figure.panels[0].marks.images
    assert len(images) == 8
    assert len({image.place.top for image in images}) == 2
    (bar,) = figure.bars
    assert (bar.low, bar.high) == (-4.0, 4.0)
    assert images[0].pixels.tolist() == [[0, 14]]
    assert images[4].pixels.tolist() == [[LEVELS // 2 - 1, 130]] or images[4].pixels.tolist() == [[115, 130]]
    assert figure.panels[0].channels == (0, 1)


@pytest.mark.parametrize("scale", [[0.5], [0.5, 0.25]])
def test_codes_of_a_quantised_convolution_are_what_they_stand_for(tmp_path: Path, scale: list[float]) -> None:
    codes = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    zero = np.full(len(scale), 3, np.uint8)
    weights = {"s": np.float32(1), "z": np.uint8(0), "w": codes, "ws": np.float32(scale), "wz": zero}
    node = helper.make_node("QLinearConv", ["x", "s", "z", "w", "ws", "wz", "s", "z"], ["y"], name="layer")
    graph = helper.make_graph(
        [node],
        "codes",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "q.onnx")
    model = onnxviz.open(tmp_path / "q.onnx")
    found = kernel_of(model.inference, model.layers["layer"])
    assert found is not None
    # (code - 3) times the scale of its filter
    first, second = scale[0], scale[-1]
    assert found[0, 0].tolist() == [[-3 * first, -2 * first], [-1 * first, 0]]
    assert found[1, 0].tolist() == [[1 * second, 2 * second], [3 * second, 4 * second]]


@pytest.mark.parametrize("transposed", [0, 1])
def test_codes_of_a_quantised_product_have_a_scale_a_column(tmp_path: Path, transposed: int) -> None:
    codes = np.array([[1, 2], [3, 4], [5, 6]], np.int8)
    weights = {
        "s": np.float32(1), "z": np.uint8(0), "w": codes.T if transposed else codes,
        "ws": np.float32([0.5, 2]), "wz": np.int8([0, 1]),
    }  # fmt: skip
    inputs = ["x", "s", "z", "w", "ws", "wz", "", "s", "z"]
    node = helper.make_node("QGemm", inputs, ["y"], name="layer", domain="com.microsoft", transB=transposed)
    graph = helper.make_graph(
        [node],
        "codes",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 2])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in weights.items()],
    )
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=8), tmp_path / "q.onnx")
    model = onnxviz.open(tmp_path / "q.onnx")
    found = kernel_of(model.inference, model.layers["layer"])
    assert found is not None
    assert (found.T if transposed else found).tolist() == [[0.5, 2], [1.5, 6], [2.5, 10]]


def test_a_transposed_convolution_has_its_filters_along_the_second_axis(tmp_path: Path) -> None:
    kernel = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    model = onnxviz.open(model_of(tmp_path / "m.onnx", kernel, "ConvTranspose"))
    found = kernel_of(model.inference, model.layers["layer"])
    assert found is not None
    assert found.shape == (3, 1, 2, 2)
    assert found[1, 0].tolist() == [[4, 5], [6, 7]]


def test_a_filter_of_one_channel_is_one_tile() -> None:
    cell = cell_of(np.ones((12, 1, 3, 3), np.float32))
    assert (len(cell.tiles), cell.tiles[0].shape, cell.columns) == (12, (3, 3), 4)


@pytest.mark.parametrize("shape", [(6, 4, 1, 1), (6, 4), (6, 4, 1)])
def test_a_product_is_one_map(shape: tuple[int, ...]) -> None:
    cell = cell_of(np.arange(24, dtype=np.float32).reshape(shape))
    assert [tile.shape for tile in cell.tiles] == [(6, 4)]
    assert cell.colours is not None


def test_of_many_filters_and_channels_the_first_are_drawn() -> None:
    kernel = np.ones((40, 30, 3, 3), np.float32)
    row = kernel_row("conv", kernel, PLAIN)
    (cell,) = row.cells
    assert isinstance(cell, TileCell)
    assert (len(cell.tiles), cell.columns, row.channels, row.count) == (256, 16, tuple(range(16)), 40)
    chosen = RowStyle(Style(theme="light", channels="3,20", columns=5))
    (cell,) = kernel_row("conv", kernel, chosen).cells
    assert isinstance(cell, TileCell)
    assert (len(cell.tiles), cell.columns) == (10, 5)


def test_kernels_of_sequences_and_volumes_are_maps_too() -> None:
    assert cell_of(np.ones((5, 3, 7), np.float32)).tiles[0].shape == (3, 7)
    volume = cell_of(np.ones((2, 1, 3, 4, 5), np.float32))
    assert (len(volume.tiles), volume.columns, volume.tiles[0].shape) == (6, 3, (4, 5))


def test_the_colours_are_those_of_both_signs() -> None:
    scale = kernel_row("conv", np.ones((2, 2, 3, 3), np.float32), PLAIN).scale
    assert scale is not None
    assert (scale.colormap, scale.low, scale.high) == (SIGNED, -1.0, 1.0)


def test_the_kernels_of_the_bundled_model_are_those_that_it_multiplies_by(bundled_model: Path) -> None:
    model = onnxviz.open(bundled_model)
    kernel = kernel_of(model.inference, model.layers["stem/conv"])
    whole = onnx.load(bundled_model)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in whole.graph.initializer}
    codes, steps = tensors["stem/conv.weight_int8"], tensors["stem/conv.weight_scale"]
    np.testing.assert_allclose(kernel, codes * steps[:, None, None, None], rtol=1e-6)


def test_a_layer_without_a_kernel_is_refused(doubling_model: Path) -> None:
    with pytest.raises(NoMatchError, match="'pool': no kernel, which convolutions and dense layers have"):
        onnxviz.figure(doubling_model, weights="pool")


def test_the_kernel_of_a_layer_behind_a_call_is_its_own(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "loc": 1]>
        g (float[1,1,4,4] x) => (float[] y) <float[1,1,1,1] w = {2}, float[1,1,1,1] v = {3}> {
            h = loc.block (x, w) [last] y = Conv (h, v) }
        <domain: "loc", opset_import: ["": 17]> block (i, k) => (o) { a = Relu (i) c = Conv (a, k) o = Neg (c) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "call.onnx")
    model = onnxviz.open(tmp_path / "call.onnx")
    kernel = kernel_of(model.inference, model.layers["last"])
    assert kernel is not None and kernel.item() == 3
