from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import onnxviz
from onnxviz.activations import Activations
from onnxviz.errors import InputError, NoMatchError, OutputError, RunError, UsageError

X = np.array([[[[1, -2], [3, 0]]]], np.float32)


def test_layers_are_a_mapping_that_shows_itself(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    assert list(model.layers) == ["conv", "relu", "pool"]
    assert model.layers["conv"].act == "r"
    assert "conv" in repr(model.layers)
    assert "<td>conv</td>" in model.layers._repr_html_()


def test_act_is_after_the_nonlinearity_and_op_before(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    assert model.run(X, layers="conv")["conv"].array.tolist() == [[[[2, 0], [6, 0]], [[0, 2], [0, 0]]]]
    assert model.run(X, layers="conv", tap="op")["conv"].array.tolist() == [[[[2, -4], [6, 0]], [[-1, 2], [-3, 0]]]]


def test_a_value_is_taken_literally(doubling_model: Path) -> None:
    maps = onnxviz.open(doubling_model).run(X, layers="c")
    assert maps["c"].tap == "value"
    assert maps["c"].array[0, 0].tolist() == [[2, -4], [6, 0]]


def test_a_dict_renames(doubling_model: Path) -> None:
    assert list(onnxviz.open(doubling_model).run(X, layers={"conv": "first", "pool": "last"})) == ["first", "last"]


def test_layers_themselves_select(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    assert list(model.run(X, layers=[model.layers["pool"], "conv"])) == ["conv", "pool"]


def test_stream_comes_in_graph_order(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    tiny = onnxviz.RunOptions(memory=1)  # every node a piece of its own
    assert [item.name for item in model.stream(X, layers="all", run=tiny)] == ["conv", "pool"]


def test_pieces_give_the_same_bits_as_one_run(bundled_model: Path, cat: Path) -> None:
    model = onnxviz.open(bundled_model)
    whole = model.run(str(cat), layers="conv,pool")
    pieces = model.run(str(cat), layers="conv,pool", run=onnxviz.RunOptions(memory=2**20))
    assert len(whole) == 50
    assert all(np.array_equal(whole[name].array, pieces[name].array) for name in whole)


def test_exposed_values_equal_the_reference(doubling_model: Path, tmp_path: Path) -> None:
    model = onnxviz.open(doubling_model)
    exposed = model.expose("conv", tap="op")
    exposed.save(tmp_path / "out.onnx")
    written = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(written, full_check=True)
    assert [value.name for value in written.graph.output] == ["y", "c"]
    y, c = ReferenceEvaluator(written).run(None, {"x": X})
    maps = model.run(X, layers="conv", tap="op")
    assert np.array_equal(c, maps["conv"].array)
    assert np.array_equal(y, model.run(X, layers="pool")["pool"].array)
    with pytest.raises(OutputError, match="exists"):
        exposed.save(tmp_path / "out.onnx")


def test_exposed_values_of_the_bundled_model_equal_an_output_appended_by_hand(bundled_model: Path, cat: Path) -> None:
    model = onnxviz.open(bundled_model)
    fed = model.feed(str(cat))
    proto = onnx.load(bundled_model)
    layer = model.layers["stage3/block1/expand"]
    proto.graph.output.append(onnx.helper.make_tensor_value_info(layer.act, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    (expected,) = session.run([layer.act], dict(fed.arrays))
    exact = model.run(fed, layers=[layer], run=onnxviz.RunOptions(exact=True))
    assert np.array_equal(exact[layer.name].array, expected)
    assert np.allclose(model.run(fed, layers=[layer])[layer.name].array, expected, atol=1e-4)


def test_verify_finds_no_difference_where_exposing_stops_no_fusion(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    assert model.expose("conv").verify(model).max_abs == 0
    with pytest.raises(RunError, match="nothing to verify"):
        model.expose("conv", only=True).verify(model)


def test_a_session_runs_many_times(doubling_model: Path) -> None:
    with onnxviz.open(doubling_model).session(layers="conv") as session:
        first = session.run(X)
        second = session.run(2 * X)
    assert np.array_equal(2 * first["conv"].array, second["conv"].array)
    with pytest.raises(RunError, match="closed"):
        session.run(X)


def test_save_and_load(doubling_model: Path, tmp_path: Path) -> None:
    maps = onnxviz.open(doubling_model).run(X, layers="all")
    maps.save(tmp_path / "maps.npz")
    loaded = Activations.load(tmp_path / "maps.npz")
    assert list(loaded) == list(maps)
    assert all(np.array_equal(loaded[name].array, maps[name].array) for name in maps)
    assert loaded["conv"].layout == "NCHW"
    with np.load(tmp_path / "maps.npz") as members:
        assert members["names"].tolist() == list(maps)
    (tmp_path / "no.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="holds no activations"):
        Activations.load(tmp_path / "no.npz")


def test_maps_are_channels_first() -> None:
    array = np.arange(12).reshape(1, 2, 2, 3)
    item = onnxviz.Activation("n", "v", "act", array, "NHWC")
    assert item.maps().shape == (3, 2, 2)
    assert item.maps()[1].tolist() == [[1, 4], [7, 10]]


def test_a_model_changed_while_open_is_noticed(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    doubling_model.write_bytes(doubling_model.read_bytes() + b"\x00")
    with pytest.raises(onnxviz.OnnxvizError, match="changed"):
        model.run(X, layers="conv")


def test_wrong_words(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    with pytest.raises(UsageError, match="unknown tap 'relu'"):
        model.select("conv", tap="relu")
    with pytest.raises(NoMatchError):
        model.select("norm")
    with pytest.raises(NoMatchError, match="nothing is left"):
        model.choose(None, exclude=["all"])


def test_a_region_is_what_a_position_sees(bundled_model: Path, cat: Path) -> None:
    model = onnxviz.open(bundled_model)
    seen = model.region("stem/conv", (4, 111), str(cat))  # stride 2, padded behind only: 2i to 2i + 2
    assert [np.flatnonzero(mask).tolist() for mask in seen.masks] == [[8, 9, 10], [222, 223]]
    with pytest.raises(UsageError, match="a region is of one layer; 'conv' selects 49"):
        model.region("conv", (0, 0), str(cat))


def test_public_names() -> None:
    assert set(onnxviz.__all__) <= set(dir(onnxviz))
    for name in onnxviz.__all__:
        getattr(onnxviz, name)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        onnxviz.nope  # noqa: B018
