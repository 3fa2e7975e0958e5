"""Which values of two layers are compared: those behind the same steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onnxviz
from onnxviz.comparing.matching.match import match
from onnxviz.comparing.matching.matches import Pair
from tests.comparing.matching.nets import Net


def pairs(a: onnxviz.Model, b: onnxviz.Model) -> list[Pair]:
    return list(match(a, b).pairs)


def conv_and(path: Path, *ops: str, fused: str = "") -> onnxviz.Model:
    """Return a convolution with nodes behind it that read it one after the other."""
    net = Net()
    attributes = {"activation": fused, "domain": "com.microsoft"} if fused else {}
    value = net.conv("x", "conv", 1, **attributes)
    if fused:
        net.nodes[-1].op_type = "FusedConv"
    for place, op in enumerate(ops):
        value = net.add(op, [value], f"op{place}")
    return net.save(path, value)


def test_a_fused_nonlinearity_is_compared_behind_it(tmp_path: Path) -> None:
    (pair,) = pairs(conv_and(tmp_path / "a.onnx", "HardSigmoid"), conv_and(tmp_path / "b.onnx", fused="HardSigmoid"))
    assert (pair.a.value, pair.a.stage) == ("op0_out", ("HardSigmoid",))
    assert (pair.b.value, pair.b.stage, pair.comparable) == ("conv_out", ("HardSigmoid",), "")


def test_where_the_stage_of_one_is_inside_a_kernel_nothing_is_compared(tmp_path: Path) -> None:
    net = Net()
    conv = net.conv("x", "conv", 1)
    gate = net.add("HardSigmoid", [conv], "gate")
    a = net.save(tmp_path / "a.onnx", net.add("Concat", [conv, gate], "both", axis=1))
    found = {pair.a.layer: pair for pair in pairs(a, conv_and(tmp_path / "b.onnx", fused="HardSigmoid"))}
    assert found["conv"].comparable == "B computes it inside a fused kernel and puts it out nowhere"


def test_a_missing_nonlinearity_is_compared_and_said(tmp_path: Path) -> None:
    found = match(followed(tmp_path / "a.onnx", relu=True), followed(tmp_path / "b.onnx", relu=False))
    pair = found.pairs[0]
    assert (pair.a.value, pair.b.value, pair.comparable) == ("relu_out", "conv_out", "")
    assert found.remarks == ("'conv' ends with Relu in A, with nothing in B ('conv')",)


def followed(path: Path, *, relu: bool) -> onnxviz.Model:
    net = Net()
    value = net.conv("x", "conv", 1)
    value = net.add("Relu", [value], "relu") if relu else value
    return net.save(path, net.add("GlobalAveragePool", [value], "pool"))


def test_of_a_last_nonlinearity_that_one_model_leaves_out_both_are_compared_before_it(tmp_path: Path) -> None:
    (pair,) = pairs(conv_and(tmp_path / "a.onnx", "Softmax"), conv_and(tmp_path / "b.onnx"))
    assert (pair.a.value, pair.b.value, pair.a.stage) == ("conv_out", "conv_out", ())


@pytest.mark.parametrize(("zero", "is_taken_in"), [(0, True), (100, False)])
def test_codes_that_begin_at_zero_hold_a_relu(tmp_path: Path, zero: int, is_taken_in: bool) -> None:
    net = Net()
    value = net.conv("x", "conv", 1)
    scale = net.constant(0.02, "scale")
    net.tensors.append(_zero_point(zero))
    codes = net.add("QuantizeLinear", [value, scale, "zero"], "q")
    numbers = net.add("DequantizeLinear", [codes, scale, "zero"], "dq")
    b = net.save(tmp_path / "b.onnx", net.add("GlobalAveragePool", [numbers], "pool"))
    found = match(followed(tmp_path / "a.onnx", relu=True), b)
    pair = found.pairs[0]
    assert (pair.a.value, pair.b.value, pair.comparable) == ("relu_out", "dq_out", "")
    assert bool(found.remarks) is not is_taken_in


def _zero_point(zero: int) -> object:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.array(zero, np.uint8), "zero")
