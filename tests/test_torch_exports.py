"""Both of PyTorch's exporters: layers are found by the path of their module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import onnxviz

FIXTURES = Path(__file__).resolve().parent / "fixtures"
MODULES = Path(__file__).resolve().parent / "graph" / "layers" / "exports"
IMAGE = np.random.default_rng(0).standard_normal((1, 3, 16, 16)).astype(np.float32)


@pytest.mark.parametrize("exporter", ["dynamo", "script"])
def test_layers_by_module_path(exporter: str) -> None:
    model = onnxviz.open(FIXTURES / f"torch_{exporter}.onnx")
    assert [layer.kind for layer in model.select("layer1.** & conv")] == ["conv", "conv"]
    (first,) = model.select("layer1.0.** & conv")
    assert first.scope.startswith("layer1.0.")
    assert len(model.select("conv")) == 3
    assert len(model.select("add")) == 2
    (pool,) = model.select("pool")
    assert pool.channels == 8


@pytest.mark.parametrize("exporter", ["dynamo", "script"])
def test_a_layer_ends_after_its_silu(exporter: str) -> None:
    model = onnxviz.open(FIXTURES / f"torch_{exporter}.onnx")
    (layer,) = model.select("(layer1.** & conv)[0]")
    reference = ReferenceEvaluator(str(model.path))
    values = reference.run(None, {"image": IMAGE}, intermediate=True)
    assert np.allclose(values[layer.act], values[layer.output] / (1 + np.exp(-values[layer.output])), atol=1e-6)
    shown = model.run(IMAGE, layers=[layer])[layer.name].array
    assert np.allclose(shown, values[layer.act], atol=1e-5)


def test_the_newer_exporter_shows_module_paths() -> None:
    model = onnxviz.open(FIXTURES / "torch_dynamo.onnx")
    assert [layer.name for layer in model.select("conv")] == ["stem", "layer1.0.bn1", "layer1.1.bn1"]


def test_modules_as_functions_give_the_layers_of_the_plain_export_bit_for_bit(tmp_path: Path) -> None:
    plain, functions = (onnxviz.open(MODULES / f"modules_{name}.onnx") for name in ("plain", "functions"))
    assert functions.graph.functions
    image = np.random.default_rng(0).standard_normal(functions.inputs[0].shape).astype(np.float32)
    facts = [
        [
            (layer.kind, layer.shape, layer.layout, layer.channels, layer.depth, layer.parameters)
            for layer in each.catalogue
        ]
        for each in (plain, functions)
    ]
    assert facts[0] == facts[1]
    values = []
    for model in (plain, functions):
        exposed = model.expose(list(model.catalogue))
        path = tmp_path / "exposed.onnx"
        exposed.save(path, force=True)
        onnx.checker.check_model(path, full_check=True)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        found = dict(
            zip(
                [output.name for output in session.get_outputs()],
                session.run(None, {model.inputs[0].name: image}),
                strict=True,
            )
        )
        values.append([found[layer.act] for layer in model.catalogue])
        (scores,) = onnxruntime.InferenceSession(model.path, options).run(None, {model.inputs[0].name: image})
        np.testing.assert_array_equal(scores, found[model.outputs[0].name])
    assert len(values[0]) == len(facts[0]) > 10
    for one, other in zip(*values, strict=True):
        np.testing.assert_array_equal(one, other)
