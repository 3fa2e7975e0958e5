"""The models that the installed onnx and onnxruntime wheels carry; `make zoo` takes all."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import onnx
import pytest

HERE = Path(__file__).resolve().parent


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"zoo_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fetch, zoo = load("fetch"), load("survey")
# Each makes weights of 0.2 to 0.6 GB as it runs; `make zoo` takes them too.
LARGE = ("onnx/light_vgg19", "onnx/light_bvlc_alexnet", "onnx/light_zfnet512")
ENTRIES = [
    entry for entry in zoo.read_manifest() if entry.id.startswith(("onnx/", "onnxruntime/")) and entry.id not in LARGE
]
MAPS = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
MODELS = {model.id: model for model in fetch.read_manifest(zoo.MANIFEST)}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_a_model_of_the_wheels(entry: object, tmp_path: Path) -> None:
    model = MODELS[entry.id]
    if not fetch.copy_installed(model, tmp_path):
        pytest.skip("the installed package has another version of it")
    try:
        outcome = zoo.survey(model.cached_at(tmp_path), entry)
    except zoo.OnnxvizError as error:
        assert not entry.runs, error
        return
    assert bool(outcome.refusal) != entry.runs, outcome.refusal
    graph = onnx.load(model.cached_at(tmp_path), load_external_data=False).graph
    maps = sum(node.op_type in MAPS for node in graph.node)
    assert not maps or outcome.exposed == maps
