"""What matching two models finds: pairs of layers, and the values whose numbers can be compared.

Of one network, in A `conv1 -> batch norm -> ReLU` and in B `FusedConv (ReLU)`, the layers are a pair, and the values to
compare are those behind both ReLUs: of one stage, whatever they are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STATUSES = ("given", "name+weights", "weights", "name", "scope", "structure", "assumed")
"""Why two layers are taken for the same, the surest first.

given: the user said so. name+weights, weights: their weights are alike. name: they share a name, and their weights
do not say otherwise. scope: they stand in the same module. structure: they lie alike between pairs. assumed: of what is
left, the order suggests it, or what lies before and behind them disagrees.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A layer of one model, and the value of it whose numbers stand for it in a pair.

    Attributes:
        layer: the name that `layers` shows.
        kind: its kind, such as `conv`.
        operator: the operator that it computes, fused and quantised forms called as the plain one.
        value: the value to fetch; empty where the model computes it inside a kernel and puts it out nowhere.
        layout: which axis of the value is what; None where that is not known.
        stage: the norms and nonlinearities between the operator and the value.
        inputs: the values that the layer reads, for feeding it; the n-th of A corresponds to the n-th of B. Empty
            where they do not correspond.
        channels: how many channels of the value count; the others are padding. None where that is not known.
    """

    layer: str
    kind: str
    operator: str
    value: str
    layout: str | None
    stage: tuple[str, ...]
    inputs: tuple[str, ...]
    channels: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers that are taken for the same.

    Attributes:
        a, b: the layers.
        status: one of STATUSES, why.
        score: how alike their weights are, 1 for the same up to a factor a channel; None where neither was looked at.
        comparable: empty, or why the numbers of both cannot be compared.
        written: in words which attributes of their nodes differ, such as their padding; else empty.
    """

    a: Place
    b: Place
    status: str
    score: float | None = None
    comparable: str = ""
    written: str = ""


@dataclass(frozen=True, slots=True)
class Matches:
    """Which layer of A is which of B.

    Attributes:
        pairs: the pairs, in the order of A's graph.
        only_a, only_b: the names of layers that have no counterpart, in the order of their graphs.
        remarks: what there is to say, a sentence each.
        inputs: the inputs of B by those of A.
        outputs: the outputs of A and B that correspond.
    """

    pairs: tuple[Pair, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[tuple[str, str], ...] = ()
