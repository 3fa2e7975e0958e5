"""What the page of `mine` holds, against what was mined; how it looks and works is tested in tests/reporting/page."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxviz

OPTIONS = onnxviz.MineOptions(layers="conv", count=4, feed=onnxviz.FeedOptions(preset="zero-one"))


def read_page(page: Path) -> tuple[dict[str, Any], list[Any]]:
    text = page.read_text("utf-8")
    index = re.findall(r'<script type="application/json" id="index">(.*?)</script>', text)[0]
    blocks = re.findall(r'<script type="application/octet-stream" id="block-\d+">(.*?)</script>', text)
    return json.loads(index), [json.loads(zlib.decompress(base64.b64decode(block))) for block in blocks]


def test_the_page_holds_what_was_mined(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    mined = onnxviz.mine(mining_model, photos, tmp_path / "units", OPTIONS)
    index, blocks = read_page(tmp_path / "units" / "index.html")
    pictures = blocks[index["pictures"]]
    assert index["classes"] == list(mined.classes) and index["used"] == 40
    for layer in index["layers"]:
        units, known = mined[layer["name"]], blocks[layer["block"]]
        for unit in range(len(units)):
            for patch, (picture, value, place) in zip(units.top(unit), known["strongest"][unit], strict=True):
                path, kind, leads = pictures[picture]
                assert leads and (tmp_path / "units" / path).resolve() == Path(patch.file).resolve()
                assert mined.classes[kind] == patch.class_name
                assert value == pytest.approx(patch.value, rel=1e-4)
                assert np.unravel_index(place, layer["places"]) == patch.place
            # Every picture but those below the first bin stands in the histogram.
            heights, first, last = known["bars"][unit]
            assert max(heights) == 100 and 0 <= first <= last < len(heights)
            best = known["classes"][unit][0]
            means = units.state.class_sums[:, unit] / units.state.class_pictures[:, unit]
            assert best[0] == means.argmax() and best[1] == pytest.approx(means.max(), rel=1e-4)
        np.testing.assert_allclose(known["mean"], units.statistics.mean, rtol=1e-4)
    assert "index.html" in json.loads((tmp_path / "units" / "mine.json").read_text())["files"]


def test_items_of_arrays_lead_to_no_file(mining_model: Path, tmp_path: Path) -> None:
    batch = np.random.default_rng(0).random((5, 3, 24, 24)).astype(np.float32)
    np.save(tmp_path / "batch.npy", batch)
    onnxviz.mine(mining_model, tmp_path / "batch.npy", tmp_path / "units", OPTIONS)
    index, blocks = read_page(tmp_path / "units" / "index.html")
    assert {leads for _, _, leads in blocks[index["pictures"]]} == {False}
    assert all(not kinds for kinds in blocks[0]["classes"])


def test_only_its_own_script_runs_and_pictures_come_from_beside_it(
    mining_model: Path, photos: Path, tmp_path: Path
) -> None:
    onnxviz.mine(mining_model, photos, tmp_path / "units", OPTIONS)
    text = (tmp_path / "units" / "index.html").read_text("utf-8")
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0]
    assert "default-src 'none'" in policy and "img-src data: 'self' file:" in policy and "unsafe" not in policy
    assert "connect-src" not in policy
    assert text.count("<script>") == 1


def test_without_sheets_numbers_and_the_page_remain(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    drawn = onnxviz.mine(mining_model, photos, tmp_path / "drawn", OPTIONS)
    plain = onnxviz.mine(mining_model, photos, tmp_path / "plain", replace(OPTIONS, sheets=False))
    for name, array in drawn.state.as_arrays().items():
        assert array.tobytes() == plain.state.as_arrays()[name].tobytes(), name
    assert not (tmp_path / "plain" / "sheets").exists()
    index, blocks = read_page(tmp_path / "plain" / "index.html")
    assert [layer["sheets"] for layer in index["layers"]] == [[], []]
    assert blocks[0]["strongest"] == read_page(tmp_path / "drawn" / "index.html")[1][0]["strongest"]
