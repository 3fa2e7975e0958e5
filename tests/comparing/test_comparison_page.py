"""The page of a comparison, read back: its four runs against onnxruntime itself, and what is said of layers."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxviz
from onnxviz.comparing.comparison_page import RUNS, write_page
from tests.comparing import planted
from tests.comparing.nets import float_net, inputs, quantised_net

ELEMENT = '<script type="application/{}" id="{}">(.*?)</script>'


def read(page: Path) -> tuple[dict[str, object], str]:
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(ELEMENT.format("json", "index"), text)[1]), text


def values(text: str, layer: dict, run: int) -> np.ndarray:
    """Return the maps of a layer in a run, to a 512th of each channel's range."""
    entry = layer["runs"][run]
    packed = re.search(ELEMENT.format("octet-stream", f"block-{entry['block']}"), text)[1]
    shape = (len(layer["kept"]), *layer["extent"])
    ends = (np.frombuffer(base64.b64decode(entry["stats"][end]), "<f4")[:, None, None] for end in ("low", "high"))
    low, high = ends
    codes = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8, np.prod(shape)).reshape(shape)
    return low + (codes + 0.5) / 256 * (high - low)


def maps_of(path: Path, value: str, x: np.ndarray) -> np.ndarray:
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name=value))
    (found,) = onnxruntime.InferenceSession(model.SerializeToString()).run([value], {"x": x})
    return found[0]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A float network, and the same in int8 whose conv3 lacks its biases."""
    a, b = float_net(tmp_path / "a.onnx"), tmp_path / "b.onnx"
    model = onnx.load(quantised_net(a, b))
    planted.scale_bias(model, next(node for node in planted.convolutions(model) if node.name == "conv3"), 0)
    onnx.save(model, b)
    return a, b


def test_its_runs_are_both_models_their_difference_and_the_own_error(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (x,) = inputs(1)
    found = onnxviz.compare(*pair, x)
    write_page(found, tmp_path / "index.html")
    index, text = read(tmp_path / "index.html")
    assert [run["name"] for run in index["runs"]] == list(RUNS)
    assert [run.get("difference", False) for run in index["runs"]] == [False, False, True, True]
    layer = next(layer for layer in index["layers"] if layer["name"] == "conv3")
    expected_a = maps_of(pair[0], "conv3_act", x)
    shown = [values(text, layer, run) for run in range(4)]
    step = np.ptp(expected_a, axis=(1, 2)).max() / 256
    np.testing.assert_allclose(shown[0], expected_a, atol=step)
    np.testing.assert_allclose(shown[2], shown[1] - shown[0], atol=3 * step)
    own = found.layers["conv3"].own
    assert np.square(shown[3]).sum() == pytest.approx(own.relative**2 * np.square(expected_a).sum(), rel=0.05)


def test_what_goes_wrong_is_said_and_has_a_badge(pair: tuple[Path, Path], tmp_path: Path) -> None:
    found = onnxviz.compare(*pair, inputs(2))
    write_page(found, tmp_path / "index.html")
    index, _ = read(tmp_path / "index.html")
    assert index["model"]["name"] == "A: a.onnx, B: b.onnx"
    assert index["model"]["lead"][0] == f"{found.headline[0].upper()}{found.headline[1:]}."
    findings = {layer["name"]: layer["finding"] for layer in index["layers"] if "finding" in layer}
    assert list(findings) == ["conv3"]
    assert findings["conv3"]["severe"]
    assert findings["conv3"]["kind"] == "to go wrong by itself"
    assert "biases" in findings["conv3"]["words"]
    notes = next(layer["notes"] for layer in index["layers"] if layer["name"] == "conv3")
    assert [note for note in notes if note.endswith("dB overall")]
    assert any("below its kind" in note for note in notes)


def test_without_own_errors_there_are_three_runs(pair: tuple[Path, Path], tmp_path: Path) -> None:
    write_page(onnxviz.compare(*pair, inputs(1), own=False), tmp_path / "index.html")
    index, _ = read(tmp_path / "index.html")
    assert [run["name"] for run in index["runs"]] == ["A", "B", "B - A"]
    assert "1 to 3" in index["model"]["lead"][1]
