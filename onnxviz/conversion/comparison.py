"""How far the tensors of a converted model are from TensorFlow's, and how far they may be.

Both are shares of a tensor's largest magnitude. Why so far, and what is compared, is said in verify.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from onnxviz.conversion.child.exchange import Facts, Reference, StoredTensor
from onnxviz.conversion.convert_options import Agreement
from onnxviz.differences import difference
from onnxviz.errors import VerificationError
from onnxviz.graph.graph import Graph
from onnxviz.layout import Array

_TOLERANCE = 1e-4
_LARGEST_TOLERANCE = 1e-2
_ROUNDINGS = 8
_STEPS = 3
_SHAPES = frozenset("Identity Reshape Transpose Squeeze Unsqueeze Flatten".split())

# A tensor that may differ by more of its largest magnitude proves nothing.
_PROVES = 0.5


@dataclass(frozen=True, slots=True)
class ComparedTensor:
    """A value of the model, the order of axes that transposes it to a stored tensor, and that tensor.

    A value that is a share of 1 may differ by `least`, however small it is.
    """

    value: str
    order: Sequence[int] | None
    stored: StoredTensor
    least: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What one input showed: as an Agreement says it, with the difference `gap` of the worst value."""

    agreement: Agreement
    gap: float

    @property
    def ratio(self) -> float:
        """The difference as a share of what is allowed: above 1 it is too large."""
        return self.gap / self.agreement.tolerance

    def without(self, tensors: Iterable[ComparedTensor], values: Set[str]) -> Finding:
        """Return the finding with the names of the tensors that were not compared."""
        names = tuple(one.stored["tensor"] for one in tensors if one.value in values)
        return replace(self, agreement=replace(self.agreement, random=names))


def stored_tensors(graph: Graph, facts: Facts, reference: Reference) -> list[ComparedTensor]:
    """Return the stored tensors that are values of the model, with their places in it."""
    given = {spec.name for spec in graph.inputs}
    tensors: list[ComparedTensor] = []
    for stored in reference["values"]:
        tensor = stored["tensor"]
        kept = facts["where"].get(tensor)
        value = kept["value"] if kept else facts.get("renames", {}).get(tensor, tensor)
        if value in graph.producers or value in given:
            least = float(np.finfo(np.float32).eps) if _is_share(graph, value) else 0.0
            tensors.append(ComparedTensor(value, kept["order"] if kept else None, stored, least))
        elif stored["output"] and stored["repeats"]:
            raise VerificationError(f"the converted model has no output '{value}'")
    return tensors


def compare(
    tensors: Sequence[ComparedTensor],
    results: Mapping[str, Array],
    arrays: Mapping[str, Array],
    *,
    by_layer: bool = False,
    needs_output: bool = True,
) -> Finding | None:
    """Return what a comparison finds; None without a tensor, or, where one `needs_output`, without an output."""
    if not (any(tensor.stored["output"] for tensor in tensors) if needs_output else tensors):
        return None
    gaps = [_gap(tensor, results[tensor.value], arrays[tensor.stored["key"]]) for tensor in tensors]
    allowed = [_allowed(tensor.stored, by_layer=by_layer) for tensor in tensors]
    # What proves nothing is held to its tolerance, and named only where it breaks it.
    weights = [gap / most if most <= _PROVES or gap > most else 0.0 for gap, most in zip(gaps, allowed, strict=True)]
    place = max(range(len(tensors)), key=weights.__getitem__)
    outputs = [gap for gap, tensor in zip(gaps, tensors, strict=True) if tensor.stored["output"]]
    agreement = Agreement(
        max(outputs, default=0.0), max(gaps), tensors[place].value, len(tensors), allowed[place], by_layer=by_layer
    )
    return Finding(agreement, gaps[place])


def _allowed(stored: StoredTensor, *, by_layer: bool) -> float:
    own = _TOLERANCE if by_layer else min(max(_TOLERANCE, _ROUNDINGS * stored["rounding"]), _LARGEST_TOLERANCE)
    return max(own, _STEPS * stored["step"])


def _gap(tensor: ComparedTensor, found: Array, expected: Array) -> float:
    """Return the largest difference as a share of the largest magnitude; equal infinities and NaN are equal."""
    found = found if tensor.order is None else np.transpose(found, tensor.order)
    if found.shape != expected.shape:
        raise VerificationError(
            f"'{tensor.value}' is {found.shape} in the converted model and {expected.shape} in TensorFlow; "
            "nothing was written"
        )
    ours, limits = found.astype(np.float64), tensor.stored.get("limits")
    found_gap = difference([ours if limits is None else ours.clip(*limits)], [expected.astype(np.float64)])
    return min(found_gap.max_rel, _TOLERANCE) if found_gap.max_abs <= tensor.least else found_gap.max_rel


def _is_share(graph: Graph, value: str) -> bool:
    """Return whether a value comes from a Sigmoid or Softmax: runtimes compute these to a unit of 1, not of 1e-9."""
    while (node := graph.producers.get(value)) is not None and node.operator in _SHAPES:
        value = node.inputs[0]
    return node is not None and node.operator in ("Sigmoid", "Softmax")
