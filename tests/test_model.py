from __future__ import annotations

import inspect
import json
import re
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

import onnxviz
from onnxviz.activations import Activation, Activations, RawWriter
from onnxviz.errors import InputError, NoMatchError, OutputError, RunError, UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.operators.receptive_field import Status
from onnxviz.layout import Steps
from onnxviz.model import choices_of
from onnxviz.runtime.session import RunOptions
from tests.models import model_of

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


def test_what_is_no_file_of_activations_is_refused(tmp_path: Path) -> None:
    def refused(why: str, **members: object) -> None:
        np.savez(tmp_path / "no.npz", **members)
        with pytest.raises(InputError, match=why):
            Activations.load(tmp_path / "no.npz")

    fact = {"name": "a", "value": "a", "tap": "act", "layout": "NC", "op": ""}
    array = {"0000": np.ones((1, 2))}
    refused("holds no activations written by onnxviz: 'facts", x=np.ones(2))
    refused("holds no activations .* is not a tap", facts=json.dumps([fact | {"tap": "<img>"}]), **array)
    refused("holds no activations", facts=json.dumps([fact | {"steps": {"first": "x"}}]), **array)
    refused("holds no activations .* the layout '<img", facts=json.dumps([fact | {"layout": "<img src=x>"}]), **array)
    refused("holds no activations", facts="[" * 100_000, **array)
    (tmp_path / "no.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read as an array"):
        Activations.load(tmp_path / "no.npz")


def test_names_are_text_in_a_notebook() -> None:
    hostile = Activation("<b>", "v", "<img src=x>", np.ones((1, 1)), "<i>")
    shown = Activations([hostile])._repr_html_()
    assert "&lt;b&gt;" in shown
    assert not {"<b>", "<img", "<i>"} & set(re.findall("<[a-z]+>?", shown))


def test_a_raw_file_that_cannot_be_ended_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = Activation("a", "a", "act", np.ones((1, 1)), "NC")
    monkeypatch.setattr(json, "dumps", lambda document: 1 / 0)
    with pytest.raises(ZeroDivisionError), RawWriter.open(tmp_path / "a.npz", force=False) as raw:
        raw.add(item)
    assert not list(tmp_path.iterdir())


def test_a_montage_can_be_saved_as_anything_and_takes_channels_as_the_command_does(tmp_path: Path) -> None:
    item = Activation("n", "v", "act", np.arange(32, dtype=np.float32).reshape(1, 8, 2, 2), "NCHW")
    some = item.montage(channels="0-1,7")
    some.save(tmp_path / "maps.jpg")
    assert np.array_equal(some, item.montage(channels=(0, 1, 7)))
    assert not np.array_equal(some, item.montage())
    with pytest.raises(UsageError, match="numbers and ranges"):
        item.montage(channels="7-0")


def test_a_montage_takes_a_style_and_changes_to_it() -> None:
    item = Activation("n", "v", "act", np.arange(32, dtype=np.float32).reshape(1, 8, 2, 2), "NCHW")
    style = onnxviz.Style(theme="light", bare=True)
    assert np.array_equal(item.montage(style), item.montage(theme="light", bare=True))
    assert np.array_equal(item.montage(style, theme="dark"), item.montage(bare=True))
    assert [page.size for page in item.pages(style, rows=1)] == [item.montage(style, rows=1).size]
    with pytest.raises(TypeError, match="colour"):
        item.montage(colour="red")  # type: ignore[call-arg]


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
    with pytest.raises(UsageError, match="`relu` is not a tap"):
        model.select("conv", tap="relu")
    with pytest.raises(NoMatchError):
        model.select("norm")
    with pytest.raises(NoMatchError, match="matches nothing, or all of it is excluded"):
        choices_of(model, None, ["all"])


def test_a_region_is_what_a_position_sees(bundled_model: Path, cat: Path) -> None:
    model = onnxviz.open(bundled_model)
    seen = model.region("stem/conv", (4, 111), str(cat))  # stride 2, padded behind only: 2i to 2i + 2
    assert seen.box == ((8, 10), (222, 223))
    assert repr(seen) == "<Region of 'image': 8..10 x 222..223, exact>"
    assert [np.flatnonzero(mask).tolist() for mask in seen.masks] == [[8, 9, 10], [222, 223]]
    with pytest.raises(UsageError, match="a region is of one layer; 'conv' selects 49"):
        model.region("conv", (0, 0), str(cat))


def test_an_error_of_the_runtime_names_the_sizes_that_are_a_choice(tmp_path: Path) -> None:
    """x (1,1,H,W) + 3 values along W: fails for every W but 3."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "b"], ["s"]), helper.make_node("MaxPool", ["s"], ["y"], kernel_shape=[1, 1])],
        "three",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, "H", "W"])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones((1, 1, 1, 3), np.float32), "b")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    model = onnxviz.open(tmp_path / "m.onnx")
    assert model.run(np.ones((1, 1, 2, 3), np.float32))["y"].array.shape == (1, 1, 2, 3)
    advice = r"'x' \(1x1xHxW\) is fed 1x1x2x5: another size may fit \(--size HxW, --dim H=N, --dim W=N\)"
    with pytest.raises(RunError, match=advice):
        model.run(np.ones((1, 1, 2, 5), np.float32))
    with model.session() as session, pytest.raises(RunError, match=advice):
        session.run(np.ones((1, 1, 2, 5), np.float32))


def test_steps_of_time_are_no_patches_of_a_picture(tmp_path: Path) -> None:
    """A MatMul over 9 steps: of a sequence (1,9,4) it is bands, of patches (1,4,3,3) a grid."""

    def model(name: str, shape: list[int | str], before: list[onnx.NodeProto]) -> onnxviz.Model:
        graph = helper.make_graph(
            [*before, helper.make_node("MatMul", ["t", "w"], ["y"], name="proj")],
            name,
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 9, 2])],
            [
                numpy_helper.from_array(np.ones((shape[-1] if len(shape) == 3 else 3, 2), np.float32), "w"),
                numpy_helper.from_array(np.array([1, 3, 9], np.int64), "s"),
            ],
        )
        path = tmp_path / f"{name}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return onnxviz.open(path)

    steps = model("steps", ["N", 9, 4], [helper.make_node("Identity", ["x"], ["t"])])
    assert steps.run(np.ones((1, 9, 4), np.float32), layers="proj")["proj"].layout == "NLC"
    patches = model(
        "patches",
        [1, 3, 3, 3],
        [
            helper.make_node("Reshape", ["x", "s"], ["f"]),
            helper.make_node("Transpose", ["f"], ["t"], perm=[0, 2, 1]),
        ],
    )
    assert patches.run(np.ones((1, 3, 3, 3), np.float32), layers="proj")["proj"].layout == "NTC"


CHAIN = """g (float[1,1,2,2] x) => (float[1,1,2,2] e) <float[1,1,1,1] w = {2}> {
    [one] a = Conv (x, w)
    [two] b = Conv (a, w)
    [three] c = Conv (b, w)
    [body] e = Neg (c)
}"""


def test_what_is_handed_out_can_be_changed_while_the_model_runs(tmp_path: Path) -> None:
    model = model_of(tmp_path / "chain.onnx", CHAIN)
    options = RunOptions(memory=16)
    x = np.ones((1, 1, 2, 2), np.float32)
    fed = model.feed(x)
    assert len(model.inference.plan(["a", "b", "c"], fed, options.memory).pieces) == 2
    seen = []
    for activation in model.stream(fed, layers="x,conv", run=options):
        seen.append(float(activation.array.max()))
        activation.array[:] = -1
    assert seen == [1, 2, 4, 8]
    assert fed.arrays["x"].max() == 1


@pytest.mark.parametrize("memory", [512 * 2**20, 64])
def test_pieces_are_the_same_whatever_size_is_fed(tmp_path: Path, memory: int) -> None:
    """The file claims a size that was true of its author's input only."""
    model = model_of(
        tmp_path / "free.onnx",
        """g (float[1,1,H,W] x) => (float[1,1,H,W] e) <float[1,1,1,1] w = {2}, float[1,1,7,7] b> {
            [one] a = Conv (x, w)
            [body] b = Relu (a)
            [two] c = Conv (b, w)
            [end] e = Neg (c)
        }""",
    )
    feeds = [model.feed(np.full((1, 1, size, size), -1, np.float32)) for size in (4, 5)]
    plans = [model.inference.plan(["a", "b", "c"], fed, memory).pieces for fed in feeds]
    assert (len(plans[0]) == 1) == (memory > 64)
    assert plans[0] == plans[1]
    executor = model.inference.executor(onnxviz.RunOptions(memory=memory))
    for fed in feeds:
        maps = list(model.inference.stream(choices_of(model, "a, b, c")[0], fed, executor))
        assert [float(activation.array.min()) for activation in maps] == [-2, 0, 0]
        assert {activation.array.shape for activation in maps} == {fed.arrays["x"].shape}


def test_a_session_hands_out_what_it_was_fed(doubling_model: Path) -> None:
    with onnxviz.open(doubling_model).session(layers="x, conv") as session:
        maps = session.run(X)
        assert session.placement.nodes == session.placement.total
    assert list(maps) == ["x", "conv"]
    assert maps["x"].array is not X and np.array_equal(maps["x"].array, X)
    with onnxviz.open(doubling_model).session(layers="x") as session:
        assert np.array_equal(session.run(X)["x"].array, X)
        assert (session.placement.device, session.placement.nodes) == ("cpu", 0)


def test_what_is_excluded_is_not_run(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    assert list(model.run(X, layers="all", exclude=["pool"])) == ["conv"]
    with model.session("all", exclude=["pool"]) as session:
        assert list(session.run(X)) == ["conv"]


def test_a_region_is_of_what_is_fed(tmp_path: Path) -> None:
    text = "g (float[1,1,H,W] x) => (float[1,1,H,W] y) <float[1,1,1,1] w = {2}> { [conv] y = Conv (x, w) }"
    model = model_of(tmp_path / "free.onnx", text)
    found = model.region("conv", (3, 5), Image.new("L", (9, 9)), feed=FeedOptions(preset="raw", size=(4, 6)))
    assert [np.flatnonzero(mask).tolist() for mask in found.masks] == [[3], [5]]
    assert [mask.size for mask in found.masks] == [4, 6]


def test_selections_of_layers_and_texts(tmp_path: Path) -> None:
    model = model_of(tmp_path / "chain.onnx", CHAIN)
    one, two, three = model.layers["one"], model.layers["two"], model.layers["three"]
    assert model.select([three, one, "two"]) == (one, two, three)
    assert model.select(two) == (two,)
    assert model.select([three, one], exclude=["two,three"]) == (one,)
    assert model.select([three, one], exclude=["pool"]) == (one, three)
    with pytest.raises(NoMatchError, match="all of it is excluded"):
        model.select([three], exclude=["conv"])
    for given in ([three], {"one": "first"}, "conv", None):
        with pytest.raises(NoMatchError, match="nothing is called `tow`"):
            choices_of(model, given, ["tow"])
    with pytest.raises(NoMatchError, match="the layer 'two' is of another model: nothing makes 'other' in this one"):
        model.select([replace(two, act="other")])
    with pytest.raises(UsageError, match="a selection is a text or a layer, not int"):
        model.select(["conv", 3])  # type: ignore[list-item]
    with pytest.raises(NoMatchError, match="'x' can be exposed and viewed, but is not a layer"):
        model.select("x")
    x = np.ones((1, 1, 2, 2), np.float32)
    assert list(model.run(x, layers={"three": "last", "one": "first"})) == ["first", "last"]
    assert model.expose({"one": "first", "two": "second"}, exclude=["one"]).outputs[1].name == "b"
    with pytest.raises(UsageError, match="'a' is given two names: 'p' and 'q'"):
        model.run(x, layers={"one": "p", "a": "q"})


def test_a_layer_inside_a_body_runs_like_any_other(tmp_path: Path) -> None:
    model = model_of(
        tmp_path / "if.onnx",
        """g (float[1,1,2,2] x, bool k) => (float[1,1,2,2] y) <float[1,1,1,1] w = {2}> {
            y = If (k) <
                then_branch = t () => (float[1,1,2,2] p) { [inner] p = Conv (x, w) },
                else_branch = f () => (float[1,1,2,2] q) { [other] q = Neg (x) }
            >
        }""",
    )
    (inner,) = [layer for layer in model.catalogue if layer.kind == "conv"]
    fed = {"x": np.ones((1, 1, 2, 2), np.float32), "k": True}
    found = model.run(fed, layers=[inner])["y/then_branch/inner"]
    assert (found.array.tolist(), found.layout) == ([[[[2, 2], [2, 2]]]], "NCHW")
    assert [np.flatnonzero(mask).tolist() for mask in model.region(inner, (0, 1), fed).masks] == [[0], [1]]


def test_the_region_inside_a_loop_of_a_loop_is_at_most_the_whole_input(tmp_path: Path) -> None:
    model = model_of(
        tmp_path / "loops.onnx",
        """g (float[1,1,2,2] x, int64 n) => (float[1,1,2,2] y) <bool true = {1}, float[1,1,1,1] w = {2}> {
            [outer] y = Loop (n, true, x) <body = b (int64 i, bool c, float[1,1,2,2] v) => (bool d, float[1,1,2,2] r) {
                d = Identity (c)
                [inner] r = Loop (n, c, v) <body = k (int64 j, bool e, float[1,1,2,2] u) => (bool f, float[1,1,2,2] s) {
                    f = Identity (e)
                    [conv] s = Conv (u, w)
                }>
            }>
        }""",
    )
    fed = {"x": np.ones((1, 1, 2, 2), np.float32), "n": np.array(2)}
    (conv,) = model.select("conv")
    assert all(mask.all() for mask in model.region(conv, (0, 1), fed).masks)


def test_layers_inside_functions_are_among_a_models_layers(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "loc": 1]>
        g (float[1,1,2,2] x) => (float[1,1,2,2] y) <float[1,1,1,1] w = {2}> {
            [one] h = loc.block (x, w) [two] y = loc.block (h, w) }
        <domain: "loc", opset_import: ["": 17]> block (i, k) => (o) { [conv] c = Conv (i, k) [act] o = Relu (c) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "functions.onnx")
    model = onnxviz.open(tmp_path / "functions.onnx")
    assert list(model.layers) == ["one/conv", "one/act", "two/conv", "two/act"]
    assert [layer.name for layer in model.select("conv[1]")] == ["two/conv"]
    assert model.select(model.layers["one/conv"]) == (model.layers["one/conv"],)
    assert model.layers["two/conv"].inside == "block #1"
    assert model.types["one/c"].shape == (1, 1, 2, 2)
    assert [node.op for node in model.graph.nodes] == ["block", "block"]
    x = np.full((1, 1, 2, 2), -3, np.float32)
    # What a call puts out is a value like any other, whichever layer inside makes it.
    assert float(model.run(x, layers="one/act")["one/act"].array.max()) == 0


def test_a_region_goes_by_the_layout(tmp_path: Path) -> None:
    model = model_of(
        tmp_path / "last.onnx",
        """g (float[1,3,4,6] x) => (float[1,4,6,1] r) <float[1,3,1,1] w = {1, 1, 1}> {
            [conv] c = Conv (x, w)
            [last] t = Transpose <perm = [0, 2, 3, 1]> (c)
            [relu] r = Relu (t)
        }""",
    )
    assert model.layers["relu"].layout == "NHWC"
    x = np.ones((1, 3, 4, 6), np.float32)
    found = model.region("relu", (2, 5), x)
    assert [np.flatnonzero(mask).tolist() for mask in found.masks] == [[2], [5]]
    with pytest.raises(UsageError, match=r"position \(4, 0\) lies outside"):
        model.region("relu", (4, 0), x)
    with pytest.raises(UsageError, match=r"a position has whole numbers, not 2\.5"):
        model.region("relu", (2.5, 0), x)  # type: ignore[arg-type]


def test_texts_and_names_that_stand_twice_are_kept(tmp_path: Path) -> None:
    texts = Activation("s", "s", "value", np.array(["a", "bc"], object), "S", steps=Steps(0, 1, 5, "element"))
    items = [Activation("n", "v", tap, np.full(1, value)) for value, tap in enumerate(("act", "op", "op", "op"))]
    Activations([texts, *items]).save(tmp_path / "maps.npz")
    read = Activations.load(tmp_path / "maps.npz")
    assert (read["s"].steps, read["n"].steps) == (Steps(0, 1, 5, "element"), None)
    assert list(read) == ["s", "n", "n (v)", "n (op)", "n (2)"]
    assert read["s"].array.tolist() == ["a", "bc"]
    assert [int(read[name].array[0]) for name in list(read)[1:]] == [0, 1, 2, 3]
    (tmp_path / "empty.npz").touch()
    with pytest.raises(InputError, match=r"empty\.npz"):
        Activations.load(tmp_path / "empty.npz")


def test_sizes_are_measured_on_the_graph_that_runs(tmp_path: Path) -> None:
    """Each branch fits one length only: with the input's length fixed, onnxruntime refuses the other."""
    model = model_of(
        tmp_path / "lengths.onnx",
        """g (float[1,1,L] x) => (float[1,1,M] y) <
            float[1,1,2] short = {1, 2}, float[1,1,3] long = {1, 2, 3}, int64[1] three = {3}, int64 two = {2}
        > {
            shape = Shape (x)
            length = Gather (shape, two)
            full = Equal (length, three)
            flag = Squeeze (full)
            z = If (flag) <
                then_branch = t () => (float[1,1,3] p) { p = Add (x, long) },
                else_branch = f () => (float[1,1,2] q) { q = Add (x, short) }
            >
            [pool] y = MaxPool <kernel_shape = [1]> (z)
        }""",
    )
    measured = model.measured(np.ones((1, 1, 3), np.float32))
    assert measured.layers["pool"].shape == (1, 1, 3)


def test_a_picture_is_fed_in_the_layout_that_the_graph_has(tmp_path: Path) -> None:
    """Every size is free: by its shape alone the input would be NCHW."""
    model = model_of(
        tmp_path / "last.onnx",
        """g (float[N,H,W,C] x) => (float[N,1,H,W] y) <float[1,3,1,1] w = {1, 10, 100}> {
            t = Transpose <perm = [0, 3, 1, 2]> (x)
            [conv] y = Conv (t, w)
        }""",
    )
    picture = np.full((2, 4, 3), (1, 2, 3), np.uint8)
    fed = model.feed(Image.fromarray(picture), FeedOptions(preset="raw", size=(2, 4)))
    assert fed.main.layout == "NHWC"
    assert model.run(fed, layers="conv")["conv"].array.tolist() == [[[[321.0] * 4] * 2]]


@pytest.mark.parametrize("source", [[X, X], (X,), [], ["a.npy", "b.npy"], [[[[1, 2], [3, 4]]]]])
def test_a_list_is_several_runs_and_never_one(doubling_model: Path, source: list[object]) -> None:
    model = onnxviz.open(doubling_model)
    refused = f"a list of {len(source)} inputs is {len(source)} runs, and one run is fed here: .* a batch as one array"
    for once in (model.run, model.stream, model.feed, model.measured, model.session("conv").run):
        with pytest.raises(InputError, match=refused):
            once(source)


def test_a_batch_is_one_array_and_numbers_for_an_input_may_be_written_out(tmp_path: Path) -> None:
    text = "g (float[N,1,2,2] x) => (float[N,1,2,2] y) <float[1,1,1,1] w = {2}> { [conv] y = Conv (x, w) }"
    model = model_of(tmp_path / "free.onnx", text)
    assert model.run(np.concatenate([X, X + 1]), layers="conv")["conv"].array[:, 0, 0, 0].tolist() == [2, 4]
    assert model.run({"x": X.tolist()}, layers="conv")["conv"].array[0, 0, 1].tolist() == [6, 0]


def test_a_run_takes_few_calls_of_ours_down_to_onnxruntime(
    doubling_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks: list[list[str]] = []

    def noted(session: object, outputs: list[str], feed: dict[str, object]) -> list[np.ndarray]:
        frames = traceback.walk_stack(inspect.currentframe())
        ours = [frame.f_code.co_qualname for frame, _ in frames if frame.f_globals["__name__"].startswith("onnxviz.")]
        stacks.append(ours[::-1])
        return [np.zeros(1, np.float32) for _ in outputs]

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", noted)
    model = onnxviz.open(doubling_model)
    model.run(X, layers="conv")
    with model.session("conv") as session:
        session.run(X)
    assert [stack[0] for stack in stacks] == ["Model.run", "ModelSession.run"]
    assert all(stack[-1] == "Session.run" and len(stack) <= 6 for stack in stacks), stacks


# How many numbers of x are not 0 only a run tells; so many rows are taken.
OPEN_SIZE = """g (float[1,1,9,6] x) => (float[1,1,H,6] y)
    <float[1,1,3,3] w = {1, 1, 1, 1, 1, 1, 1, 1, 1}, int64[1] two = {2}, int64[1] zero = {0}> {
    i = NonZero (x) s = Shape <start=1> (i) k = Slice (x, zero, s, two) y = Conv <pads=[1,1,1,1]> (k, w)
}"""


def test_a_region_behind_sizes_that_only_a_run_tells(tmp_path: Path) -> None:
    model = model_of(tmp_path / "open.onnx", OPEN_SIZE)
    image = np.ones((1, 1, 9, 6), np.float32)
    assert model.layers["y"].shape == (1, 1, "H", 6)
    for asked in (model, model.measured(image)):
        found = asked.region("y", (4, 5), image)
        assert (found.box, found.status) == (((3, 5), (4, 5)), Status.EXACT)


def test_a_region_of_absurd_size_is_refused(tmp_path: Path) -> None:
    text = "g (float[1,1,4,4] x) => (float[1,1,H,4] y) <int64[4] n = {1, 1, 536870912, 1}> { y = Tile (x, n) }"
    model = model_of(tmp_path / "tile.onnx", text)
    with pytest.raises(
        UsageError, match="'y' is 1x1x2147483648x4: a region is followed over 16777216 positions at most"
    ):
        model.region("y", (0, 0), np.ones((1, 1, 4, 4), np.float32))
