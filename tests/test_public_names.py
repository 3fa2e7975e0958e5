"""What others may build on, written out: a name that comes or goes is a decision, and changes this file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest

import onnxviz
from onnxviz.comparing.compare_options import CompareChanges
from onnxviz.extraction.extract_options import ExtractChanges
from onnxviz.figures.figure_options import FigureChanges
from onnxviz.maximising.maximise_options import MaximiseChanges
from onnxviz.mining.mine_options import MineChanges
from onnxviz.viewing.options import ViewChanges

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


@pytest.mark.parametrize(
    ("keywords", "options"),
    [
        (CompareChanges, onnxviz.CompareOptions),
        (ExtractChanges, onnxviz.ExtractOptions),
        (FigureChanges, onnxviz.FigureOptions),
        (MaximiseChanges, onnxviz.MaximiseOptions),
        (MineChanges, onnxviz.MineOptions),
        (ViewChanges, onnxviz.ViewOptions),
    ],
)
def test_keywords_are_the_fields_of_options(keywords: type, options: type) -> None:
    # What an editor and a type checker know of a verb's keywords is what its options have, with the same types.
    assert get_type_hints(keywords) == get_type_hints(options)


@pytest.mark.parametrize("verb", [onnxviz.mine, onnxviz.view])
def test_a_keyword_that_is_no_option_is_refused(verb: Callable[..., object], tmp_path: Path) -> None:
    with pytest.raises(onnxviz.OnnxvizError, match="takes no 'layrs'; near: `layers`"):
        verb(onnxviz.bundled.classifier(), tmp_path, tmp_path / "out", layrs="conv")
    assert not (tmp_path / "out").exists()
