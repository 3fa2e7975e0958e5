from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxviz
from onnxviz.errors import UnsupportedError
from onnxviz.runtime.session import RunOptions
from tests.comparing import planted
from tests.comparing.nets import float_net, inputs, quantised_net

EXACT = RunOptions(exact=True)


def values_of(path: Path, value: str, x: np.ndarray) -> np.ndarray:
    """Return an output as onnxruntime computes it."""
    (found,) = onnxruntime.InferenceSession(path).run([value], {"x": x})
    return np.asarray(found)


def test_a_coarse_quantiser_costs_most_and_is_won_back(tmp_path: Path) -> None:
    quantised_net(float_net(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    model = onnx.load(tmp_path / "b.onnx")
    node = next(node for node in planted.convolutions(model) if node.name == "conv2")
    planted.output_scale(model, node, 60)
    onnx.save(model, tmp_path / "b.onnx")
    found = onnxviz.compare(tmp_path / "a.onnx", tmp_path / "b.onnx", inputs(4), run_a=EXACT, run_b=EXACT)
    impact = found.impact()
    assert impact.quantisers[0].layer == "conv2" and impact.quantisers[0].share > 0.5
    assert sum(each.share for each in impact.quantisers) == pytest.approx(1)
    assert (impact.choosers, impact.checked) == (2, 2)
    sqnr = dict(impact.left_in_float)
    output = found.outputs[0].measures
    assert output is not None
    # With all at work, B is what it is; without the worst five, nearer to A.
    alone = onnxviz.compare(tmp_path / "a.onnx", tmp_path / "b.onnx", inputs(4)[2:], run_a=EXACT, run_b=EXACT)
    assert alone.outputs[0].measures is not None
    assert sqnr[0] == pytest.approx(alone.outputs[0].measures.sqnr, abs=0.1)
    assert sqnr[5] > sqnr[0]
    assert "on inputs that did not choose them" in impact.headline
    assert dataclasses.asdict(impact)["checked"] == impact.as_json()["checked"]


def test_without_quantisers_the_own_error_of_each_layer_is_costed(tmp_path: Path) -> None:
    model = onnx.load(float_net(tmp_path / "a.onnx"))
    for name, factor, shift in (("b1", 1, 0.05), ("w4", 1.05, 0), ("b", 1, 0.01)):
        planted.put(model, name, planted.array(model, name).astype(float) * factor + shift)
    onnx.save(model, tmp_path / "b.onnx")
    found = onnxviz.compare(tmp_path / "a.onnx", tmp_path / "b.onnx", inputs(2), run_a=EXACT, run_b=EXACT)
    impact = found.impact()
    assert (impact.quantisers, impact.left_in_float, impact.choosers) == ((), (), 2)
    costs = {each.layer: each for each in impact.layers}
    assert {name for name, each in costs.items() if each.share > 1e-9} == {"conv1", "conv4", "fc"}
    assert sum(each.share for each in impact.layers) == pytest.approx(1)
    # The error of the last layer reaches the output as it is: 5 scores off by 0.01 for each of 2 inputs.
    y = [values_of(tmp_path / "a.onnx", "y", each) for each in inputs(2)]
    signal = sum(float((each.astype(np.float64) ** 2).sum()) for each in y)
    assert costs["fc"].sqnr == pytest.approx(10 * np.log10(signal / (2 * 5 * 0.01**2)), abs=0.01)
    # That of conv4 is the change of A's output where A has B's conv4, alone.
    alone = onnx.load(tmp_path / "a.onnx")
    planted.put(alone, "w4", planted.array(model, "w4"))
    onnx.save(alone, tmp_path / "alone.onnx")
    noise = sum(
        float(((values_of(tmp_path / "alone.onnx", "y", each).astype(np.float64) - one) ** 2).sum())
        for each, one in zip(inputs(2), y, strict=True)
    )
    assert costs["conv4"].sqnr == pytest.approx(10 * np.log10(signal / noise), abs=0.05)
    assert f"is the own error of {impact.layers[0].layer}: with it alone they are at" in impact.headline
    assert impact.as_json()["layers"][0]["layer"] == impact.layers[0].layer


def test_without_own_errors_and_quantisers_there_is_nothing_to_cost(tmp_path: Path) -> None:
    float_net(tmp_path / "a.onnx")
    array = np.zeros((1, 3, 12, 12), np.float32)
    found = onnxviz.compare(tmp_path / "a.onnx", tmp_path / "a.onnx", array, own=False)
    with pytest.raises(UnsupportedError, match="quantises no activation"):
        found.impact()
