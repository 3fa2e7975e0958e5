from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

import onnxviz
from onnxviz.activations import Activation, Activations
from onnxviz.draw.statistics import ChannelStatistics, channel_statistics
from onnxviz.draw.style import Style
from onnxviz.errors import ExecutionError, InputError, OnnxvizError, UnsupportedError, UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.results.folder import is_ours
from onnxviz.results.observer import Observer
from onnxviz.results.record import LayerRecord, RunRecord, ViewRecord
from onnxviz.runtime.devices import Placement
from onnxviz.runtime.session import RunOptions
from onnxviz.viewing.options import ViewOptions
from tests.models import model_of

X = np.array([[[[1, -2], [3, 0]]]], np.float32)


def layers_written(record: ViewRecord) -> list[dict[str, Any]]:
    """Return the layers of the first run in `view.json`."""
    return list(record.document()["runs"][0]["layers"])


def test_the_record_says_what_was_drawn(doubling_model: Path, tmp_path: Path) -> None:
    drawn: list[LayerRecord] = []
    ended: list[tuple[RunRecord, list[LayerRecord], Path]] = []

    class Ear(Observer):
        def drawn(self, layer: LayerRecord) -> None:
            drawn.append(layer)

        def ended(self, run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
            ended.append((run, list(layers), folder))

    record = onnxviz.view(doubling_model, X, tmp_path / "maps", ViewOptions(layers="conv"), Ear())
    (layer,) = drawn
    assert ended == [(record.runs[0], drawn, tmp_path / "maps")]
    assert (record.runs[0].preview, record.runs[0].overview) == ("000-conv.png", "overview.png")
    assert (layer.name, layer.output, layer.tap, layer.shape, layer.range) == ("conv", "r", "act", (1, 2, 2, 2), (0, 6))
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "000-conv.png",
        "overview.png",
        "report.html",
        "view.json",
    ]
    assert is_ours(tmp_path / "maps")
    written = json.loads((tmp_path / "maps" / "view.json").read_text("utf-8"))
    assert written["runs"][0]["layers"][0]["channels"][1]["max"] == 2


def test_names_and_places() -> None:
    with pytest.raises(UsageError, match="unknown picture format 'gif'"):
        ViewOptions(format="gif")


def test_without_pictures_the_numbers_are_the_same(doubling_model: Path, tmp_path: Path) -> None:
    inputs = [X, 2 * X, -X]
    drawn = onnxviz.view(doubling_model, inputs, tmp_path / "drawn")
    options = ViewOptions(pictures=False)
    record = onnxviz.view(doubling_model, inputs, tmp_path / "maps", options)
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {"report.html", "view.json"}
    for one, other in zip(record.document()["runs"], drawn.document()["runs"], strict=True):
        assert one["overview"] is None
        for layer, same in zip(one["layers"], other["layers"], strict=True):
            assert layer == same | {"pictures": [], "overview": None}
    assert (tmp_path / "maps" / "report.html").read_text() == (tmp_path / "drawn" / "report.html").read_text()
    # It is ours, and replaced; one input has the same.
    onnxviz.view(doubling_model, X, tmp_path / "maps", replace(options, html=False, raw=tmp_path / "maps.npz"))
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["view.json"]
    assert list(Activations.load(tmp_path / "maps.npz")) == ["conv", "pool"]


def test_without_pictures_the_inputs_that_are_done_are_kept(doubling_model: Path, tmp_path: Path) -> None:
    inputs = [tmp_path / f"{place}.npy" for place in range(3)]
    for place, path in enumerate(inputs):
        np.save(path, X + place)
    options, ended = ViewOptions(pictures=False, resume=True), list[str]()

    class Stops(Observer):
        def ended(self, run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
            ended.append(run.name)
            if len(ended) == 2:
                raise KeyboardInterrupt

    for _ in range(2):
        with suppress(KeyboardInterrupt):
            record = onnxviz.view(doubling_model, inputs, tmp_path / "maps", options, Stops())
    assert ended == ["0", "1", "2"]
    assert [run.name for run in record.runs] == ["0", "1", "2"]
    whole = onnxviz.view(doubling_model, inputs, tmp_path / "whole", options)
    assert record.document()["runs"] == whole.document()["runs"]


def test_what_is_of_pictures_is_refused_without(
    doubling_model: Path, tmp_path: Path, onnxviz_command: Callable[..., Any]
) -> None:
    with pytest.raises(UsageError, match="--no-pictures excludes --gif"):
        ViewOptions(pictures=False, gif=True)
    np.save(tmp_path / "x.npy", X)
    words = ("view", doubling_model, tmp_path / "x.npy", "-o", tmp_path / "maps", "--no-pictures")
    refused = onnxviz_command(*words, "--show")
    assert (refused.code, "--no-pictures excludes --show" in refused.err) == (2, True)
    done = onnxviz_command(*words, "--no-html", "-v")
    assert done.code == 0
    assert "picture" not in done.out
    assert f"view.json is in {tmp_path / 'maps'}" in done.err


def test_a_deep_model_has_an_overview_that_can_be_read(tmp_path: Path) -> None:
    nodes = [helper.make_node("Abs", [f"v{place}"], [f"v{place + 1}"], name=f"abs{place}") for place in range(70)]
    spec = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [spec("v0", 1, [1, 1, 2, 2])], [spec("v70", 1, [1, 1, 2, 2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "deep.onnx")
    record = onnxviz.view(tmp_path / "deep.onnx", X, tmp_path / "maps", ViewOptions(layers="other"))
    assert len(layers_written(record)) == 70
    with Image.open(tmp_path / "maps" / "overview.png") as deep:
        assert deep.height < 64 * 160 + 400


def test_what_was_drawn_is_what_is_counted(tmp_path: Path) -> None:
    """A value of no layer is assumed to be NCHW: on its picture, and in the record."""
    model = model_of(
        tmp_path / "m.onnx",
        "g (float[1,3,4,4] x) => (float[1,3,4,4] y) { e = Exp (x) y = MaxPool <kernel_shape=[1,1]> (e) }",
    )
    record = onnxviz.view(model, np.zeros((1, 3, 4, 4), np.float32), tmp_path / "maps", ViewOptions(layers="e"))
    (layer,) = layers_written(record)
    assert [channel["max"] for channel in layer["channels"]] == [1, 1, 1]
    assert len(Activation("c", "c", "value", np.full((1, 2, 3, 3), 3 + 4j, np.complex64)).maps()) == 2


@pytest.mark.parametrize(
    ("text", "shape", "channels"),
    [
        ("g (float[1,3,4,4] x) => (float y) { y = ReduceSum <keepdims=0> (x) }", (), 1),
        ("g (float[1,3,4,4] x) => (float[1,N,4,4] y) <int64[1] a = {0}, int64[1] b = {1}> { y = Slice (x, a, a, b) }",
         (1, 0, 4, 4), 0),
        ("g (float[1,3,4,4] x) => (float[N,3,4,4] y) <int64[1] a = {0}> { y = Slice (x, a, a, a) }", (0, 3, 4, 4), 0),
        ("g (float[1,3,4,4] x) => (string[1,3,4,4] y) { y = Cast <to=8> (x) }", (1, 3, 4, 4), 0),
    ],
)  # fmt: skip
def test_values_without_maps_are_a_page_that_says_so(
    tmp_path: Path, text: str, shape: tuple[int, ...], channels: int
) -> None:
    model = model_of(tmp_path / "m.onnx", text)
    options = ViewOptions(layers="y", raw=tmp_path / "y.npz")
    record = onnxviz.view(model, np.ones((1, 3, 4, 4), np.float32), tmp_path / "maps", options)
    (layer,) = layers_written(record)
    assert layer["shape"] == list(shape)
    assert len(layer["channels"]) == channels
    assert Activations.load(tmp_path / "y.npz")["y"].array.shape == shape


@pytest.mark.parametrize(
    ("scale", "said"), [("auto", "-5 .. 5"), ("symmetric", "-5 .. 5"), ("channel", "-5 .. 3"), ("layer", "-5 .. 3")]
)
def test_the_same_scale_of_both_signs_has_zero_in_its_middle(tmp_path: Path, scale: str, said: str) -> None:
    model = model_of(tmp_path / "m.onnx", "g (float[1, 2, 2, 2] x) => (float[1, 2, 2, 2] y) {y = Identity(x)}")
    for name, ends in (("a", (-5, 2)), ("b", (-1, 3))):
        np.save(tmp_path / f"{name}.npy", np.linspace(*ends, 8, dtype=np.float32).reshape(1, 2, 2, 2))
    options = ViewOptions(layers="y", same_scale=True, html=False, style=Style(scale=scale))
    onnxviz.view(model, [str(tmp_path / "a.npy"), str(tmp_path / "b.npy")], tmp_path / "maps", options)
    for folder in ("000-a", "001-b"):
        with Image.open(tmp_path / "maps" / folder / "000-y.png") as picture:
            assert picture.text["Scale"] == f"fixed: fixed scale {said}"


SAME = "g (float[1,C,2,200] x) => (float[1,C,2,200] y) { y = Identity(x) }"


def scales_said(tmp_path: Path, arrays: Sequence[np.ndarray], style: Style) -> set[str]:
    """Return the scales that the pictures of several inputs say they have, with `same_scale`."""
    options = ViewOptions(layers="y", same_scale=True, html=False, style=style)
    onnxviz.view(model_of(tmp_path / "m.onnx", SAME), [*arrays], tmp_path / "maps", options)
    found = set()
    for path in (tmp_path / "maps").glob("*/000-y.png"):
        with Image.open(path) as picture:
            found.add(picture.text["Scale"])
    return found


RAMPS = [np.linspace(0, top, 1200, dtype=np.float32).reshape(1, 3, 2, 200) for top in (100, 50)]


@pytest.mark.parametrize(
    ("style", "said"),
    [
        (Style(scale="fixed:0,5"), "0 .. 5"),
        (Style(scale="layer"), "0 .. 100"),
        # 99 % of what is drawn of the brighter input, 1 % of the darker one.
        (Style(scale="percentile"), "0.458716 .. 99.0826"),
        (Style(scale="layer", channels="0"), "0 .. 33.2777"),
        (Style(scale="layer", order="mean", top=1), "33.3611 .. 100"),
    ],
)
def test_the_same_scale_is_the_one_that_is_asked_for_of_the_channels_that_are_drawn(
    tmp_path: Path, style: Style, said: str
) -> None:
    assert scales_said(tmp_path, RAMPS, style) == {f"fixed: fixed scale {said}"}


def test_the_same_scale_leaves_out_the_top_two_in_a_hundred(tmp_path: Path) -> None:
    (said,) = scales_said(tmp_path, RAMPS, Style())
    low, high = map(float, said.removeprefix("fixed: fixed scale ").split(" .. "))
    assert low == 0 and high == pytest.approx(98, abs=0.3)


class Notes(Observer):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def noted(self, text: str) -> None:
        self.said.append(text)


def test_what_the_same_scale_cannot_do_is_said(tmp_path: Path) -> None:
    text = "g (float[1,1,H,W] x) => (float[1,1,H,W] y) { y = Exp (x) }"
    model, notes = model_of(tmp_path / "m.onnx", text), Notes()
    options = ViewOptions(layers="y", same_scale=True, html=False)
    sizes = [np.zeros((1, 1, side, 4), np.float32) for side in (4, 4, 5, 6)]
    onnxviz.view(model, sizes, tmp_path / "maps", options, notes)
    (said,) = notes.said
    assert "1x1x4x4, 1x1x5x4" in said and "cannot be compared" in said
    onnxviz.view(model, sizes[:2], tmp_path / "maps", options, notes)
    assert len(notes.said) == 1
    onnxviz.view(model, sizes[0], tmp_path / "maps", options, notes)
    assert "there is one input" in notes.said[1]


def test_pictures_of_different_sizes_on_one_scale_are_told_of_the_size_option(tmp_path: Path) -> None:
    model = model_of(
        tmp_path / "m.onnx", "g (float[1,3,H,W] x) => (float[1,3,H,W] y) { y = MaxPool <kernel_shape=[1,1]> (x) }"
    )
    for size in (64, 96):
        Image.new("RGB", (size, 64)).save(tmp_path / f"{size}.png")
    for fixed, said in ((None, 1), ((64, 64), 0)):
        notes = Notes()
        feed = FeedOptions(size=fixed, preset="zero-one")
        options = ViewOptions(same_scale=True, html=False, feed=feed, style=Style(scale="fixed:0,1"))
        onnxviz.view(model, [tmp_path / "64.png", tmp_path / "96.png"], tmp_path / "maps", options, notes)
        assert len(notes.said) == said
        assert all("--size HxW" in text for text in notes.said)


def test_a_channel_of_nan_does_not_spoil_the_same_scale(tmp_path: Path) -> None:
    model = model_of(
        tmp_path / "m.onnx",
        "g (float[1,1,2,2] x) => (float[1,2,2,2] y) <float[2,1,1,1] w = {0, 1}> { [c] p = Conv (x, w) y = Sqrt (p) }",
    )
    for name, array in (("a", [[-1, -1], [-1, -1]]), ("b", [[4, 4], [9, 9]])):
        np.save(tmp_path / f"{name}.npy", np.array([[array]], np.float32))
    inputs = [tmp_path / "a.npy", tmp_path / "b.npy"]
    onnxviz.view(model, inputs, tmp_path / "maps", ViewOptions(layers="y", same_scale=True))
    for picture in (tmp_path / "maps").glob("*/000-y.png"):
        assert Image.open(picture).text["Scale"] == "fixed: fixed scale 0 .. 3"


def test_inputs_of_several_sizes_share_one_session(tmp_path: Path) -> None:
    text = "g (float[1,1,H,W] x) => (float[1,1,H,W] y) <float[1,1,1,1] w = {2}> { [conv] c = Conv (x, w) y = Exp (c) }"
    model = model_of(tmp_path / "free.onnx", text)
    for size in range(2, 8):
        np.save(tmp_path / f"{size}.npy", np.ones((1, 1, size, size), np.float32))
    opened: list[Placement] = []

    class Ear(Observer):
        def placed(self, placement: Placement) -> None:
            opened.append(placement)

    record = onnxviz.view(model, str(tmp_path / "*.npy"), tmp_path / "maps", ViewOptions(html=False), Ear())
    assert len(record.runs) == 6
    assert len(opened) == 1


ONE_WIDTH = """g (float[1,1,H,W] x) => (float[1,1,H,W] y) <float[1,1,1,1] w = {2}, float[1,1,1,3] b = {1, 1, 1}> {
    [first] a = Conv (x, w)
    [second] c = Conv (a, w)
    d = Add (c, b)
    y = Exp (d)
}"""
"""Runs on inputs three wide and fails at the addition on others, in pieces after both convolutions were drawn."""


def some_of_which_run(tmp_path: Path) -> list[str]:
    widths = {"a": 3, "odd": 5, "b": 3}
    for place, (name, width) in enumerate(widths.items()):
        np.save(tmp_path / f"{name}.npy", np.full((1, 1, 2, width), place, np.float32))
    return [str(tmp_path / f"{name}.npy") for name in widths]


@pytest.mark.parametrize("memory", [512 * 2**20, 1])
@pytest.mark.parametrize("same_scale", [False, True])
def test_an_input_that_the_model_cannot_run_is_left_out(tmp_path: Path, memory: int, same_scale: bool) -> None:
    model, inputs = model_of(tmp_path / "m.onnx", ONE_WIDTH), some_of_which_run(tmp_path)
    failed: list[str] = []

    class Ear(Observer):
        def failed(self, source: str, error: OnnxvizError) -> None:
            failed.append(f"{source}: {error}")

    options = ViewOptions(layers="all", raw=tmp_path / "raw.npz", run=RunOptions(memory=memory), same_scale=same_scale)
    record = onnxviz.view(model, inputs, tmp_path / "maps", options, Ear())
    assert [run.directory for run in record.runs] == ["000-a", "001-b"]
    ((source, error),) = record.failures
    assert source == inputs[1]
    assert failed == [f"{source}: {error}"]
    assert "could not run the model" in error and "another size may fit" in error
    document = record.document()
    assert document["failures"] == [{"source": source, "error": error}]
    assert [[layer["max"] for layer in run["layers"]] for run in document["runs"]] == [[0, 0, 1], [4, 8, 9]]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir() if path.is_dir()) == ["000-a", "001-b"]
    assert is_ours(tmp_path / "maps")
    raw = Activations.load(tmp_path / "raw.npz")
    assert list(raw) == [f"{run}/{layer}" for run in ("000-a", "001-b") for layer in ("first", "second", "d")]
    assert [float(maps.array.max()) for maps in raw.values()] == [0, 0, 1, 4, 8, 9]


def test_where_no_input_runs_the_first_reason_is_the_error(tmp_path: Path) -> None:
    model, (fits, odd, _) = model_of(tmp_path / "m.onnx", ONE_WIDTH), some_of_which_run(tmp_path)
    (tmp_path / "no.npy").write_bytes(b"no array")
    options = ViewOptions(layers="all")
    with pytest.raises(ExecutionError, match="could not run the model"):
        onnxviz.view(model, [odd, tmp_path / "no.npy"], tmp_path / "maps", options)
    with pytest.raises(InputError, match=r"no\.npy"):
        onnxviz.view(model, [tmp_path / "no.npy", odd], tmp_path / "maps", options)
    with pytest.raises(ExecutionError):
        onnxviz.view(model, [fits, odd], tmp_path / "maps", ViewOptions(layers="all", fail_fast=True))
    assert not (tmp_path / "maps").exists()


def test_a_model_that_cannot_be_opened_is_tried_once(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", "g (float[1,1,H,W] x) => (float[1,1,H,W] y) { y = acme.Fold (x) }")
    failed: list[str] = []

    class Ear(Observer):
        def failed(self, source: str, error: OnnxvizError) -> None:
            failed.append(source)

    with pytest.raises(UnsupportedError, match="Fold"):
        onnxviz.view(model, some_of_which_run(tmp_path), tmp_path / "maps", ViewOptions(layers="y"), Ear())
    assert not failed


def test_the_numbers_of_a_layer_are_found_once(
    doubling_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[int, ...]] = []

    def counted(maps: np.ndarray[Any, Any]) -> ChannelStatistics:
        found.append(maps.shape)
        return channel_statistics(maps)

    for room in ("draw.prepare", "draw.overview.row", "reporting.blocks", "viewing.drawing"):
        monkeypatch.setattr(f"onnxviz.{room}.channel_statistics", counted)
    monkeypatch.setattr("onnxviz.draw.prepare.channel_extremes", counted)
    onnxviz.view(doubling_model, X, tmp_path / "maps", ViewOptions(layers="conv"))
    assert found == [(2, 2, 2)]


def test_a_list_of_arrays_is_a_run_each_and_an_array_is_a_batch(tmp_path: Path) -> None:
    text = "g (float[N,1,2,2] x) => (float[N,1,2,2] y) <float[1,1,1,1] w = {2}> { [conv] y = Conv (x, w) }"
    model = model_of(tmp_path / "free.onnx", text)
    options = ViewOptions(layers="conv", html=False)
    several = onnxviz.view(model, [X, X + 1], tmp_path / "maps", options)
    assert [run.directory for run in several.runs] == ["000-array", "001-array"]
    assert [run["layers"][0]["max"] for run in several.document()["runs"]] == [6, 8]
    batch = onnxviz.view(model, np.concatenate([X, X + 1]), tmp_path / "batch", options)
    assert [run.directory for run in batch.runs] == ["."]
    assert layers_written(batch)[0]["shape"] == [2, 1, 2, 2]


def test_the_arrays_of_an_input_that_fails_take_no_room(tmp_path: Path) -> None:
    model, (fits, odd, other) = model_of(tmp_path / "m.onnx", ONE_WIDTH), some_of_which_run(tmp_path)
    sizes = []
    for name, inputs in (("all", [fits, odd, other]), ("good", [fits, other])):
        options = ViewOptions(layers="all", raw=tmp_path / f"{name}.npz", run=RunOptions(memory=1), html=False)
        onnxviz.view(model, inputs, tmp_path / name, options)
        sizes.append((tmp_path / f"{name}.npz").stat().st_size)
    assert sizes[0] == sizes[1]


def recurrent_model(folder: Path) -> Path:
    """A recurrent layer of two directions, and beside it a product with weights."""
    nodes = [
        helper.make_node("GRU", ["x", "w", "r"], ["y", "h"], name="gru", hidden_size=3, direction="bidirectional"),
        helper.make_node("MatMul", ["z", "side"], ["m"], name="dense"),
        helper.make_node("Relu", ["m"], ["out"], name="relu"),
    ]
    generator = np.random.default_rng(0)
    weights = {"w": (2, 9, 2), "r": (2, 9, 3), "side": (2, 4)}
    held = {name: generator.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    spec = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [spec("x", 1, ["steps", "batch", 2]), spec("z", 1, ["batch", "words", 2])],
        [spec("out", 1, None), spec("h", 1, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    path = folder / "gru.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_layout_that_is_only_likely_says_so_wherever_it_is_used(tmp_path: Path) -> None:
    model = onnxviz.open(recurrent_model(tmp_path))
    fed = {"x": np.ones((5, 1, 2), np.float32), "z": np.ones((1, 4, 2), np.float32)}
    drawn: list[LayerRecord] = []

    class Ear(Observer):
        def drawn(self, layer: LayerRecord) -> None:
            drawn.append(layer)

    options = ViewOptions(layers="gru, h, relu")
    record = onnxviz.view(model, fed, tmp_path / "maps", options, Ear())
    found = {layer["name"]: (layer["layout"], layer["layout_assumed"]) for layer in layers_written(record)}
    assert found == {"gru": ("LGNC", False), "h": ("GNC", False), "relu": ("NLC", True)}
    maps = model.run(fed, layers="gru, h, relu")
    lines = {name: item.caption_line for name, item in maps.items()}
    assert lines["relu"].endswith("layout NLC assumed")
    assert "assumed" not in lines["gru"] + lines["h"]
    assert maps["gru"].maps().shape == (6, 5)
    with Image.open(tmp_path / "maps" / "002-relu.png") as picture:
        assert "layout NLC assumed" in str(picture.info)
    page = (tmp_path / "maps" / "report.html").read_text("utf-8")
    assert "layout NLC assumed" in page


def test_what_is_said_of_a_layout_is_kept_in_a_file(tmp_path: Path) -> None:
    item = Activation("n", "v", "act", np.zeros((1, 2, 3), np.float32), "NLC", "", True)
    Activations([item]).save(tmp_path / "maps.npz")
    assert Activations.load(tmp_path / "maps.npz")["n"].layout_assumed


def test_the_rank_that_a_run_tells_tells_the_layout(tmp_path: Path) -> None:
    text = (
        "g (float[1,6,8] x, int64[K] shape) => (y) <float[4,2] w = {1,2,3,4,5,6,7,8}> "
        "{ r = Reshape (x, shape) d = MatMul (r, w) y = Softmax (d) }"
    )
    model = model_of(tmp_path / "rank.onnx", text)
    fed = {"x": np.ones((1, 6, 8), np.float32), "shape": np.array([1, 12, 4])}
    (shown,) = model.run(fed, layers="dense").values()
    assert (shown.array.shape, (shown.layout or "")[-1], shown.layout_assumed) == ((1, 12, 2), "C", True)
