"""A detector quantised by onnxruntime: its layers are what onnxruntime alone gives, codes as what they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

import onnxviz

DETECTOR = Path(__file__).parent / "graph" / "operators" / "exports" / "yolo_script_fixed.onnx"
SHAPE = (1, 3, 64, 64)


class Noise(CalibrationDataReader):
    """Four inputs, from which quantisation takes its scales."""

    def __init__(self) -> None:
        feeds = np.random.default_rng(2).random((4, *SHAPE), np.float32)
        self._feeds = iter([{"image": feed} for feed in feeds])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def quantised(form: str, path: Path) -> None:
    if form == "dynamic":
        quantize_dynamic(DETECTOR, path, weight_type=QuantType.QUInt8)
        return
    formats = {"QDQ": QuantFormat.QDQ, "QOperator": QuantFormat.QOperator}
    activations = QuantType.QUInt8 if form == "QOperator" else QuantType.QInt8
    types = {"activation_type": activations, "weight_type": QuantType.QInt8, "quant_format": formats[form]}
    quantize_static(DETECTOR, path, Noise(), **types)


@pytest.mark.parametrize("form", ["QDQ", "QOperator", "dynamic"])
def test_each_layer_of_a_quantised_detector_is_what_onnxruntime_gives(form: str, tmp_path: Path) -> None:
    quantised(form, tmp_path / "m.onnx")
    image = np.random.default_rng(9).random(SHAPE, np.float32)
    found = onnxviz.open(tmp_path / "m.onnx").run(image, layers="all", run=onnxviz.RunOptions(exact=True))
    proto = onnx.load(tmp_path / "m.onnx")
    values = [activation.value for activation in found.values()]
    own = {info.name for info in proto.graph.output}
    proto.graph.output.extend(onnx.ValueInfoProto(name=value) for value in values if value not in own)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = onnxruntime.InferenceSession(proto.SerializeToString(), options).run(values, {"image": image})
    float_run = onnxviz.open(DETECTOR).run(image, layers="all")
    dequantised = 0
    for (name, activation), array in zip(found.items(), plain, strict=True):
        if activation.dequantised:
            codes, quantisation = array.astype(float), activation.quantised
            assert quantisation is not None
            expected = (codes - quantisation.zero_point) * np.float64(quantisation.scale)
            np.testing.assert_allclose(activation.array, expected, rtol=1e-5, atol=1e-6, err_msg=name)
            dequantised += 1
        else:
            np.testing.assert_array_equal(activation.array, array, err_msg=name)
        if name in float_run and activation.array.shape == float_run[name].array.shape:
            reach = float(np.abs(float_run[name].array).max())
            assert np.abs(activation.array - float_run[name].array).max() <= 0.2 * reach, name
    convolutions = sum(activation.op in ("Conv", "QLinearConv", "ConvInteger") for activation in found.values())
    assert (dequantised > 20) == (form == "QOperator")
    assert convolutions > 5
