"""What the page of `view` shows of what `mine` found; how it looks and works is tested in tests/reporting/page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import onnx
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import InputError
from onnxviz.results.observer import Observer
from onnxviz.viewing.options import ViewOptions
from tests.reporting.conftest import ReadReport, read_report

__all__ = ["read_report"]

FEED = onnxviz.FeedOptions(preset="zero-one")


class Hears(Observer):
    def __init__(self) -> None:
        self.said = list[str]()

    def noted(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def picture(photos: Path) -> Path:
    return sorted(photos.rglob("*.png"))[0]


@pytest.fixture
def mined(mining_model: Path, photos: Path, tmp_path: Path) -> onnxviz.Mined:
    (tmp_path / "a b").mkdir()
    return onnxviz.mine(mining_model, photos, tmp_path / "a b" / "units", layers="conv", feed=FEED)


def test_each_channel_has_the_patches_that_were_mined(
    mining_model: Path, picture: Path, mined: onnxviz.Mined, tmp_path: Path, read_report: Callable[[Path], ReadReport]
) -> None:
    place = tmp_path / "reports" / "maps"
    place.parent.mkdir()
    onnxviz.view(mining_model, picture, place, layers="conv", feed=FEED, units=mined.folder)
    layers = {layer["name"]: layer for layer in read_report(place / "report.html").index["layers"]}
    assert set(mined) == set(layers)
    for name, units in mined.items():
        linked = layers[name]["units"]
        # Relative, so that the folders can move together.
        assert linked["page"] == "../../a%20b/units/index.html"
        assert (place / unquote(linked["page"])).is_file()
        for unit, (sheet, top, left) in enumerate(linked["spots"]):
            if sheet < 0:
                assert unit in units.statistics.dead.nonzero()[0]
                continue
            facts = linked["sheets"][sheet]
            with Image.open(place / unquote(facts["file"])) as image:
                assert image.size == (facts["width"], facts["height"])
                side = linked["side"] * (linked["patch"] + 1) - 1
                assert top + side <= image.height and left + side <= image.width
            # Where the contact sheet itself has them; what it shows there is tested with `mine`.
            drawn = units.facts["sheets"][sheet]
            assert [top, left] == drawn["corners"][drawn["units"].index(unit)]


def test_layers_that_were_not_mined_are_shown_without(
    mining_model: Path, picture: Path, photos: Path, tmp_path: Path, read_report: Callable[[Path], ReadReport]
) -> None:
    onnxviz.mine(mining_model, photos, tmp_path / "units", layers="conv[0]", feed=FEED)
    hears = Hears()
    options = ViewOptions(layers="conv", feed=FEED, units=tmp_path / "units")
    onnxviz.view(mining_model, picture, tmp_path / "maps", options, hears)
    assert any("has 1 of the" in text for text in hears.said)
    layers = read_report(tmp_path / "maps/report.html").index["layers"]
    assert ["units" in layer for layer in layers] == [True] + [False] * (len(layers) - 1)
    # Another file with the same layers is said to be one.
    other = onnx.load(mining_model)
    other.doc_string = "another"
    onnx.save(other, tmp_path / "other.onnx")
    onnxviz.view(tmp_path / "other.onnx", picture, tmp_path / "others", options, hears)
    assert any("is of another file than this model" in text for text in hears.said)


def test_a_folder_without_these_layers_is_refused(
    mining_model: Path,
    doubling_model: Path,
    picture: Path,
    mined: onnxviz.Mined,
    tmp_path: Path,
    onnxviz_command: Callable[..., Any],
) -> None:
    words = ("view", mining_model, picture, "-o", tmp_path / "maps", "--preset", "zero-one", "--units")
    (tmp_path / "empty").mkdir()
    for more, code, message in (
        ((tmp_path / "empty",), 4, "empty does not hold what onnxviz mine leaves"),
        ((tmp_path / "absent",), 4, "absent"),
        ((mined.folder, "--no-html"), 2, "--no-html excludes --units"),
    ):
        refused = onnxviz_command(*words, *more)
        assert (refused.code, message in refused.err) == (code, True), refused.err
    unfinished = tmp_path / "a b" / "units"
    (unfinished / "plan.json").write_text("{}")
    assert "is not finished: the same onnxviz mine command goes on with it" in onnxviz_command(*words, unfinished).err
    (unfinished / "plan.json").unlink()
    with pytest.raises(InputError, match="has none of the layers that are chosen here"):
        onnxviz.view(doubling_model, np.ones((1, 1, 2, 2), np.float32), tmp_path / "maps", units=mined.folder)
    assert not (tmp_path / "maps").exists()
