"""What the page is told of colours and scales; tests/reporting/page/unit/drawn.test.js holds what it makes of that."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxviz
from onnxviz.activations import Activation, Activations
from onnxviz.draw.palette import THEMES
from onnxviz.draw.scale import MODES, limits
from onnxviz.draw.statistics import channel_statistics
from onnxviz.draw.style import Style
from onnxviz.reporting.appearance import appearance
from onnxviz.reporting.bundle import load_page


def test_the_index_says_how_the_page_draws(tmp_path: Path, read_report: Callable[[Path], Any]) -> None:
    maps = Activations([Activation("conv", "c", "act", np.ones((1, 2, 3, 3), np.float32), "NCHW")])
    onnxviz.report(maps, tmp_path / "r.html")
    index = read_report(tmp_path / "r.html").index
    assert list(index)[-5:] == ["colormaps", "themes", "scales", "scale_rules", "attention"]
    dark, light = index["themes"]["dark"], index["themes"]["light"]
    assert [dark[name] for name in ("background", "nan", "sequential", "diverging")] == [
        "111317",
        "ff40c4",
        "viridis",
        "berlin",
    ]
    assert light["diverging"] == "vik"
    assert index["scale_rules"] == {
        "constant": 1e-6,
        "held": 0.98,
        "kept": 0.1,
        "percentiles": [0.01, 0.99],
        "deviations": 3,
        "one_sided": 10,
    }
    assert index["attention"] == {"scale": "layer", "colormap": "magma", "gamma": 0.5}
    assert index["scales"]["std"]["ends"] == ["mean − 3 std", "mean + 3 std"]


@pytest.mark.parametrize("mode", MODES[1:])
def test_a_scale_is_said_with_the_numbers_of_its_picture(mode: str) -> None:
    maps = np.array([[-1.0, 1.0]])
    drawn = limits(maps, channel_statistics(maps), Style(scale=mode))
    scale = appearance()["scales"][mode]
    assert re.findall(r"\d+", scale["words"]) == re.findall(r"\d+", drawn.words)
    assert (scale["ends"] is not None) == drawn.own


def test_the_page_offers_the_scales_of_the_pictures_and_one_over_all_inputs() -> None:
    scales = list(appearance()["scales"])
    assert [mode for mode in scales if mode != "inputs"] == list(MODES)
    assert "inputs" in scales


def test_the_script_repeats_none_of_it() -> None:
    script = load_page().script
    shared = appearance()
    texts = {value for theme in shared["themes"].values() for value in theme.values()} | {"magma"}
    texts |= {text for scale in shared["scales"].values() for text in (scale["name"], scale["words"]) if text}
    # Of colormaps and orders there is an automatic choice, too.
    for text in texts - {"automatic"}:
        assert f'"{text}"' not in script
    assert not {"0.98", "0.99", "1e-6"} & set(re.findall(r"[\d.e-]+", script))


@pytest.mark.parametrize(
    ("sign", "name"), [("nan", "nan"), ("plus", "positive_infinity"), ("minus", "negative_infinity")]
)
def test_the_legend_has_the_colours_of_what_is_not_finite(sign: str, name: str) -> None:
    style = (Path(onnxviz.__file__).parent / "reporting" / "page" / "base.css").read_text(encoding="utf-8")
    written = re.findall(rf"--{sign}: (#\w+);", style)
    assert written == ["#{:02x}{:02x}{:02x}".format(*getattr(THEMES[theme], name)) for theme in ("dark", "light")]
