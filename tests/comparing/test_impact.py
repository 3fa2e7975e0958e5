from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxviz
from onnxviz.errors import UnsupportedError
from onnxviz.runtime.session import RunOptions
from tests.comparing import planted
from tests.comparing.nets import float_net, inputs, quantised_net

EXACT = RunOptions(exact=True)


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


def test_a_model_without_quantisers_has_none_to_advise_on(tmp_path: Path) -> None:
    float_net(tmp_path / "a.onnx")
    found = onnxviz.compare(tmp_path / "a.onnx", tmp_path / "a.onnx", np.zeros((1, 3, 12, 12), np.float32))
    with pytest.raises(UnsupportedError, match="quantises no activation"):
        found.impact()
