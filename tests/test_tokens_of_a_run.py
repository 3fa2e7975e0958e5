"""Tokens that lie in a picture, from a run to its pictures, listings and files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx.parser
import pytest
from PIL import Image

import onnxviz
from onnxviz.activations import Activation, Activations, RawWriter
from onnxviz.errors import InputError
from onnxviz.layout import TokenGrid
from onnxviz.viewing.options import ViewOptions

EXPORTS = Path(__file__).parent / "graph" / "operators" / "token_exports"
GRID = TokenGrid((2, 3), 1, split=(7, 2), tokens=(0,), cells=(-1, 0, 1, 2, 3, 4, 5))
VALUES = np.arange(14, dtype=np.float32).reshape(1, 7, 2)
ITEM = Activation("t", "v", "act", VALUES, "NTC", "Add", True, tokens=GRID)


def test_the_array_stays_and_the_maps_are_arranged() -> None:
    assert ITEM.array is VALUES
    assert ITEM.caption_line == "Add  ·  1 x 7 x 2  ·  float32  ·  act  ·  v  ·  2 x 3 tokens + 1"
    # every value, the class token last
    assert ITEM.maps().tolist() == [[2, 4, 6, 8, 10, 12, 0], [3, 5, 7, 9, 11, 13, 1]]
    alone = replace(ITEM, array=VALUES[:, 1:], tokens=replace(GRID, prefix=0, split=(6, 2), cells=tuple(range(6))))
    assert alone.maps()[0].tolist() == [[2, 4, 6], [8, 10, 12]]


def test_a_layout_says_where_both_axes_are_tokens() -> None:
    both = replace(ITEM, layout="NCTT", tokens=replace(GRID, keys=GRID))
    assert both.arrangement == "NCTT"
    assert "tokens" not in both.caption_line


def test_view_draws_tokens_as_maps_and_says_so(tmp_path: Path) -> None:
    image = np.random.default_rng(0).standard_normal((1, 3, 32, 48)).astype(np.float32)
    options = ViewOptions(layers="norm & depth<=1")
    record = onnxviz.view(EXPORTS / "registers_script.onnx", image, tmp_path / "maps", options)
    (layer,) = record.document()["runs"][0]["layers"]
    assert layer["tokens"] == {"grid": [4, 6], "prefix": 3, "status": "exact"}
    assert layer["shape"] == [1, 27, 8]
    with Image.open(tmp_path / "maps" / layer["pictures"][0]) as picture:
        words = " ".join(map(str, picture.info.values()))
    assert "4 x 6 tokens + 3" in words
    assert "assumed" not in words
    page = (tmp_path / "maps" / "report.html").read_text("utf-8")
    assert '"form":"map","extent":[4,6]' in page


def test_layers_lists_tokens_where_sizes_are_known(onnxviz_command: Callable[..., Any]) -> None:
    folder = EXPORTS.parent / "exports"
    for name in ("vit_dynamo_fixed", "vit_dynamo_free"):  # an open batch counts as one item
        layers = json.loads(onnxviz_command("layers", folder / f"{name}.onnx", "--json").out)["layers"]
        found = [layer["tokens"] and layer["tokens"]["prefix"] for layer in layers]
        assert found[:4] == [None, 0, 1, 1]  # the map of the convolution, its tokens, the class token
    layers = json.loads(onnxviz_command("layers", folder / "yolo_script_fixed.onnx", "--json").out)["layers"]
    assert {layer["tokens"] for layer in layers} == {None}


def test_layers_lists_tokens_inside_functions(tmp_path: Path, onnxviz_command: Callable[..., Any]) -> None:
    path = tmp_path / "inside.onnx"
    text = """<ir_version: 8, opset_import: ["" : 17, "loc" : 1]>
    g (float[1,3,32,48] x, float[8,3,8,8] w) => (float[1,24,8] y) <int64[3] s = {1, 8, 24}> {
        c = Conv <strides = [8, 8]> (x, w)
        y = loc.tokens (c, s)
    }
    <domain: "loc", opset_import: ["" : 17]> tokens (c, s) => (n) {
        r = Reshape (c, s)
        t = Transpose <perm = [0, 2, 1]> (r)
        n = Relu (t)
    }"""
    onnx.save(onnx.parser.parse_model(text), path)
    layers = json.loads(onnxviz_command("layers", path, "--json").out)["layers"]
    (inside,) = (layer for layer in layers if layer["op"] == "Relu")
    assert inside["inside"]
    assert inside["tokens"] == {"grid": [4, 6], "prefix": 0, "status": "exact"}


def test_a_file_keeps_where_tokens_lie(tmp_path: Path) -> None:
    Activations([ITEM]).save(tmp_path / "maps.npz")
    assert Activations.load(tmp_path / "maps.npz")["t"].tokens == GRID


@pytest.mark.parametrize(
    "change",
    [
        {"grid": (3, 3)},
        {"cells": (-1, 0, 1, 2, 3, 4, 4)},
        {"split": (7, 3)},
        {"tokens": (9,)},
        {"tokens": (0, 0)},
        {"prefix": 2},
        {"cells": ("a",) * 7},
    ],
)
def test_tokens_of_a_file_that_fit_nothing_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with RawWriter.open(tmp_path / "maps.npz", force=False) as raw:
        raw.add(replace(ITEM, tokens=replace(GRID, **change)))
    with pytest.raises(InputError, match="holds no activations written by onnxviz"):
        Activations.load(tmp_path / "maps.npz")


def test_a_class_token_stands_at_the_left_of_each_map() -> None:
    image = np.asarray(ITEM.montage(tile=64, scale="layer", theme="dark", bare=True).convert("RGB"))
    # 5 columns of 13 pixels, 4 pixels from the edge: a token, a gap, 3 columns of the map, then a gap of 4
    down = across = math.floor(64 / 5 + 0.5)
    back, middle = image[0, 0], down // 2
    tile = image[4:, 4:]
    assert not np.array_equal(tile[middle, across // 2], back)  # the token
    assert np.array_equal(tile[down + middle + 1, across // 2], back)  # nothing below it
    assert np.array_equal(tile[middle, across + across // 2], back)  # the gap
    cells = [tile[row * down + middle, (2 + column) * across + across // 2] for row in range(2) for column in range(3)]
    assert len({tuple(cell) for cell in cells}) == 6


def test_a_convolution_over_patches_is_put_back(tmp_path: Path) -> None:
    # as in MobileViT v2: the axes of a 1x1 convolution are the place in a patch of 2 x 2, and the patch
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
        g (float[1,1,4,6] x) => (float[1,1,4,6] y)
        <int64[6] cut = {1,1,2,2,3,2}, int64[4] flat = {1,1,4,6}, float[1,1,1,1] w = {2}> {
            c = Conv (x, w)
            r = Reshape (c, cut)
            t = Transpose <perm = [0,1,3,5,2,4]> (r)
            f = Reshape (t, flat)
            y = Conv (f, w)
        }""")
    onnx.save(model, tmp_path / "patches.onnx")
    image = np.arange(24, dtype=np.float32).reshape(1, 1, 4, 6)
    found = onnxviz.open(tmp_path / "patches.onnx").run(image, layers="conv")
    assert found["c"].tokens is None
    assert (found["y"].layout, found["y"].tokens is not None) == ("NCHW", True)
    assert np.array_equal(found["y"].maps(), 4 * image[0])
    assert not np.array_equal(found["y"].array, 4 * image)
