"""The check that a converted model computes the same: onnxruntime runs it on the inputs that TensorFlow ran on.

Two proofs count, and one is enough for each input. What is compared is a share of a tensor's largest magnitude.

1. From input to output: each tensor is within 1e-4, or if that is more, within eight times as far as it moved in
   TensorFlow itself when the input moved by one unit in its last place, but never beyond 1e-2. Rounding in another
   order is not a fault of the conversion, and a deep net with random weights turns it into 1e-3.
2. Layer by layer: each tensor, computed from the values that TensorFlow had before it, is within 1e-4. Rounding then
   has no depth in which to grow.

A score behind a Sigmoid or Softmax may differ by the unit in the last place of 1, though it be 1e-9.

A tensor of fewer digits, quantised or in half precision, is allowed three of its own steps instead, if these are more:
both sides round, and in different places. What quantised numbers cannot hold they cut off, and so does the comparison.

What hangs on a choice between equals, as the boxes of a detector whose scores are the same, is not compared layer by
layer (ties.py), and the result names it.

A tensor that differs between two runs of TensorFlow, or that the converted model draws at random, is not compared, and
the result names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onnxviz.conversion.child.exchange import Facts, Reference
from onnxviz.conversion.comparison import ComparedTensor, Finding, compare, stored_tensors
from onnxviz.conversion.convert_options import Agreement
from onnxviz.conversion.ties import changed, choices, nudged
from onnxviz.errors import VerificationError
from onnxviz.graph.expose import expose
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.supply import random_values, supply
from onnxviz.layout import Array
from onnxviz.runtime.session import RunOptions, Session


def verify(model: Path, facts: Facts, arrays: Path) -> Agreement:
    """Run the model on the stored inputs and compare its outputs and kept layers with TensorFlow's.

    Raises:
        VerificationError: A value differs by more than its tolerance, or has another shape.
        UnsupportedError: onnxruntime cannot open the model.
    """
    file = ModelFile.open(model)
    graph = Graph.from_bytes(file.skeleton)
    references = [facts["reference"], *([facts["on_picture"]] if "on_picture" in facts else [])]
    with np.load(arrays, allow_pickle=False) as stored:
        found = []
        for one in references:
            tensors = stored_tensors(graph, facts, one)
            exposed = expose(graph, _values(tensors), infer_types(graph)).graph
            found.append(_proof(_Trial(exposed, file.folder, tensors, _feed(graph, one, stored), stored)))
    worst = max(found, key=lambda finding: finding.ratio).agreement
    return replace(
        worst,
        output=max(finding.agreement.output for finding in found),
        layer=max(finding.agreement.layer for finding in found),
        by_layer=any(finding.agreement.by_layer for finding in found),
        tied=tuple(dict.fromkeys(name for finding in found for name in finding.agreement.tied)),
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """One input that TensorFlow ran on, and the model that has to make the same of it.

    Attributes:
        graph: the model, with each compared value among its outputs.
        folder: where its weights lie.
        tensors: what is compared.
        feed: the input.
        arrays: what TensorFlow made, by the keys of the tensors.
    """

    graph: Graph
    folder: Path
    tensors: Sequence[ComparedTensor]
    feed: Mapping[str, Array]
    arrays: Mapping[str, Array]

    def results(self, graph: Graph, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Return what a graph makes of the compared values."""
        names = _values(self.tensors)
        session = Session(graph.to_bytes(), self.folder, RunOptions(device="cpu", exact=True))
        return dict(zip(names, session.run(feed, names), strict=True))


def _feed(graph: Graph, reference: Reference, arrays: Mapping[str, Array]) -> dict[str, Array]:
    dtypes = {spec.name: spec.dtype for spec in graph.inputs}
    return {name: arrays[key].astype(dtypes.get(name)) for name, key in reference["inputs"].items()}


def _values(tensors: Iterable[ComparedTensor]) -> list[str]:
    return list(dict.fromkeys(tensor.value for tensor in tensors))


def _proof(trial: _Trial) -> Finding:
    """Return the proof from input to output, where that is one, else the one layer by layer."""
    drawn = random_values(trial.graph)
    changing = {one.value for one in trial.tensors if not one.stored["repeats"]}
    results = trial.results(trial.graph, trial.feed)
    repeated = [one for one in trial.tensors if one.stored["repeats"] and one.value not in drawn]
    whole = compare(repeated, results, trial.arrays)
    if whole is not None and whole.ratio <= 1 and not (drawn - changing) & results.keys():
        return whole.without(trial.tensors, changing | drawn)
    single = _proof_by_layer(trial, results, changing - drawn)
    if single.agreement.tied:
        rest = [one for one in repeated if one.stored["tensor"] not in single.agreement.tied]
        whole = compare(rest, results, trial.arrays, needs_output=False)
    if whole is None:
        return single
    return replace(single, agreement=replace(single.agreement, output=whole.agreement.output))


def _proof_by_layer(trial: _Trial, results: Mapping[str, Array], changing: Set[str]) -> Finding:
    """Compare what each layer makes of the values that TensorFlow had before it."""
    known = {
        one.value: _as_value(one, trial.arrays, results) for one in trial.tensors if one.value in trial.graph.consumers
    }
    supplied, more = supply(trial.graph, known)
    # What both sides draw is not compared, but what they make of the same numbers is.
    left_out = changing | random_values(supplied)
    compared = [one for one in trial.tensors if one.value not in left_out]
    results = trial.results(supplied, {**trial.feed, **more})
    found = compare(compared, results, trial.arrays, by_layer=True)
    if found is not None and found.ratio > 1:
        found = _beside_ties(trial, compared, results, (supplied, more)) or found
    if found is None:
        why = "change from run to run on the same input" if left_out else "are not numbers"
        raise VerificationError(
            f"nothing can be proved: TensorFlow's own outputs {why}; nothing was written\n"
            "without verifying: onnxviz convert --no-verify"
        )
    if found.ratio > 1:
        raise VerificationError(
            f"the converted model differs from TensorFlow by {found.gap:.2g} of the largest value at "
            f"'{found.agreement.worst}', tolerance {found.agreement.tolerance:.2g}; nothing was written\n"
            "all the same: onnxviz convert --no-verify"
        )
    return found.without(trial.tensors, left_out)


def _beside_ties(
    trial: _Trial,
    compared: Sequence[ComparedTensor],
    results: Mapping[str, Array],
    ran: tuple[Graph, Mapping[str, Array]],
) -> Finding | None:
    """Compare what does not hang on a choice between equals; None where nothing hangs on one."""
    graph, fed = ran
    chosen = choices(graph)
    if not chosen:
        return None
    nudges = [trial.results(graph, {**trial.feed, **nudged(fed, way)}) for way in (1, -1)]
    moved = frozenset().union(*(changed(results, values) for values in nudges))
    ties = frozenset().union(*(behind for behind in chosen if behind & moved))
    names = tuple(one.stored["tensor"] for one in compared if one.value in ties)
    rest = [one for one in compared if one.value not in ties]
    found = compare(rest, results, trial.arrays, by_layer=True, needs_output=False) if names else None
    return None if found is None else replace(found, agreement=replace(found.agreement, tied=names))


def _as_value(tensor: ComparedTensor, arrays: Mapping[str, Array], results: Mapping[str, Array]) -> Array:
    """Return a stored tensor as the model has it: in its order of axes and its type."""
    array = arrays[tensor.stored["key"]]
    order = None if tensor.order is None else np.argsort(tensor.order)
    return np.ascontiguousarray(np.transpose(array, order) if order is not None else array, results[tensor.value].dtype)
