"""What others may build on, written out: a name that comes or goes is a decision, and changes this file."""

from __future__ import annotations

from pathlib import Path

import pytest

import onnxviz

MODEL_VERBS = {
    "open",
    "layers",
    "select",
    "expose",
    "run",
    "stream",
    "gradient",
    "explain",
    "maximise",
    "feed",
    "verify",
    "save",
}
MODEL_MORE = {"session", "measured", "region", "without_metadata"}
MODEL_FACTS = {"path", "inputs", "outputs", "metadata", "types", "catalogue", "every_layer"}
MODEL_PARTS = {"file", "graph", "unfolded", "flat", "families", "inference", "exposed", "remarks"}


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def test_the_package() -> None:
    assert onnxviz.__all__ == [
        *(
            "Activation",
            "Activations",
            "CompareOptions",
            "Comparison",
            "ConvertOptions",
            "ExplainOptions",
            "Explanation",
            "ExtractOptions",
            "Extracted",
        ),
        *(
            "FeedOptions",
            "Figure",
            "FigureOptions",
            "Layer",
            "MaximiseOptions",
            "Maximised",
            "MineOptions",
            "Mined",
            "Model",
            "OnnxvizError",
        ),
        *("ReportOptions", "RunOptions", "Style", "ViewOptions", "__version__"),
        *(
            "bundled",
            "compare",
            "convert",
            "explain",
            "extract",
            "figure",
            "maximise",
            "mine",
            "open",
            "report",
            "view",
        ),
    ]
    assert set(onnxviz.__all__) <= set(dir(onnxviz))
    for name in onnxviz.__all__:
        getattr(onnxviz, name)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        onnxviz.nope  # noqa: B018


def test_a_model(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    assert len(MODEL_VERBS) == 12
    assert public(model) == MODEL_VERBS | MODEL_MORE | MODEL_FACTS | MODEL_PARTS


def test_a_layer(doubling_model: Path) -> None:
    assert public(onnxviz.open(doubling_model).layers["conv"]) == {
        *("name", "node", "index", "op", "kind", "scope", "inside", "output", "act", "value"),
        *("shape", "dtype", "layout", "layout_assumed", "channels", "depth", "parameters", "bytes"),
        *("rank", "height", "width", "stride", "rf", "receptive_field", "fields"),
    }


def test_an_activation() -> None:
    facts = {"name", "value", "tap", "array", "layout", "layout_assumed", "op", "read_from", "dtype", "dequantised"}
    facts |= {"quantised", "steps", "tokens", "arrangement", "is_attention", "seen_by", "bounds", "health"}
    assert public(onnxviz.Activation) == facts | {"caption_line", "maps", "pages", "montage"}
    assert public(onnxviz.Activations) == {"save", "load", "keys", "values", "items", "get"}
