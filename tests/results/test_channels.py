"""Very many channels in view.json and on the page: the strongest, and numbers of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onnxviz
from onnxviz.activations import Activation
from onnxviz.draw.statistics import MOST_CHANNELS, channel_statistics
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.contents import ReportRun
from onnxviz.results.channels import LISTED, channel_documents
from onnxviz.results.observer import Observer
from tests.models import model_of

RANDOM = np.random.default_rng(0)


def test_up_to_the_bound_every_channel_is_listed() -> None:
    document = channel_documents(channel_statistics(np.arange(float(MOST_CHANNELS))))
    assert list(document) == ["channels"]
    assert [each["index"] for each in document["channels"]] == list(range(MOST_CHANNELS))


def test_beyond_it_the_strongest_and_numbers_of_the_whole() -> None:
    values = RANDOM.normal(size=MOST_CHANNELS + 1000)
    values[[7, 8, 9]] = np.nan, np.inf, -50
    document = channel_documents(channel_statistics(values))
    listed, summary = document["channels"], document["summary"]
    finite = values[np.isfinite(values)]
    magnitudes = np.abs(np.where(np.isfinite(values), values, 0))
    assert [each["index"] for each in listed] == np.sort(np.argsort(-magnitudes)[:LISTED]).tolist()
    assert (listed[0]["index"], listed[0]["mean"]) == (9, -50)
    assert (summary["channels"], summary["nan"], summary["inf"]) == (len(values), 1, 1)
    assert (summary["mean"], summary["std"]) == pytest.approx((finite.mean(), finite.std()))
    for each in summary["quantiles"]:
        assert each["value"] == pytest.approx(np.quantile(finite, each["share"]))


def test_maps_beyond_it_are_listed_by_how_they_vary() -> None:
    maps = np.zeros((MOST_CHANNELS + 1, 2))
    maps[:, 0] = np.arange(len(maps))
    listed = channel_documents(channel_statistics(maps))["channels"]
    assert [each["index"] for each in listed] == list(range(len(maps) - LISTED, len(maps)))


def test_a_flattened_map_makes_no_large_files(tmp_path: Path) -> None:
    """A quarter of a million units; listed one by one they took 29 MB of view.json and 9 MB of the page."""
    text = "g (float[1,64,64,64] x) => (float[1,N] f) { [relu] r = Relu (x) [flat] f = Flatten (r) }"
    model, said = model_of(tmp_path / "m.onnx", text), []

    class Ear(Observer):
        def noted(self, text: str) -> None:
            said.append(text)

    x = RANDOM.normal(size=(1, 64, 64, 64)).astype(np.float32)
    options = onnxviz.ViewOptions(layers="flat", raw=tmp_path / "raw.npz")
    record = onnxviz.view(model, x, tmp_path / "out", options, Ear())
    assert said == ["flat has 262,144 channels: the strongest 1,024 are in view.json, beside numbers of the whole"]
    assert (tmp_path / "out" / "view.json").stat().st_size < 500_000
    assert (tmp_path / "out" / "report.html").stat().st_size < 2_000_000
    assert record.left_out == ""
    assert record.document()["runs"][0]["layers"][0]["max"] == x.max()
    kept = onnxviz.Activations.load(tmp_path / "raw.npz")["flat"].array
    np.testing.assert_array_equal(kept, np.maximum(x, 0).reshape(1, -1))


def test_the_page_keeps_the_strongest_of_the_first_run_in_all(tmp_path: Path) -> None:
    values = RANDOM.normal(size=(2, 1, MOST_CHANNELS + 5)).astype(np.float32)
    with Collector(tmp_path) as collected:
        for place, array in enumerate(values):
            collected.add(Activation("f", "f", "act", array, "NC"))
            collected.end_run(ReportRun(str(place), {}, (), ()))
        (layer,) = collected.layers()
        stored = [np.frombuffer(_inflated(collected, run.block), "<f4") for run in layer.runs if run is not None]
    weakest = np.argsort(np.abs(values[0, 0]))[:5]
    assert layer.channels == MOST_CHANNELS + 5
    assert set(range(layer.channels)) - set(layer.kept) == set(weakest.tolist())
    for array, floats in zip(values, stored, strict=True):
        np.testing.assert_array_equal(floats, array[0, list(layer.kept)])
    assert layer.facts.notes[-1].startswith(f"of all {MOST_CHANNELS + 5:,} units the median is ")


def _inflated(collected: Collector, block: int) -> bytes:
    import zlib

    return zlib.decompress(collected.store.read(block))
