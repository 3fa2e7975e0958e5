"""Differentiates the node tests of the installed onnx package and holds each gradient against central differences.

    node_gradients.py [--write docs/gradients.md] [PATTERN ...]     all tests, or those whose names match a pattern

Of each model of one node of ONNX's own with float operands, each operand is differentiated: the two models run in
onnxruntime, and the differences are of onnx's reference evaluator in float64, along three random directions. Whole
numbers, scales and sizes become initializers, as they are in models. A case is refused where a rule says why.
"""

from __future__ import annotations

import argparse
import copy
import fnmatch
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator

from onnxviz.errors import OnnxvizError
from onnxviz.gradient.build import GradientOptions, backward
from onnxviz.gradient.forward import NeedsRunError
from onnxviz.graph.graph import Graph
from onnxviz.layout import TensorSpec

Arrays = Mapping[str, Any]

TOLERANCE = 2e-3
# The reference evaluator computes these in float32 whatever it is given.
ROUGH = frozenset({"Erf", "Gelu", "GroupNormalization", "Attention", "RotaryEmbedding", "STFT", "DFT", "GridSample"})
FROZEN = frozenset({"scales", "roi", "sizes"})
RIGHT, WRONG, REFUSED, NO_PATH = "right", "wrong", "refused", "no slope anywhere"
UNRUN, UNJUDGED = "not run by onnxruntime", "the evaluator fails, or differs from onnxruntime"
VERDICTS = (RIGHT, WRONG, REFUSED, NO_PATH, UNJUDGED, UNRUN)


class UnjudgedError(Exception):
    """The reference evaluator is not a judge here."""


@dataclass(frozen=True)
class Outcome:
    """What came of one case."""

    operator: str
    name: str
    verdict: str
    reason: str = ""


def cases(patterns: Sequence[str] = ()) -> Iterator[tuple[str, onnx.ModelProto, dict[str, Any]]]:
    """Yield name, model and feed of each test that has a float operand and a float result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    for case in found:
        if patterns and not any(fnmatch.fnmatch(case.name, pattern) for pattern in patterns):
            continue
        model = case.model
        if model is None or "_expanded" in case.name or len(model.graph.node) != 1 or not case.data_sets:
            continue
        if model.graph.node[0].domain not in ("", "ai.onnx"):
            continue
        kinds = [info.type.tensor_type.elem_type for info in model.graph.input]
        results = [info.type.tensor_type.elem_type for info in model.graph.output]
        if TensorProto.FLOAT not in kinds or TensorProto.FLOAT not in results:
            continue
        arrays = [_array(given) for given in case.data_sets[0][0]]
        if any(array is None for array in arrays):
            continue
        yield case.name, copy.deepcopy(model), dict(zip((i.name for i in model.graph.input), arrays, strict=False))


def _array(given: Any) -> Any:
    if isinstance(given, TensorProto):
        return numpy_helper.to_array(given)
    return np.asarray(given) if isinstance(given, np.ndarray | np.generic | float | int) else None


def judged(name: str, model: onnx.ModelProto, feed: dict[str, Any], seed: int = 0) -> Outcome:
    """Return what comes of a case."""
    generator = np.random.default_rng(seed)
    node = model.graph.node[0]
    if not all(array.size for array in feed.values()):
        return Outcome(node.op_type, name, UNJUDGED, "it has no numbers")
    feed = _apart(node, feed, generator)
    floats = [key for key, array in feed.items() if array.dtype == np.float32 and key not in FROZEN]
    _freeze(model, feed)
    model.ir_version = max(model.ir_version, 8)
    target = next(info.name for info in model.graph.output if info.type.tensor_type.elem_type == TensorProto.FLOAT)
    try:
        values_of(model.SerializeToString(), feed, [target])
    except Exception as error:
        return Outcome(node.op_type, name, UNRUN, str(error)[:100])
    reasons = []
    for value in floats:
        try:
            worst = difference(model, feed, value, target, generator)
        except OnnxvizError as error:
            reasons.append(str(error))
            continue
        except UnjudgedError as error:
            return Outcome(node.op_type, name, UNJUDGED, str(error))
        except Exception:
            return Outcome(node.op_type, name, WRONG, f"{value}: {traceback.format_exc(limit=-1)[-300:]}")
        if not worst < TOLERANCE:
            return Outcome(node.op_type, name, WRONG, f"{value}: off by {worst:.3g}")
    if len(reasons) < len(floats):
        return Outcome(node.op_type, name, RIGHT)
    is_flat = any(word in reasons[0] for word in ("does not depend on", "reaches"))
    return Outcome(node.op_type, name, NO_PATH if is_flat else REFUSED, reasons[0])


def _apart(node: onnx.NodeProto, feed: Arrays, generator: np.random.Generator) -> dict[str, Any]:
    """Move the first float operand a little, so that no two numbers are the same and none is at a kink."""
    if node.op_type in ("LSTM", "GRU", "RNN"):  # their gates are saturated, and float32 has nothing left of a slope
        feed = {key: array * np.float32(0.1) if key == "X" else array for key, array in feed.items()}
    if node.op_type == "GridSample":  # its grids lie on the pixels, where it has no slope
        return {
            key: (array + 5e-3 + 1e-2 * generator.random(array.shape)).astype(np.float32) for key, array in feed.items()
        }
    first = next(key for key, array in feed.items() if array.dtype == np.float32)
    if node.op_type in ("Acos", "Acosh", "Asin", "Atanh"):  # away from the ends of where they are defined
        return {
            key: array + np.float32(0.1) if node.op_type == "Acosh" else array * np.float32(0.9)
            for key, array in feed.items()
        }
    noise = 1e-4 * generator.standard_normal(feed[first].shape)
    return {key: (array + noise).astype(np.float32) if key == first else array for key, array in feed.items()}


def _freeze(model: onnx.ModelProto, feed: dict[str, Any]) -> None:
    """Make initializers of what models hold as constants."""
    kept = model.graph.node[0].op_type in ("Gather", "GatherElements", "GatherND", "Where", "ScatterElements")
    for info in list(model.graph.input):
        is_number = feed[info.name].dtype.kind in "iub" if info.name in feed else False
        if info.name in feed and ((is_number and not kept) or info.name in FROZEN):
            model.graph.initializer.append(numpy_helper.from_array(feed.pop(info.name), info.name))
            model.graph.input.remove(info)


def difference(
    model: onnx.ModelProto, feed: dict[str, Any], value: str, target: str, generator: np.random.Generator
) -> float:
    """Return by how much a gradient differs from central differences, in parts of its length."""
    graph = Graph.from_bytes(model.SerializeToString())
    try:
        made = backward(graph, target, [value])
    except NeedsRunError:
        made = backward(graph, target, [value], GradientOptions(probe=lambda g, names: probed(g, names, feed)))
    onnx.checker.check_model(made.forward.proto)
    onnx.checker.check_model(made.backward.proto)
    values = {**feed, **values_of(made.forward.to_bytes(), feed)}
    seed = generator.standard_normal(values[target].shape).astype(np.float32)
    (found,) = values_of(made.backward.to_bytes(), {**values, made.seed: seed}).values()
    assert found.shape == feed[value].shape, f"{found.shape} is not the shape {feed[value].shape}"
    check_judge(to_float64(model), target, feed, values[target])
    return away(to_float64(model), (target, value), feed, (seed, found), generator)


def check_judge(model: onnx.ModelProto, target: str, feed: Arrays, value: Any) -> None:
    """Raise UnjudgedError where the reference evaluator fails in float64, or computes something else."""
    wide = {key: array.astype(np.float64) if array.dtype == np.float32 else array for key, array in feed.items()}
    try:
        expected = ReferenceEvaluator(model).run([target], wide)[0]
    except Exception as error:
        raise UnjudgedError(f"{type(error).__name__}: {str(error)[:120]}") from None
    if not value.size or not np.isfinite(value).all() or not np.allclose(expected, value, 1e-3, 1e-3):
        raise UnjudgedError("another value than onnxruntime's, or none")


def away(
    model: onnx.ModelProto, names: tuple[str, str], feed: Arrays, pair: tuple[Any, Any], generator: np.random.Generator
) -> float:
    """Return how far a gradient is from what the reference evaluator gives in float64."""
    (target, value), (seed, found) = names, pair
    step = 1e-3 if model.graph.node[0].op_type in ROUGH else 1e-6
    evaluator = ReferenceEvaluator(model)
    wide = {key: array.astype(np.float64) if array.dtype == np.float32 else array for key, array in feed.items()}
    worst = 0.0
    for _ in range(3):
        direction = generator.standard_normal(feed[value].shape)
        up, down = (
            evaluator.run([target], {**wide, value: wide[value] + sign * step * direction})[0] for sign in (1, -1)
        )
        numeric = float((((up.astype(np.float64) - down) / (2 * step)) * seed).sum())
        ours = float((direction * found).sum())
        length = max(1e-3, float(np.sqrt((found.astype(np.float64) ** 2).sum())), abs(numeric))
        off = abs(numeric - ours) / length
        worst = off if not off <= worst else worst
    return worst


def probed(graph: Graph, names: Sequence[str], feed: Arrays) -> dict[str, TensorSpec]:
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    found = values_of(proto.SerializeToString(), feed)
    return {name: TensorSpec(name, array.dtype.name, array.shape) for name, array in found.items()}


def values_of(model: bytes, feed: Arrays, outputs: Sequence[str] | None = None) -> dict[str, Any]:
    """Run a model in onnxruntime on one thread and return its outputs by name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = outputs or [value.name for value in session.get_outputs()]
    given = {each.name: feed[each.name] for each in session.get_inputs()}
    return dict(zip(names, session.run(names, given), strict=True))


def to_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that computes in float64."""
    wide = copy.deepcopy(model)
    for info in (*wide.graph.input, *wide.graph.output, *wide.graph.value_info):
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    for tensor in wide.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in FROZEN:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for attribute in (attribute for node in wide.graph.node for attribute in node.attribute):
        if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.DOUBLE
        if attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float64)))
    return wide


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    onnxruntime.set_default_logger_severity(4)
    found = [judged(*case) for case in cases(arguments.patterns)]
    print(page(found))
    print(*(f"{each.name}: {each.reason}" for each in found if each.verdict == WRONG), sep="\n")
    if arguments.write:
        arguments.write.write_text(page(found), encoding="utf-8")
    if any(outcome.verdict == WRONG for outcome in found):
        sys.exit(1)


def page(found: Sequence[Outcome]) -> str:
    counts = Counter(outcome.verdict for outcome in found)
    refused = Counter(
        (outcome.operator, outcome.reason.partition("': ")[2]) for outcome in found if outcome.verdict == REFUSED
    )
    return (
        "# Gradients of onnx's node tests\n\n"
        f"{len(found)} tests of one node of ONNX with float operands and results, differentiated by\n"
        "`make gradients`: each float operand, in onnxruntime's float32, against central differences of\n"
        f"onnx's reference evaluator in float64 along three random directions, within {TOLERANCE:g} of its length.\n\n"
        "| outcome | tests |\n|---|---|\n"
        + "".join(f"| {verdict} | {counts[verdict]} |\n" for verdict in VERDICTS)
        + "\nWhat is refused, and why:\n\n| operator | tests | reason |\n|---|---|---|\n"
        + "".join(f"| {operator} | {count} | {reason} |\n" for (operator, reason), count in sorted(refused.items()))
    )


if __name__ == "__main__":
    main()
