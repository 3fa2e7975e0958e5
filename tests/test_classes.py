from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onnxviz
from onnxviz.activations import Activation
from onnxviz.classes import ClassScore, class_outputs, read_labels, top_classes
from onnxviz.errors import InputError
from onnxviz.model import choices_of
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
