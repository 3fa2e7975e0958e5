from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxviz
from onnxviz.activations import Activation
from onnxviz.classes.classes import class_outputs, find_classes, read_labels
from onnxviz.classes.scores import ClassScore, top_classes
from onnxviz.errors import ExecutionError, InputError, UnsupportedError
from onnxviz.model import choices_of
from onnxviz.results.observer import Observer
from onnxviz.runtime.session import RunOptions
from onnxviz.viewing.options import ViewOptions
from tests.models import model_of


def scores(*values: float) -> Activation:
    return Activation("scores", "scores", "value", np.array([values], np.float32), "NC")


def test_classes_need_labels_or_a_distribution() -> None:
    assert top_classes(scores(0.25, 0.75), None) == (ClassScore("class 1", 1, 0.75), ClassScore("class 0", 0, 0.25))
    assert top_classes(scores(-2, 5), None) == ()
    assert top_classes(scores(-2, 5), ("cat", "dog")) == (ClassScore("dog", 1, 5), ClassScore("cat", 0, -2))
    assert top_classes(scores(-2, 5), ("cat",)) == ()
    assert top_classes(scores(float("nan"), 1), ("cat", "dog")) == ()


def test_the_mark_at_the_head_of_a_text_is_no_part_of_the_first_class(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbftench\r\ngoldfish\r\n")
    assert read_labels(tmp_path / "labels.txt") == ("tench", "goldfish")


def test_a_selection_at_the_front_does_not_run_the_whole_model(bundled_model: Path) -> None:
    model = onnxviz.open(bundled_model)
    front, _ = choices_of(model, "conv[0]")
    back, _ = choices_of(model, "conv[-1]")
    assert class_outputs(model, front, None) == ()
    assert [choice.value for choice in class_outputs(model, back, None)] == ["probabilities"]


def test_labels_that_are_asked_for_have_the_model_run_to_its_classes(
    bundled_model: Path, cat: Path, tmp_path: Path
) -> None:
    options = ViewOptions(layers="conv[0]", labels=onnxviz.bundled.labels(), html=False)
    record = onnxviz.view(bundled_model, str(cat), tmp_path / "maps", options)
    assert record.runs[0].top[0].name == "Egyptian cat"
    assert [layer["name"] for layer in record.document()["runs"][0]["layers"]] == ["stem/conv"]


def test_labels_that_fit_no_output_of_the_run(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", "g (float[1, C] x) => (float[1, K] y) {y = Relu(x)}")
    scores = np.array([[0.2, 0.3, 0.5]], np.float32)
    fitting = ViewOptions(layers="act", labels=("a", "b", "c"), html=False)
    assert onnxviz.view(model, scores, tmp_path / "maps", fitting).runs[0].top[0].name == "c"
    unfit = ViewOptions(layers="act", labels=("a", "b"), html=False, force=True)
    with pytest.raises(InputError, match="the labels name 2 classes, and no output is a vector of so many: 'y' is 1x3"):
        onnxviz.view(model, scores, tmp_path / "maps", unfit)


FRONT = "[first] c = Conv (x, w) r = Relu (c) [second] p = MaxPool <kernel_shape = [1, 1]> (r) f = Flatten (p)"
TAILS = {
    "an operator that nobody has": ("y = acme.Detect (f)", "onnxruntime has no operator acme:Detect"),
    "a reshape that fails": ("y = Reshape (f, five)", "onnxruntime could not run the model: "),
}


class Ear(Observer):
    def __init__(self) -> None:
        self.said: list[str] = []

    def noted(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("memory", [512 * 2**20, 1])
@pytest.mark.parametrize("tail", TAILS)
def test_class_scores_that_cannot_be_run_are_let_go(tail: str, memory: int, tmp_path: Path) -> None:
    nodes, reason = TAILS[tail]
    constants = "float[1,1,1,1] w = {2}, int64[2] five = {1, 5}"
    text = f"g (float[1,1,H,W] x) => (float[1,C] y) <{constants}> {{ {FRONT} {nodes} }}"
    model, ear = model_of(tmp_path / "m.onnx", text), Ear()
    inputs = [np.array([[[[3, -1], [0, 2]]]], np.float32) * scale for scale in (1, 2)]
    options = ViewOptions(run=RunOptions(memory=memory), html=False)
    record = onnxviz.view(model, inputs, tmp_path / "maps", options, ear)
    layers = [[(layer["name"], layer["max"]) for layer in run["layers"]] for run in record.document()["runs"]]
    assert layers == [[("first", 6), ("second", 6)], [("first", 12), ("second", 12)]]
    assert not record.failures and not record.runs[0].top
    (said,) = ear.said
    assert said.startswith(
        f"no class scores: the end of the model, which no chosen layer needs, cannot be run: {reason}"
    )
    asked = ViewOptions(labels=("a",) * 5, html=False, force=True)
    with pytest.raises((UnsupportedError, ExecutionError)):
        onnxviz.view(model, inputs[0], tmp_path / "maps", asked)


def test_another_input_may_yet_have_class_scores(tmp_path: Path) -> None:
    """The reshape fits four numbers above zero, which the second input has."""
    nodes = "[first] c = Conv (x, w) n = NonZero (c) z = Cast <to = 1> (n) m = Reshape (z, five) y = Softmax (m)"
    constants = "float[1,1,1,1] w = {2}, int64[2] five = {1, 16}"
    model = model_of(tmp_path / "m.onnx", f"g (float[1,1,2,2] x) => (float[1,C] y) <{constants}> {{ {nodes} }}")
    inputs = [np.zeros((1, 1, 2, 2), np.float32), np.ones((1, 1, 2, 2), np.float32)]
    record = onnxviz.view(model, inputs, tmp_path / "maps", ViewOptions(layers="conv, z, m", html=False))
    assert [source for source, _ in record.failures] == ["input 1 (ndarray)"]  # m itself was chosen: that is no end
    record = onnxviz.view(model, inputs, tmp_path / "conv", ViewOptions(layers="conv, z", html=False))
    assert [len(run.top) for run in record.runs] == [0, 5]


def test_an_error_of_what_is_chosen_is_not_taken_for_one_of_the_end(tmp_path: Path) -> None:
    text = f"g (float[1,1,H,W] x) => (float[1,C] y) <float[1,1,1,1] w = {{2}}> {{ {FRONT} y = Softmax (f) }}"
    text = text.replace("c = Conv (x, w)", "b = acme.Blur (x) c = Conv (b, w)")
    model, ear = model_of(tmp_path / "m.onnx", text), Ear()
    with pytest.raises(UnsupportedError, match="Blur"):
        onnxviz.view(model, np.ones((1, 1, 2, 2), np.float32), tmp_path / "maps", ViewOptions(html=False), ear)
    assert not ear.said


@pytest.mark.parametrize(("columns", "run"), [(60_000_000, True), (200_000_000, False)])
def test_an_end_that_is_much_larger_than_what_is_chosen_is_left_out(tmp_path: Path, columns: int, run: bool) -> None:
    """A dense layer of 240 or 800 MB, and a map as large, behind a convolution of one number; its file is a hole."""
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>'
        f"g (float[1,1,1,1] x) => (float[1,{columns}] y) <float[1,1,1,1] w = {{2}}>"
        "{ c = Conv (x, w) r = Relu (c) f = Flatten (r) y = Gemm (f, v) }"
    )
    tensor = proto.graph.initializer.add(name="v", data_type=1, dims=[1, columns], data_location=1)
    for key, value in {"location": "v.bin", "offset": "0", "length": str(4 * columns)}.items():
        tensor.external_data.add(key=key, value=value)
    onnx.save(proto, tmp_path / "m.onnx")
    with (tmp_path / "v.bin").open("wb") as hole:
        hole.truncate(4 * columns)
    model = onnxviz.open(tmp_path / "m.onnx")
    choices, _ = choices_of(model, None)
    found = find_classes(model, choices, None)
    assert bool(found.outputs) is run
    said = "no class scores, for the end of the model takes 1.5 GiB that no chosen layer needs; with `y` selected they"
    assert found.left_out == ("" if run else f"{said} are run")
    assert find_classes(model, choices_of(model, "conv, y")[0], None).left_out == ""


def test_class_scores_ask_for_no_further_input(tmp_path: Path) -> None:
    """Both outputs may be scores; one of them needs a number that the convolution does not."""
    model = model_of(
        tmp_path / "two.onnx",
        "g (float[1,1,2,2] x, int64[1] size) => (float[1,4] near, float[1,4] far) <float[1,1,1,1] w = {2}>"
        " { a = Conv (x, w) b = Conv (a, w) c = Conv (b, w)"
        " near = Flatten (c) s = Cast <to = 1> (size) far = Mul (near, s) }",
    )
    choices, _ = choices_of(model, "conv")
    assert [choice.value for choice in class_outputs(model, choices, None)] == ["near"]
    assert [choice.value for choice in class_outputs(model, choices, None, asked=True)] == ["near", "far"]
    given = class_outputs(model, choices, None, inputs={"size"})
    assert [choice.value for choice in given] == ["near", "far"]


HEAD = (
    "g (float[1,1,2,2] x, int64[1] row) => (float[1,4] y) <float[1,1,1,1] w = {2}, float[2,4] table = "
    "{0, 0, 0, 0, 0, 0, 9, 0}> { c = Conv (x, w) f = Flatten (c) added = Gather (table, row)"
    " z = Add (f, added) y = Softmax (z) }"
)


def test_an_input_that_class_scores_alone_need_brings_them_where_it_is_given(tmp_path: Path) -> None:
    model, picture = model_of(tmp_path / "m.onnx", HEAD), np.array([[[[0, 1], [2, 0]]]], np.float32)
    np.savez(tmp_path / "both.npz", x=picture, row=[1])
    np.save(tmp_path / "x.npy", picture)
    exponentials = np.exp([0.0, 2, 4 + 9, 0])
    expected = exponentials.max() / exponentials.sum()
    for source in ({"x": picture, "row": [1]}, str(tmp_path / "both.npz"), [str(tmp_path / "x.npy"), "row=1"]):
        record = onnxviz.view(model, source, tmp_path / "maps", ViewOptions(html=False, force=True))
        (run,) = record.runs
        assert (run.top[0].name, run.top[0].value) == ("class 2", pytest.approx(expected))
    ear = Ear()
    record = onnxviz.view(model, picture, tmp_path / "maps", ViewOptions(html=False, force=True), ear)
    assert not record.runs[0].top
    assert ear.said == ["no class scores, for `y` needs 'row' too: give it by name"]
    some = [{"x": picture, "row": [1]}, picture]
    assert not any(run.top for run in onnxviz.view(model, some, tmp_path / "some", ViewOptions(html=False)).runs)


def test_an_output_that_may_be_other_than_scores_is_not_missed(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", HEAD.replace("Softmax", "Relu"))
    choices, _ = choices_of(model, "conv")
    assert find_classes(model, choices, None).left_out == ""
    assert "needs 'row' too" in find_classes(model_of(tmp_path / "n.onnx", HEAD), choices, None).left_out
