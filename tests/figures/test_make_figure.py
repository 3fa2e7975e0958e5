"""Figures of models that are worked out on paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import onnxviz
from onnxviz.draw.palette import LEVELS, palette
from onnxviz.errors import NoMatchError, SelectionError, UsageError
from onnxviz.results.observer import Observer

ONE = np.array([[[[0, 1], [2, 4]]]], np.float32)
TWO = np.array([[[[8, 0], [0, 0]]]], np.float32)


def indices(panel: object, number: int = 0) -> list[list[int]]:
    return panel.marks.images[number].pixels.tolist()


def words(figure: onnxviz.Figure) -> list[str]:
    return [text.text for text in figure.around.texts]


def test_layers_are_rows_and_inputs_columns(doubling_model: Path) -> None:
    figure = onnxviz.figure(doubling_model, [ONE, TWO], layers="c, r", scale="layer", width_cm=8.9, pictures=False)
    assert [(panel.layer, panel.channels) for panel in figure.panels] == [("c", (0, 1))] * 2 + [("r", (0, 1))] * 2
    # c is 2x and -x: over both inputs -8 to 16. 0 lies at 8/24 of 232 levels, 16 at the last.
    assert indices(figure.panels[1]) == [[LEVELS - 1, 77], [77, 77]]
    assert indices(figure.panels[1], 1) == [[0, 77], [77, 77]]
    # r is 2x and 0 where x is not negative.
    assert [(bar.low, bar.high) for bar in figure.bars] == [(-8.0, 16.0), (0.0, 16.0)]
    assert indices(figure.panels[2]) == [[0, 28], [57, 115]]
    assert figure.width_cm == 8.9


def test_the_same_scale_of_all_inputs(doubling_model: Path) -> None:
    figure = onnxviz.figure(doubling_model, [ONE, TWO], layers="r", same_scale=True, channels=[0], pictures=False)
    (bar,) = figure.bars
    assert (bar.low, bar.high) == (0.0, 16.0)
    assert [panel.channels for panel in figure.panels] == [(0,), (0,)]
    assert figure.notes == ("r: 1 of 2 channels: 0",)


def test_one_layer_of_one_input_is_called_by_its_title(doubling_model: Path) -> None:
    assert words(onnxviz.figure(doubling_model, ONE, layers="r", scale="layer")) == ["r"]
    assert words(onnxviz.figure(doubling_model, ONE, layers="r", scale="layer", title="")) == []


def test_labels_of_one_s_own(doubling_model: Path) -> None:
    figure = onnxviz.figure(
        *(doubling_model, [ONE, TWO]),
        layers="c, r",
        title="Doubling",
        row_labels=["before", "after"],
        column_labels=["a", "b"],
        pictures=False,
        scale="layer",
    )
    assert words(figure) == ["Doubling", "a", "b", "before", "after"]
    assert [(panel.layer, panel.source) for panel in figure.panels[:2]] == [("before", "a"), ("before", "b")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row_labels": ["one"]}, "1 label is given for 2 rows of layers"),
        ({"column_labels": ["one", "two", "three"]}, "3 labels are given for 2 columns"),
        ({"channels": "7"}, "no channel 7: the layer has 2, 0 to 1"),
        ({"layers": None}, "a figure shows what is selected: --layers"),
        ({"weights": "c"}, "kernels are drawn as they are in the model"),
        ({"colorbar": "left"}, "no colour bar 'left': auto, right, bottom, none"),
        ({"width_cm": 0}, "a figure is up to 200 cm wide, not 0"),
        ({"font_size": 0.5}, "a font has 1 to 72 points, not 0.5"),
        ({"percentile": 50}, "percentile leaves out 0 to 50 percent, not 50"),
        ({"theme": "blue"}, "no theme 'blue'"),
    ],
)
def test_what_does_not_fit_is_refused(doubling_model: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        onnxviz.figure(doubling_model, [ONE, TWO], **{"layers": "c, r", **changes})


def test_a_selection_that_cannot_be_read_is_pointed_at(doubling_model: Path) -> None:
    with pytest.raises(SelectionError):
        onnxviz.figure(doubling_model, ONE, layers="conv[")


def test_pictures_stand_in_a_first_row_where_there_are_several(bundled_model: Path, cat: Path) -> None:
    model, coffee = onnxviz.open(bundled_model), cat.with_name("coffee.jpg")
    figure = onnxviz.figure(model, [cat, coffee], layers="conv[0]")
    assert [panel.layer for panel in figure.panels] == ["input", "input", "stem/conv", "stem/conv"]
    (picture,) = figure.panels[0].marks.images
    np.testing.assert_array_equal(picture.pixels, model.feed(cat).main.picture)
    assert max(picture.place.width, picture.place.height) <= 2.2
    assert words(figure)[:2] == ["cat", "coffee"]
    # 16 of 32 channels, as maps of several inputs would be small else; and in their order.
    assert figure.panels[2].channels == tuple(range(16))
    assert figure.notes == (f"stem/conv: 16 of 32 channels: {', '.join(map(str, range(16)))}",)
    without = onnxviz.figure(model, [cat, coffee], layers="conv[0]", pictures=False, row_labels=["first"])
    assert [panel.layer for panel in without.panels] == ["first", "first"]
    labelled = onnxviz.figure(model, [cat, coffee], layers="conv[0]", row_labels=["first"])
    assert [panel.layer for panel in labelled.panels[::2]] == ["input", "first"]


def test_the_maps_are_those_of_a_run(bundled_model: Path, cat: Path) -> None:
    model = onnxviz.open(bundled_model)
    figure = onnxviz.figure(model, cat, layers="conv[0]", scale="fixed:0,6", channels="2,5")
    maps = model.run(cat, layers="conv[0]")["stem/conv"].array[0, [2, 5]]
    wanted = np.minimum(np.floor(maps.astype(np.float64) / 6 * LEVELS), LEVELS - 1)
    for image, levels in zip(figure.panels[0].marks.images, wanted, strict=True):
        assert np.abs(image.pixels - levels).max() <= 1
        assert (image.pixels == levels).mean() > 0.999
        np.testing.assert_array_equal(image.colours, palette("viridis", "light"))


def test_inputs_without_room_are_refused_before_they_are_run(doubling_model: Path) -> None:
    ran: list[object] = []

    class Watching(Observer):
        def started(self, *facts: object) -> None:
            ran.append(facts)

    with pytest.raises(UsageError, match="50 columns have no room in 17 cm: make the figure wider"):
        onnxviz.figure(doubling_model, [ONE] * 50, layers="r", observer=Watching())
    assert ran == []


def test_what_is_not_a_tensor_is_left_out_and_said(tmp_path: Path) -> None:
    held = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="relu"),
        helper.make_node("Optional", [], ["s"], name="none", type=held),
        helper.make_node("Identity", ["r"], ["y"], name="same"),
    ]
    graph = helper.make_graph(
        nodes,
        "sequence",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 2])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "s.onnx")
    said: list[str] = []

    class Hearing(Observer):
        def noted(self, text: str) -> None:
            said.append(text)

    figure = onnxviz.figure(tmp_path / "s.onnx", [ONE, TWO], layers="r, s", pictures=False, observer=Hearing())
    assert [panel.layer for panel in figure.panels] == ["r", "r"]
    assert len(said) == 1
    assert said[0].startswith("not shown: 's': ")


def test_layers_that_not_all_inputs_reach_are_left_out_and_said(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,1,2,2] x) => (float[1,1,2,2] y) <float zero = {0}> {
        sum = ReduceSum <keepdims = 0> (x)
        sign = Greater (sum, zero)
        [if] b = If (sign) <
            then_branch = t () => (float[1,1,2,2] r) { r = Relu (x) },
            else_branch = e () => (float[1,1,2,2] s) { s = Sigmoid (x) }>
        [last] y = Tanh (b)
    }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "if.onnx")
    said: list[str] = []

    class Hearing(Observer):
        def noted(self, text: str) -> None:
            said.append(text)

    figure = onnxviz.figure(tmp_path / "if.onnx", [ONE, -ONE], layers="act", pictures=False, observer=Hearing())
    assert [panel.layer for panel in figure.panels] == ["last", "last"]
    assert sorted(said) == [
        "not shown: 'if/else_branch/s': it was not computed for this input: 'if' took then_branch",
        "not shown: 'if/then_branch/r': it was not computed for this input: 'if' took else_branch",
    ]
    with pytest.raises(UsageError, match="none of the chosen layers could be computed for all inputs"):
        onnxviz.figure(tmp_path / "if.onnx", [ONE, -ONE], layers="r, s", pictures=False)


def test_what_is_not_there_is_said(doubling_model: Path) -> None:
    with pytest.raises(NoMatchError, match="nothing is called"):
        onnxviz.figure(doubling_model, ONE, layers="missing")


@pytest.mark.parametrize(
    ("query", "rows", "note"), [("1,2", [11], "query 1,2"), ("mean", range(27), "mean over queries")]
)
def test_a_figure_draws_the_attention_of_the_query_that_is_named(query: str, rows: list[int], note: str) -> None:
    """3 tokens lie nowhere, those after them in 4 rows of 6: row 1, column 2 is token 3 + 1 * 6 + 2.

    Each map of 4 x 6 has at its left the column of those 3.
    """
    path = Path(__file__).parents[1] / "graph" / "operators" / "token_exports" / "registers_dynamo.onnx"
    picture = np.random.default_rng(0).random((1, 3, 32, 48), np.float32)
    figure = onnxviz.figure(path, picture, layers="attention", query=query)
    (weights,) = onnxviz.open(path).run(picture, layers="attention").values()
    assert weights.array.shape == (1, 2, 27, 27)
    wanted = weights.array[0][:, list(rows), 3:].mean(axis=1).reshape(2, 4, 6)
    pictures = [image.pixels for image in figure.panels[0].marks.images]
    assert [each.shape for each in pictures] == [(3, 1), (4, 6)] * 2
    drawn = np.array(pictures[1::2], int)
    order = np.argsort(wanted, axis=None)
    assert (np.diff(drawn.reshape(-1)[order]) >= 0).all()
    assert note in figure.notes[0]


def test_which_label_stands_for_which_layer_is_said(bundled_model: Path) -> None:
    """Rows are in graph order, labels as they were typed."""
    layers = ["stage2/block1/expand", "conv[0]"]
    made = onnxviz.figure(
        bundled_model, onnxviz.bundled.picture("cat"), layers=layers, row_labels=["one", "two"], channels=[0]
    )
    assert made.notes[0] == "rows, as the model computes them: one is stem/conv, two is stage2/block1/expand"
