"""Mutations of real models through `backward`: two models or one clear refusal, never another error."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import onnx

from onnxviz.errors import OnnxvizError
from onnxviz.gradient.build import backward
from onnxviz.graph.graph import Graph

MUTATIONS = 400


def load_mutations() -> Any:
    path = Path(__file__).parents[1] / "graph" / "mutations.py"
    spec = importlib.util.spec_from_file_location("mutations_of_models", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_mutations_are_differentiated_or_refused() -> None:
    mutations = load_mutations()
    small = [source for source in mutations.read_sources() if len(source.content) < 1 << 15]
    generator, outcomes, refusals = random.Random(7), Counter[str](), Counter[str]()
    for number in range(MUTATIONS):
        source = small[number % len(small)]
        content, _ = mutations.mutate(source, source.first_end, generator)
        try:
            graph = Graph.from_bytes(content)
            if not graph.inputs or not graph.outputs:
                continue
            made = backward(graph, graph.outputs[0].name, [graph.inputs[0].name])
        except OnnxvizError as error:
            assert str(error) and str(error).count("\n") < 2
            outcomes["refused"] += 1
            refusals[str(error).partition("'")[0]] += 1
            continue
        onnx.ModelProto.FromString(made.backward.to_bytes())
        outcomes["differentiated"] += 1
    assert outcomes["differentiated"] > MUTATIONS / 10, (outcomes, refusals.most_common(5))
    assert outcomes["refused"] > MUTATIONS / 10
