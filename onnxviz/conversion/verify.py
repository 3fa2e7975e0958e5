"""The check that a converted model computes the same: onnxruntime runs it on the input that TensorFlow ran on.

The tolerance of a tensor is 1e-4 of its largest magnitude, or if that is more, eight times as far as it moved in
TensorFlow itself when the input moved by one unit in its last place. Rounding in another order is not a fault of the
conversion, and a deep net with random weights turns it into 1e-3. The tolerance never exceeds 1e-2, except for 8-bit
numbers: eight of their steps, because both sides round in different places.

A tensor that differs between two runs of TensorFlow is not compared, and the result names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.conversion.child.exchange import Facts, StoredTensor
from onnxviz.conversion.convert_options import Agreement
from onnxviz.differences import difference
from onnxviz.errors import VerificationError
from onnxviz.graph.expose import expose
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.runtime.session import RunOptions, Session

TOLERANCE = 1e-4
LARGEST_TOLERANCE = 1e-2
_ROUNDINGS = 8


# A value of the model, the order of axes that transposes it to a tensor, and that tensor.
_ComparedTensor = tuple[str, Sequence[int] | None, StoredTensor]


def verify(model: Path, facts: Facts, arrays: Path) -> Agreement:
    """Run the model on the stored input and compare its outputs and kept layers with TensorFlow's.

    Raises:
        VerificationError: A value differs by more than its tolerance, or has another shape.
        UnsupportedError: onnxruntime cannot open the model.
    """
    reference = facts["reference"]
    file = ModelFile.open(model)
    graph = Graph.from_bytes(file.skeleton)
    random = tuple(stored["tensor"] for stored in reference["values"] if not stored["repeats"])
    pairs = _pairs(graph, facts)
    if not any(stored["output"] for _, _, stored in pairs):
        why = "change from run to run on the same input" if random else "are not numbers"
        raise VerificationError(
            f"nothing can be proved: TensorFlow's own outputs {why}; nothing was written\n"
            "without verifying: onnxviz convert --no-verify"
        )
    names = list(dict.fromkeys(value for value, _, _ in pairs))
    exposed = expose(graph, names, infer_types(graph)).graph
    session = Session(exposed.to_bytes(), file.folder, RunOptions(device="cpu", exact=True))
    with np.load(arrays, allow_pickle=False) as stored:
        feed = {name: stored[key] for name, key in reference["inputs"].items()}
        results = dict(zip(names, session.run(feed, names), strict=True))
        return replace(_agreement(pairs, results, stored), random=random)


def _pairs(graph: Graph, facts: Facts) -> list[_ComparedTensor]:
    """Return what can be compared: the stored tensors that repeat and are values of the model."""
    pairs: list[_ComparedTensor] = []
    for stored in facts["reference"]["values"]:
        if not stored["repeats"]:
            continue
        tensor = stored["tensor"]
        kept = facts["where"].get(tensor)
        value = kept["value"] if kept else facts.get("renames", {}).get(tensor, tensor)
        if value in graph.producers:
            pairs.append((value, kept["order"] if kept else None, stored))
        elif stored["output"]:
            raise VerificationError(f"the converted model has no output '{value}'")
    return pairs


def _agreement(
    pairs: Sequence[_ComparedTensor], results: Mapping[str, npt.NDArray[Any]], arrays: Mapping[str, npt.NDArray[Any]]
) -> Agreement:
    output = layer = tolerance = 0.0
    worst, worst_ratio = "", -1.0
    for value, order, stored in pairs:
        found = results[value] if order is None else np.transpose(results[value], order)
        gap = _gap(found, arrays[stored["key"]], value)
        own = min(max(TOLERANCE, _ROUNDINGS * stored["rounding"]), LARGEST_TOLERANCE)
        allowed = max(own, _ROUNDINGS * stored["step"])
        output = max(output, gap) if stored["output"] else output
        layer = max(layer, gap)
        if gap / allowed > worst_ratio:
            worst, worst_ratio, tolerance = value, gap / allowed, allowed
    if worst_ratio > 1:
        raise VerificationError(
            f"the converted model differs from TensorFlow by {worst_ratio * tolerance:.2g} of the largest value at "
            f"'{worst}', tolerance {tolerance:.2g}; nothing was written\nall the same: onnxviz convert --no-verify"
        )
    return Agreement(output, layer, worst, len(pairs), tolerance)


def _gap(found: npt.NDArray[Any], expected: npt.NDArray[Any], value: str) -> float:
    """Return the largest difference as a share of the largest magnitude; equal infinities and NaN are equal."""
    if found.shape != expected.shape:
        raise VerificationError(
            f"'{value}' is {found.shape} in the converted model and {expected.shape} in TensorFlow; nothing was written"
        )
    return difference([found.astype(np.float64)], [expected.astype(np.float64)]).max_rel
