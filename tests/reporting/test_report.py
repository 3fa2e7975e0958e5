from __future__ import annotations

import base64
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import onnxviz
from onnxviz.activations import Activation, Activations
from onnxviz.bounds import Bounds
from onnxviz.draw.statistics import channel_statistics
from onnxviz.errors import InputError, OutputError, UsageError
from onnxviz.layout import Steps, TokenGrid
from onnxviz.quantised import Quantised
from onnxviz.reporting.collect import MOST_RUNS, Collector
from onnxviz.reporting.contents import ReportModel, ReportRun
from onnxviz.reporting.html_file import write_report
from onnxviz.reporting.report import ReportOptions

Reader = Callable[[Path], Any]
Closeness = Callable[[np.ndarray, np.ndarray], None]

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!-- ]]> --> &lt;b&gt; &amp;",
    "\u202egnp.exe\u2066",
    "line\u2028feed\u2029\r\n\x00\x1b[31m",
    "\ud800 alone",
    "n" * 10_000,
]


def write(
    maps: dict[str, tuple[np.ndarray, str | None]], path: Path, **options: Any
) -> onnxviz.reporting.report.Report:
    items = [Activation(name, f"{name}:0", "act", array, layout, "Conv") for name, (array, layout) in maps.items()]
    return onnxviz.report(Activations(items), path, options=ReportOptions(**options))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_the_codes_of_a_map_worked_out_on_paper(tmp_path: Path, read_report: Reader) -> None:
    maps = np.array([[[[0, 1], [2, 4]], [[7, 7], [7, 7]]]], np.float32)
    write({"conv": (maps, "NCHW")}, tmp_path / "r.html")
    report = read_report(tmp_path / "r.html")
    # 256 steps of 4 / 256; the greatest value belongs to the last; a single value takes no steps. All six codes at an
    # end are that end itself.
    assert list(report.blocks.values()) == [bytes([0, 64, 128, 255, 0, 0, 0, 0, 0b11111100])]
    assert report.values(0)[0].ravel().tolist() == [0, 1.0078125, 2.0078125, 4]
    assert report.values(0)[1].ravel().tolist() == [7, 7, 7, 7]
    assert report.numbers(0, "mean").tolist() == [1.75, 7]
    assert report.numbers(0, "std")[0] == pytest.approx(np.std([0, 1, 2, 4]))
    layer = report.index["layers"][0]
    assert {key: layer[key] for key in ("name", "output", "tap", "op", "shape", "layout", "form", "extent")} == {
        "name": "conv",
        "output": "conv:0",
        "tap": "act",
        "op": "Conv",
        "shape": [1, 2, 2, 2],
        "layout": "NCHW",
        "form": "map",
        "extent": [2, 2],
    }
    assert (layer["channels"], layer["kept"], layer["halved"]) == (2, [0, 1], 0)


def test_codes_are_said_with_their_ends_in_each_run(tmp_path: Path, read_report: Reader) -> None:
    codes = Quantised("uint8", 0.5, 128)
    low, high = np.full((1, 2, 2, 2), -64, np.float32), np.array([[[[63.5, 0], [1, 2]]] * 2], np.float32)
    runs = [
        Activations([Activation("conv", "v", "act", maps, "NCHW", quantised=codes.counted(maps))])
        for maps in (low, high)
    ]
    onnxviz.report(dict(zip("ab", runs, strict=True)), tmp_path / "r.html")
    (layer,) = read_report(tmp_path / "r.html").index["layers"]
    assert layer["quantised"] == {"dtype": "uint8", "scale": 0.5, "zero_point": 128, "axis": None}
    assert [run["at_ends"] for run in layer["runs"]] == [[1, 0], [0, 0.25]]
    assert layer["notes"][0] == "uint8 dequantised: (q - 128) x 0.5"


def test_each_run_has_its_health(tmp_path: Path, read_report: Reader) -> None:
    first = np.array([[[[6, 6], [1, np.nan]], [[2, 2], [2, 2]]]], np.float32)
    second = np.concatenate([np.ones((1, 2, 2, 2), np.float32), first])  # the second item counts as well
    runs = [
        Activations([Activation("conv", "v", "act", maps, "NCHW", bounds=Bounds(high=6.0))]) for maps in (first, second)
    ]
    onnxviz.report(dict(zip("ab", runs, strict=True)), tmp_path / "r.html")
    (layer,) = read_report(tmp_path / "r.html").index["layers"]
    names = ("channels", "alive", "dead", "values", "nan", "inf", "saturated_low", "saturated_high")
    found = [[run["health"][name] for name in names] for run in layer["runs"]]
    assert found == [[2, 1, 1, 8, 1, 0, 0, 2], [2, 2, 0, 16, 1, 0, 0, 2]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64, np.bool_])
def test_values_of_every_dtype_come_back(
    dtype: type, tmp_path: Path, read_report: Reader, assert_close: Closeness
) -> None:
    maps = np.random.default_rng(1).integers(0, 100, (1, 3, 5, 7)).astype(dtype)
    maps[0, 1] = 1
    write({"conv": (maps, "NCHW")}, tmp_path / "r.html")
    report = read_report(tmp_path / "r.html")
    assert_close(report.values(0), maps[0])
    assert (report.values(0)[1] == 1).all()
    assert report.index["layers"][0]["dtype"] == maps.dtype.name


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(maps=st.sampled_from([np.float16, np.float32, np.float64]).flatmap(lambda dtype: arrays(dtype, (2, 3, 2))))
def test_any_values_come_back_within_their_range(
    maps: np.ndarray, tmp_path: Path, read_report: Reader, assert_close: Closeness
) -> None:
    write({"conv": (maps[None], "NCHW")}, tmp_path / "r.html", force=True)
    assert_close(read_report(tmp_path / "r.html").values(0), maps)


@pytest.mark.parametrize(
    ("low", "high"), [(-3e38, 3e38), (0, 1e-44), (1e6, 1e6 + 1), (-1e308, 1e308), (0, 5e-324), (1e300, 1.1e300)]
)
def test_ranges_that_float32_cannot_hold(
    low: float, high: float, tmp_path: Path, read_report: Reader, assert_close: Closeness
) -> None:
    shares = np.linspace(0, 1, 35)
    maps = (low * (1 - shares) + high * shares).reshape(1, 1, 5, 7)
    maps = maps if abs(high) > 1e39 or high < 1e-45 else maps.astype(np.float32)
    write({"conv": (maps, "NCHW")}, tmp_path / "r.html")
    assert_close(read_report(tmp_path / "r.html").values(0), maps[0])


def test_what_was_cut_comes_back_exactly(tmp_path: Path, read_report: Reader) -> None:
    maps = np.clip(np.random.default_rng(0).normal(0, 4, (1, 6, 40, 30)), 0.1, 6).astype(np.float32)
    # Near an end is not at it.
    maps[0, :, 0, 0], maps[0, :, 0, 1] = 0.1001, 5.9999
    write({"conv": (maps, "NCHW")}, tmp_path / "r.html")
    values = read_report(tmp_path / "r.html").values(0)
    for end in (0.1, 6):
        cut = maps[0] == np.float32(end)
        assert cut.mean() > 0.05
        assert np.array_equal(values == np.float32(end), cut)


def test_what_is_not_finite_is_kept_apart(tmp_path: Path, read_report: Reader, assert_close: Closeness) -> None:
    maps = noise(1, 5, 4, 4)
    maps[0, 0, 0, :3] = np.nan, np.inf, -np.inf
    maps[0, 1] = np.nan
    maps[0, 2] = np.inf
    maps[0, 3] = 0
    write({"conv": (maps, "NCHW")}, tmp_path / "r.html")
    report = read_report(tmp_path / "r.html")
    assert_close(report.values(0), maps[0])
    (run,) = report.index["layers"][0]["runs"]
    assert (run["nan"], run["inf"]) == ([1, 16, 0, 0, 0], [2, 0, 16, 0, 0])
    assert np.isnan(report.numbers(0, "low")).tolist() == [False, True, True, False, False]
    assert report.numbers(0, "low")[0] == maps[0, 0][np.isfinite(maps[0, 0])].min()


@pytest.mark.parametrize(
    ("shape", "layout", "form", "extent", "axes"),
    [
        ((1, 4, 5, 6), "NCHW", "map", [5, 6], [0, 1]),
        ((1, 5, 6, 4), "NHWC", "map", [5, 6], [0, 1]),
        ((1, 4, 1, 1), "NCHW", "vector", [], []),
        ((1, 4, 1, 9), "NCHW", "band", [9], [1]),
        ((1, 4, 9, 1), "NCHW", "band", [9], [0]),
        ((1, 4, 9), "NCL", "band", [9], [0]),
        ((1, 4), "NC", "vector", [], []),
        ((1, 4, 3, 5, 6), "NCDHW", "volume", [3, 5, 6], [0, 1, 2]),
        ((1, 17, 4), "NTC", "band", [17], []),
        ((1, 2, 6, 6), "NCTT", "map", [6, 6], []),
        ((3, 3, 3), None, "band", [3], []),
        ((), None, "vector", [], []),
    ],
)
def test_every_form_is_stored_channels_first(
    shape: tuple[int, ...],
    layout: str | None,
    form: str,
    extent: list[int],
    axes: list[int],
    tmp_path: Path,
    read_report: Reader,
    assert_close: Closeness,
) -> None:
    array = noise(*shape)
    write({"layer": (array, layout)}, tmp_path / "r.html")
    report = read_report(tmp_path / "r.html")
    (layer,) = report.index["layers"]
    assert (layer["form"], layer["extent"], layer["axes"]) == (form, extent, axes)
    item = array[0] if shape else array
    if layout in ("NHWC", "NTC"):
        item = np.moveaxis(item, -1, 0)
    maps = item.reshape(layer["channels"], *extent)
    if form == "vector":
        assert np.array_equal(report.values(0), maps.astype(np.float64))
    else:
        assert_close(report.values(0), maps)
    assert layer.get("drawing") == ("attention" if layout == "NCTT" else None)


WINDOW_KEYS = TokenGrid((2, 2), split=(2, 2, 2), tokens=(0, 2), cells=(0, 2, 1, 3))
PATCHES = TokenGrid((2, 1), 1, split=(2, 3, 3), tokens=(2,), cells=(-1, 0, 1))
PLACES = {"grid": [2, 1], "prefix": 1, "status": "exact", "ordered": True}


@pytest.mark.parametrize(
    ("shape", "grid", "expected"),
    [
        ((1, 2, 3, 3), None, None),
        ((1, 2, 3, 3), PATCHES, {"keys": PLACES, "queries": None}),
        ((1, 2, 3, 3), replace(PATCHES, tokens=(1,), keys=PATCHES), {"keys": PLACES, "queries": PLACES}),
        (
            (2, 1, 2, 2),
            replace(WINDOW_KEYS, tokens=(0, 1), keys=WINDOW_KEYS),
            {key: {"grid": [2, 2], "prefix": 0, "status": "exact", "ordered": False} for key in ("keys", "queries")},
        ),
    ],
    ids=["text", "learned queries", "patches", "windows"],
)
def test_attention_says_where_its_tokens_lie(
    shape: tuple[int, ...], grid: TokenGrid | None, expected: object, tmp_path: Path, read_report: Reader
) -> None:
    """The page stores the whole matrix: a query's map is a row of it."""
    array = noise(*shape)
    activation = Activation("a", "a", "act", array, "NCTT", tokens=grid)
    onnxviz.report(Activations([activation]), tmp_path / "r.html")
    (layer,) = read_report(tmp_path / "r.html").index["layers"]
    assert (layer["tokens"], layer["extent"]) == (expected, list(shape[2:]))


def test_steps_are_said_by_their_numbers_in_each_run(tmp_path: Path, read_report: Reader) -> None:
    maps = Activation("loop", "loop:0", "act", noise(3, 1, 2, 4, 5), "SNCHW", steps=Steps(16, 18, 1000))
    others = replace(maps, steps=Steps(16, 18, 19))
    bands = Activation("bands", "bands:0", "act", noise(3, 1, 2), "SNC")
    last = Activation("last", "last:0", "act", noise(1, 1, 2, 4, 5), "SNCHW", steps=Steps(5, 5, 6))
    runs = {"long": Activations([maps, bands, last]), "short": Activations([others, bands, last])}
    onnxviz.report(runs, tmp_path / "r.html")
    loop, band, one = read_report(tmp_path / "r.html").index["layers"]
    said = {"first": 16, "last": 18, "total": 1000, "noun": "step", "words": "steps 16 to 18 of 1,000"}
    assert (loop["form"], loop["extent"], loop["steps"]) == ("volume", [3, 4, 5], said)
    assert ["steps" in run for run in loop["runs"]] == [False, True]
    assert loop["runs"][1]["steps"]["words"] == "steps 16 to 18 of 19"
    assert (band["form"], band["extent"], band["steps"]["words"]) == ("band", [3], "3 steps")
    # A single step is no axis: it is said.
    assert (one["form"], "steps" in one, one["notes"]) == ("map", False, ["step 5 of 6"])


def test_groups_of_channels_are_counted(tmp_path: Path, read_report: Reader) -> None:
    write({"both ways": (noise(7, 2, 1, 3), "TGNC"), "one way": (noise(7, 1, 3), "TNC")}, tmp_path / "r.html")
    both, one = read_report(tmp_path / "r.html").index["layers"]
    assert (both["form"], both["channels"], both["groups"], "groups" in one) == ("band", 6, 2, False)
    assert "2 groups of 3 channels" in both["notes"]


def test_tokens_of_a_transformer_are_maps_with_the_size_of_their_patches(tmp_path: Path, read_report: Reader) -> None:
    exports = Path(__file__).parents[1] / "graph" / "operators" / "exports"
    model = onnxviz.open(exports / "vit_dynamo_fixed.onnx")
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    feed = model.feed(Image.fromarray(image))
    found = model.run(feed, layers=["node_cat"])
    onnxviz.report(found, tmp_path / "r.html", model=model, source=feed)
    (layer,) = read_report(tmp_path / "r.html").index["layers"]
    assert (layer["form"], layer["extent"], layer["axes"]) == ("map", [4, 4], [0, 1])
    assert layer["tokens"] == {"grid": [4, 4], "prefix": 1, "status": "exact"}
    assert "4 x 4 tokens + 1: 1 token of no place stands at the left of each map" in layer["notes"]
    (tokens,) = (each.array for each in found.values())
    beside = np.frombuffer(base64.b64decode(layer["runs"][0]["prefix"]), "<f4")
    assert np.array_equal(beside, tokens[0, 0])
    field = layer["receptive_field"]
    assert (field["size"], field["stride"], field["status"]) == ([8, 8], None, "exact")


def test_a_vector_is_exact_and_named(tmp_path: Path, read_report: Reader) -> None:
    scores = np.array([[0.1, np.nan, -np.inf]], np.float64)
    write({"scores": (scores, "NC"), "other": (noise(1, 2), "NC")}, tmp_path / "r.html", labels=("cat", "dog", "cow"))
    report = read_report(tmp_path / "r.html")
    assert np.array_equal(report.values(0), scores[0], equal_nan=True)
    assert [layer["labels"] for layer in report.index["layers"]] == [["cat", "dog", "cow"], None]


def test_the_bundled_model_comes_back(
    bundled_model: Path, cat: Path, tmp_path: Path, read_report: Reader, assert_close: Closeness
) -> None:
    model = onnxviz.open(bundled_model)
    feed = model.feed(cat)
    maps = model.run(feed, layers="conv[0], conv[20], conv[-1], pool")
    onnxviz.report(maps, tmp_path / "r.html", model=model, source=feed)
    report = read_report(tmp_path / "r.html")
    assert [layer["name"] for layer in report.index["layers"]] == list(maps)
    for place, activation in enumerate(maps.values()):
        values = report.values(place)
        assert_close(values.reshape(len(values), -1), activation.array[0].reshape(len(values), -1))
        layer = report.index["layers"][place]
        assert layer["kind"] == model.layers[activation.name].kind
        assert layer["receptive_field"] == model.layers[activation.name].receptive_field.as_json()
    (run,) = report.index["runs"]
    assert (run["picture"]["height"], run["picture"]["width"], run["picture"]["input"]) == (224, 224, "image")
    assert run["picture"]["uri"].startswith("data:image/png;base64,iVBOR")
    assert run["fed"][0]["shape"] == [1, 3, 224, 224]
    assert len(report.index["colormaps"]["viridis"]) == 256
    assert report.index["colormaps"]["viridis"][0] == "440154"


def test_classes_are_those_of_the_model_s_output(
    bundled_model: Path, cat: Path, tmp_path: Path, read_report: Reader
) -> None:
    model = onnxviz.open(bundled_model)
    feed = model.feed(cat)
    maps = model.run(feed, layers=["dense", "probabilities"])
    onnxviz.report({"one": maps, "two": maps}, tmp_path / "r.html", model=model, source={"two": feed})
    index = read_report(tmp_path / "r.html").index
    labels = (bundled_model.parent / "imagenet_labels.txt").read_text("utf-8").splitlines()
    assert [(layer["output"], layer["labels"]) for layer in index["layers"]][-1] == ("probabilities", labels)
    assert [layer["labels"] for layer in index["layers"][:-1]] == [None] * (len(maps) - 1)
    scores = maps[list(maps)[-1]].array[0]
    for run in index["runs"]:
        assert [found["index"] for found in run["classes"]] == np.argsort(-scores)[:5].tolist()
        assert run["classes"][0]["name"] == labels[int(scores.argmax())]
    with pytest.raises(OutputError):
        onnxviz.report(maps, bundled_model, model=model, options=ReportOptions(force=True))


def test_statistics_that_are_given_are_of_what_is_stored(tmp_path: Path, read_report: Reader) -> None:
    tokens = noise(1, 17, 3)
    activation = Activation("tokens", "t", "act", tokens, "NTC")
    with (tmp_path / "r.html").open("wb") as file, Collector(tmp_path) as collected:
        collected.add(activation, statistics=channel_statistics(activation.maps()))
        collected.end_run(ReportRun("cat"))
        write_report(file, ReportModel(), collected, 10**9)
    assert read_report(tmp_path / "r.html").numbers(0, "high").tolist() == tokens[0].max(axis=0).tolist()


def test_hostile_names_stay_text(tmp_path: Path, read_report: Reader) -> None:
    maps = Activations(
        Activation(name, f"{name} out", "act", noise(1, 2, 3, 3), "NCHW", "<script>") for name in HOSTILE
    )
    runs = dict.fromkeys(HOSTILE[:2], maps)
    onnxviz.report(runs, tmp_path / "r.html", options=ReportOptions(labels=HOSTILE[:2]))
    harmless = Activations(Activation("a", "a", "act", noise(1, 2, 3, 3), "NCHW") for _ in HOSTILE)
    onnxviz.report({"a": harmless, "b": harmless}, tmp_path / "plain.html")
    report, plain = read_report(tmp_path / "r.html"), read_report(tmp_path / "plain.html")
    names = [layer["name"] for layer in report.index["layers"]]
    assert names == HOSTILE
    assert [run["name"] for run in report.index["runs"]] == HOSTILE[:2]
    elements = [tag for tag, attributes, _ in report.elements if not str(attributes.get("id")).startswith("block-")]
    assert elements == [tag for tag, each, _ in plain.elements if not str(each.get("id")).startswith("block-")]
    start = report.text.index('id="index">') + len('id="index">')
    index = report.text[start : report.text.index("</script>", start)]
    assert index.isascii()
    assert not set("<>&\r\n") & set(index)
    assert report.policy == plain.policy


def test_several_runs_share_a_layer_and_keep_their_sizes(
    tmp_path: Path, read_report: Reader, assert_close: Closeness
) -> None:
    first, second = noise(1, 3, 4, 4), noise(1, 3, 6, 8) * 5
    runs = {
        "cat": Activations([Activation("conv", "c", "act", first, "NCHW"), Activation("a", "a", "act", first, "NCHW")]),
        "dog": Activations([Activation("conv", "c", "act", second, "NCHW")]),
    }
    picture = np.full((4, 6, 3), 7, np.uint8)
    onnxviz.report(runs, tmp_path / "r.html", source={"dog": picture})
    report = read_report(tmp_path / "r.html")
    assert [run["name"] for run in report.index["runs"]] == ["cat", "dog"]
    assert report.index["runs"][0]["picture"] is None
    assert report.index["runs"][1]["picture"]["width"] == 6
    assert_close(report.values(0, 0), first[0])
    assert_close(report.values(0, 1), second[0])
    assert report.index["layers"][0]["runs"][1]["extent"] == [6, 8]
    assert report.index["layers"][1]["runs"][1] is None


def test_the_script_stands_behind_the_first_layer(tmp_path: Path, read_report: Reader) -> None:
    maps = Activations([Activation(name, name, "act", noise(1, 2, 8, 8), "NCHW") for name in ("first", "second")])
    onnxviz.report({"one": maps, "two": maps}, tmp_path / "r.html")
    scripts = [each for tag, each, _ in read_report(tmp_path / "r.html").elements if tag == "script"]
    layers = read_report(tmp_path / "r.html").index["layers"]
    blocks = [[f"block-{run['block']}" for run in layer["runs"]] for layer in layers]
    assert [each.get("id") for each in scripts] == ["index", *blocks[0], None, *blocks[1]]


def test_layers_that_are_called_the_same_are_all_kept(tmp_path: Path, read_report: Reader) -> None:
    maps = Activations(Activation("conv", "c", "act", np.full((1, 2, 2, 2), value, np.float32)) for value in (1, 2))
    onnxviz.report({"a": maps, "b": maps}, tmp_path / "r.html")
    report = read_report(tmp_path / "r.html")
    assert [report.values(place, run)[0, 0, 0] for place in (0, 1) for run in (0, 1)] == [1, 1, 2, 2]


def test_a_layer_without_numbers_is_named_and_left_out(tmp_path: Path, read_report: Reader) -> None:
    done = write({"conv": (noise(1, 2, 3, 3), "NCHW"), "none": (noise(1, 0, 3, 3), "NCHW")}, tmp_path / "r.html")
    assert done.left_out == "none: no numbers to show."
    assert read_report(tmp_path / "r.html").index["left_out"] == done.left_out


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = {"conv": (noise(1, 2, 3, 3), "NCHW")}
    write(maps, tmp_path / "r.html")
    before = (tmp_path / "r.html").read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write(maps, tmp_path / "r.html")
    monkeypatch.setattr("onnxviz.reporting.html_file.index_text", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(maps, tmp_path / "r.html", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_bytes() == before
    with pytest.raises(OutputError, match="there is no folder"):
        write(maps, tmp_path / "gone" / "r.html")


def test_there_must_be_something_to_show(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one activation"):
        write({}, tmp_path / "r.html")
    with pytest.raises(UsageError, match="a report takes Activations"):
        onnxviz.report({"a": Activation("a", "a", "act", noise(1, 2, 3, 3))}, tmp_path / "r.html")
    with pytest.raises(UsageError, match="mapping by their names: 'a', 'b'"):
        onnxviz.report(dict.fromkeys("ab", Activations([Activation("a", "a", "act", noise(1, 2))])), source={"c": 1})
    with pytest.raises(InputError, match="no such file"):
        onnxviz.report(
            Activations([Activation("a", "a", "act", noise(1, 2, 3, 3))]), tmp_path / "r.html", source="gone.jpg"
        )
    assert not list(tmp_path.iterdir())


def test_inputs_beyond_the_most_are_counted_and_let_go(tmp_path: Path, read_report: Reader) -> None:
    with (tmp_path / "r.html").open("wb") as file, Collector(tmp_path) as collected:
        for place in range(MOST_RUNS + 2):
            collected.add(Activation("a", "a", "act", np.full((1, 1, 2, 2), place, np.float32), "NCHW"))
            collected.end_run(ReportRun(f"input {place}"))
        left_out = write_report(file, ReportModel(), collected, 10**9)
    report = read_report(tmp_path / "r.html")
    assert left_out == report.index["left_out"] == "The first 32 of 34 inputs are shown."
    assert [run["name"] for run in report.index["runs"]] == [f"input {place}" for place in range(32)]
    assert len(report.index["layers"][0]["runs"]) == 32


def test_live_channels_are_the_layer_s_whatever_is_kept_of_it(tmp_path: Path, read_report: Reader) -> None:
    maps = noise(1, 64, 32, 32)
    maps[0, :5] = 3
    maps[0, 5] = np.nan
    pooled = np.array([[0, 1, 0, -2, np.nan]], np.float32)
    activations = [Activation("conv", "c", "act", maps, "NCHW"), Activation("pool", "p", "act", pooled, "NC")]
    with (tmp_path / "r.html").open("wb") as file, Collector(tmp_path) as collected:
        for activation in activations:
            collected.add(activation)
        collected.end_run(ReportRun("cat"))
        whole = BytesIO()
        write_report(whole, ReportModel(), collected, 10**9)
        write_report(file, ReportModel(), collected, len(whole.getvalue()) - 30_000)
    conv, pool = read_report(tmp_path / "r.html").index["layers"]
    assert len(conv["kept"]) < 58
    assert [conv["runs"][0]["live"], pool["runs"][0]["live"]] == [58, 2]


def test_a_picture_is_encoded_once_however_often_the_size_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[object] = []
    monkeypatch.setattr("onnxviz.reporting.index.png", lambda pixels: encoded.append(pixels) or b"")
    Image.new("RGB", (8, 8)).save(tmp_path / "in.png")
    maps = Activations([Activation("a", "a", "act", noise(1, 8, 64, 64), "NCHW")])
    done = onnxviz.report(maps, tmp_path / "r.html", source=tmp_path / "in.png", options=ReportOptions(size=1))
    assert "larger than was asked for" in done.left_out
    assert len(encoded) == 1


def test_memory_stays_flat_as_layers_come(tmp_path: Path) -> None:
    maps = noise(1, 16, 256, 256)
    tracemalloc.start()
    try:
        with Collector(tmp_path) as collected:
            for place in range(12):
                collected.add(Activation(f"conv{place}", f"c{place}", "act", maps, "NCHW"))
            held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Codes of one layer take 1 MiB, those of all 12.
    assert held < 0.2e6
    assert peak < 5e6
