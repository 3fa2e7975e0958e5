"""The proof that a converted model is the same: onnxruntime's results on the input that TensorFlow computed on.

A tensor may differ by 1e-4 of its largest magnitude, or by eight times what moving the input by one unit in its last
place moved it in TensorFlow itself, whichever is more: rounding in another order is no fault of the conversion, and a
deep net with random weights turns it into 1e-3. More than 1e-2 is never passed over, but where numbers of 8 bits are:
eight of their steps, for both round in different places.

What TensorFlow does not give again when it is run again is not compared, and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.conversion.options import Agreement
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


def verify(model: Path, facts: Mapping[str, Any], arrays: Path) -> Agreement:
    """Run the model on the stored input and compare its outputs and kept layers with TensorFlow's.

    Raises:
        VerificationError: A value differs by more than its tolerance, or has another shape.
        UnsupportedError: onnxruntime cannot open the model.
    """
    reference, where = facts["reference"], facts["where"]
    renames = facts.get("renames", {})
    file = ModelFile.open(model)
    graph = Graph.from_bytes(file.skeleton)
    entries = []
    random = tuple(entry["tensor"] for entry in reference["values"] if not entry["repeats"])
    for entry in (entry for entry in reference["values"] if entry["repeats"]):
        kept = where.get(entry["tensor"], {})
        value = kept.get("value") or renames.get(entry["tensor"], entry["tensor"])
        if value in graph.producers:
            entries.append((value, kept.get("order"), entry))
        elif entry["output"]:
            raise VerificationError(f"the converted model has no output '{value}'")
    if not any(entry["output"] for _, _, entry in entries):
        why = "change from run to run on the same input" if random else "are no numbers"
        raise VerificationError(
            f"nothing can be proved: TensorFlow's own outputs {why}; nothing was written\n"
            "unseen: onnxviz convert --no-verify"
        )
    exposed = expose(graph, list(dict.fromkeys(value for value, _, _ in entries)), infer_types(graph)).graph
    options = RunOptions(device="cpu", exact=True)
    session = Session(exposed.to_bytes(), file.folder, options)
    with np.load(arrays, allow_pickle=False) as stored:
        feed = {name: stored[key] for name, key in reference["inputs"].items()}
        names = list(dict.fromkeys(value for value, _, _ in entries))
        results = dict(zip(names, session.run(feed, names), strict=True))
        return replace(_agreement(entries, results, stored), random=random)


def _agreement(entries: list[Any], results: Mapping[str, Any], stored: Any) -> Agreement:
    output = layer = tolerance = 0.0
    worst, worst_ratio = "", -1.0
    for value, order, entry in entries:
        found = results[value] if order is None else np.transpose(results[value], order)
        gap = _gap(found, stored[entry["key"]], value)
        own = min(max(TOLERANCE, _ROUNDINGS * entry["rounding"]), LARGEST_TOLERANCE)
        allowed = max(own, _ROUNDINGS * entry["step"])
        output = max(output, gap) if entry["output"] else output
        layer = max(layer, gap)
        if gap / allowed > worst_ratio:
            worst, worst_ratio, tolerance = value, gap / allowed, allowed
    if worst_ratio > 1:
        raise VerificationError(
            f"the converted model differs from TensorFlow by {worst_ratio * tolerance:.2g} of the largest value at "
            f"'{worst}', tolerance {tolerance:.2g}; nothing was written\nall the same: onnxviz convert --no-verify"
        )
    return Agreement(output, layer, worst, len(entries), tolerance)


def _gap(found: npt.NDArray[Any], expected: npt.NDArray[Any], value: str) -> float:
    """Return the largest difference as a share of the largest magnitude; equal infinities and NaN are equal."""
    if found.shape != expected.shape:
        raise VerificationError(
            f"'{value}' is {found.shape} in the converted model and {expected.shape} in TensorFlow; nothing was written"
        )
    return difference([found.astype(np.float64)], [expected.astype(np.float64)]).max_rel
