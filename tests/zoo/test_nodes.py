"""`make nodes` sees each thing that can become of a model, and goes on after one that ends its process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

HERE = Path(__file__).resolve().parent
X = np.array([[-1.5, 0.25], [2.0, -0.0]], np.float32)
RELU = np.maximum(X, 0)

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the models run in forked processes")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zoo_nodes", HERE / "nodes.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def nodes() -> ModuleType:
    return load()


def apart(judge: Callable[[ModuleType], Any]) -> Any:
    """Return what a function of this file gives in a fresh process: one that has run other tests has threads, and a
    fork beside threads may find a lock taken for ever."""
    code = f"import json, runpy; here = runpy.run_path({__file__!r}); "
    code += f"print(json.dumps(here[{judge.__name__!r}](here['load']())))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def case_of(nodes: ModuleType, name: str, expected: Any = RELU, operator: str = "Relu", domain: str = "") -> Any:
    infos = [helper.make_tensor_value_info(value, TensorProto.FLOAT, [2, 2]) for value in "xy"]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], domain=domain)], "g", infos[:1], infos[1:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("nobody", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return nodes.Case(name, model.SerializeToString(), [([X], [expected])], 1e-3, 1e-7)


def outcomes(nodes: ModuleType, *cases: Any) -> list[tuple[str, str, str]]:
    return [(outcome.name, outcome.verdict, outcome.detail) for outcome in nodes.judged(cases)]


def judge_three(nodes: ModuleType) -> Any:
    unknown = case_of(nodes, "unknown", operator="Frobnicate", domain="nobody")
    return outcomes(nodes, case_of(nodes, "right"), case_of(nodes, "other", RELU + 1), unknown)


@forks
def test_values_are_held_against_the_test_and_refusals_told_apart(nodes: ModuleType) -> None:
    (right, other, (name, verdict, detail)) = apart(judge_three)
    assert right == ["right", nodes.EQUAL, ""]
    assert other == ["other", nodes.UNEXPECTED, "outputs y"]
    assert (name, verdict) == ("unknown", nodes.REFUSED)
    assert "Frobnicate" in detail


def judge_nearly(nodes: ModuleType) -> Any:
    nearly = RELU.copy()
    nearly[0, 1] = np.nextafter(nearly[0, 1], np.float32(1))
    nodes.run_ours = lambda path, proto, feed: {"y": nearly}
    return outcomes(nodes, case_of(nodes, "nearly"))


@forks
def test_a_value_that_is_off_by_one_bit_is_wrong(nodes: ModuleType) -> None:
    assert apart(judge_nearly) == [["nearly", nodes.WRONG, "values y"]]


def test_bytes_for_small_floats_are_wrong(nodes: ModuleType) -> None:
    raw = np.array([0x38, 0xB8], np.uint8)  # 1 and -1 in E4M3FN: exponent 7 less the bias 7
    kind = TensorProto.FLOAT8E4M3FN
    plain = nodes.numbers(onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, kind))
    assert plain.tolist() == [1, -1]
    assert not nodes.is_same(raw, plain)
    assert nodes.is_same(np.array([1, -1], np.float32), plain)


def judge_crashes(nodes: ModuleType) -> Any:
    def judge(case: Any, path: Path) -> Any:
        if case.name == "ends":
            os._exit(7)
        if case.name == "raises":
            raise RecursionError("too deep")
        return nodes.Outcome(case.name, nodes.EQUAL)

    nodes.judge = judge
    return outcomes(nodes, *(case_of(nodes, name) for name in ("first", "raises", "ends", "last")))


@forks
def test_the_run_goes_on_after_a_crash(nodes: ModuleType) -> None:
    assert apart(judge_crashes) == [
        ["first", nodes.EQUAL, ""],
        ["raises", nodes.CRASHED, "RecursionError: too deep"],
        ["ends", nodes.CRASHED, "the process ended with 7"],
        ["last", nodes.EQUAL, ""],
    ]


def test_the_page_counts_and_names(nodes: ModuleType) -> None:
    text = nodes.page(
        [
            nodes.Outcome("a", nodes.EQUAL, values=3),
            nodes.Outcome("b", nodes.REFUSED, "UnsupportedError: 'x' has 3 axes"),
            nodes.Outcome("c", nodes.REFUSED, "UnsupportedError: 'y' has 4 axes"),
            nodes.Outcome("d", nodes.WRONG, "values y"),
        ],
        2.4,
    )
    assert f"| {nodes.EQUAL} | 1 |" in text
    assert "| 2 | UnsupportedError: '…' has N axes | `b` |" in text
    assert "* `d`: values y" in text
    assert "3 values were compared, in 2 s of CPU" in text
