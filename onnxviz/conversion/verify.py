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

A tensor that differs between two runs of TensorFlow, or that the converted model draws at random, is not compared, and
the result names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onnxviz.conversion.child.exchange import Facts, Reference, StoredTensor
from onnxviz.conversion.convert_options import Agreement
from onnxviz.differences import difference
from onnxviz.errors import VerificationError
from onnxviz.graph.expose import expose
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.supply import random_values, supply
from onnxviz.layout import Array
from onnxviz.runtime.session import RunOptions, Session

TOLERANCE = 1e-4
LARGEST_TOLERANCE = 1e-2
_ROUNDINGS = 8
_STEPS = 3
_SHAPES = frozenset("Identity Reshape Transpose Squeeze Unsqueeze Flatten".split())
# A tensor that may differ by more of its largest magnitude proves nothing.
_PROVES = 0.5


@dataclass(frozen=True, slots=True)
class _ComparedTensor:
    """A value of the model, the order of axes that transposes it to a stored tensor, and that tensor.

    A value that is a share of 1 may differ by `least`, however small it is.
    """

    value: str
    order: Sequence[int] | None
    stored: StoredTensor
    least: float


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one input showed: as an Agreement says it, with the difference `gap` of the worst value."""

    agreement: Agreement
    gap: float

    @property
    def ratio(self) -> float:
        return self.gap / self.agreement.tolerance


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
        found = [
            _proof(graph, file.folder, _tensors(graph, facts, one), _feed(graph, one, stored), stored)
            for one in references
        ]
    worst = max(found, key=lambda finding: finding.ratio).agreement
    return replace(
        worst,
        output=max(finding.agreement.output for finding in found),
        layer=max(finding.agreement.layer for finding in found),
        by_layer=any(finding.agreement.by_layer for finding in found),
    )


def _feed(graph: Graph, reference: Reference, arrays: Mapping[str, Array]) -> dict[str, Array]:
    dtypes = {spec.name: spec.dtype for spec in graph.inputs}
    return {name: arrays[key].astype(dtypes.get(name)) for name, key in reference["inputs"].items()}


def _tensors(graph: Graph, facts: Facts, reference: Reference) -> list[_ComparedTensor]:
    """Return the stored tensors that are values of the model, with their places in it."""
    given = {spec.name for spec in graph.inputs}
    tensors: list[_ComparedTensor] = []
    for stored in reference["values"]:
        tensor = stored["tensor"]
        kept = facts["where"].get(tensor)
        value = kept["value"] if kept else facts.get("renames", {}).get(tensor, tensor)
        if value in graph.producers or value in given:
            least = float(np.finfo(np.float32).eps) if _is_share(graph, value) else 0.0
            tensors.append(_ComparedTensor(value, kept["order"] if kept else None, stored, least))
        elif stored["output"] and stored["repeats"]:
            raise VerificationError(f"the converted model has no output '{value}'")
    return tensors


def _proof(
    graph: Graph,
    folder: Path,
    tensors: Sequence[_ComparedTensor],
    feed: Mapping[str, Array],
    arrays: Mapping[str, Array],
) -> _Finding:
    names = list(dict.fromkeys(tensor.value for tensor in tensors))
    exposed = expose(graph, names, infer_types(graph)).graph
    results = _results(exposed, folder, feed, names)
    drawn = random_values(graph)
    whole = _compared([one for one in tensors if one.stored["repeats"] and one.value not in drawn], results, arrays)
    changing = {one.value for one in tensors if not one.stored["repeats"]}
    if whole is not None and whole.ratio <= 1 and not drawn - changing & set(names):
        return _without(whole, tensors, changing | drawn)
    known = {one.value: _as_value(one, arrays, results) for one in tensors if one.value in graph.consumers}
    supplied, more = supply(exposed, known)
    results = _results(supplied, folder, {**feed, **more}, names)
    # What both sides draw is not compared, but what they make of the same numbers is.
    left_out = (changing - drawn) | random_values(supplied)
    single = _compared([one for one in tensors if one.value not in left_out], results, arrays, by_layer=True)
    if single is None:
        why = "change from run to run on the same input" if left_out else "are not numbers"
        raise VerificationError(
            f"nothing can be proved: TensorFlow's own outputs {why}; nothing was written\n"
            "without verifying: onnxviz convert --no-verify"
        )
    if single.ratio > 1:
        raise VerificationError(
            f"the converted model differs from TensorFlow by {single.gap:.2g} of the largest value at "
            f"'{single.agreement.worst}', tolerance {single.agreement.tolerance:.2g}; nothing was written\n"
            "all the same: onnxviz convert --no-verify"
        )
    agreement = single.agreement if whole is None else replace(single.agreement, output=whole.agreement.output)
    return _without(replace(single, agreement=agreement), tensors, left_out)


def _without(finding: _Finding, tensors: Iterable[_ComparedTensor], values: Set[str]) -> _Finding:
    """Return the finding with the names of the tensors that were not compared."""
    names = tuple(one.stored["tensor"] for one in tensors if one.value in values)
    return replace(finding, agreement=replace(finding.agreement, random=names))


def _results(graph: Graph, folder: Path, feed: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    session = Session(graph.to_bytes(), folder, RunOptions(device="cpu", exact=True))
    return dict(zip(names, session.run(feed, names), strict=True))


def _as_value(tensor: _ComparedTensor, arrays: Mapping[str, Array], results: Mapping[str, Array]) -> Array:
    """Return a stored tensor as the model has it: in its order of axes and its type."""
    array = arrays[tensor.stored["key"]]
    order = None if tensor.order is None else np.argsort(tensor.order)
    return np.ascontiguousarray(np.transpose(array, order) if order is not None else array, results[tensor.value].dtype)


def _compared(
    tensors: Sequence[_ComparedTensor],
    results: Mapping[str, Array],
    arrays: Mapping[str, Array],
    *,
    by_layer: bool = False,
) -> _Finding | None:
    """Return what a comparison finds, None where no output is among the tensors."""
    if not any(tensor.stored["output"] for tensor in tensors):
        return None
    gaps = [_gap(tensor, results[tensor.value], arrays[tensor.stored["key"]]) for tensor in tensors]
    allowed = [_allowed(tensor.stored, by_layer=by_layer) for tensor in tensors]
    # What proves nothing is held to its tolerance, and named only where it breaks it.
    weights = [gap / most if most <= _PROVES or gap > most else 0.0 for gap, most in zip(gaps, allowed, strict=True)]
    place = max(range(len(tensors)), key=weights.__getitem__)
    output = max(gap for gap, tensor in zip(gaps, tensors, strict=True) if tensor.stored["output"])
    agreement = Agreement(output, max(gaps), tensors[place].value, len(tensors), allowed[place], by_layer=by_layer)
    return _Finding(agreement, gaps[place])


def _allowed(stored: StoredTensor, *, by_layer: bool) -> float:
    own = TOLERANCE if by_layer else min(max(TOLERANCE, _ROUNDINGS * stored["rounding"]), LARGEST_TOLERANCE)
    return max(own, _STEPS * stored["step"])


def _gap(tensor: _ComparedTensor, found: Array, expected: Array) -> float:
    """Return the largest difference as a share of the largest magnitude; equal infinities and NaN are equal."""
    found = found if tensor.order is None else np.transpose(found, tensor.order)
    if found.shape != expected.shape:
        raise VerificationError(
            f"'{tensor.value}' is {found.shape} in the converted model and {expected.shape} in TensorFlow; "
            "nothing was written"
        )
    ours, limits = found.astype(np.float64), tensor.stored.get("limits")
    found_gap = difference([ours if limits is None else ours.clip(*limits)], [expected.astype(np.float64)])
    return min(found_gap.max_rel, TOLERANCE) if found_gap.max_abs <= tensor.least else found_gap.max_rel


def _is_share(graph: Graph, value: str) -> bool:
    """Return whether a value comes from a Sigmoid or Softmax: runtimes compute these to a unit of 1, not of 1e-9."""
    while (node := graph.producers.get(value)) is not None and node.operator in _SHAPES:
        value = node.inputs[0]
    return node is not None and node.operator in ("Sigmoid", "Softmax")
