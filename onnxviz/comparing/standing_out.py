"""Which layer stands out: the one whose own error is far below what is usual for its kind.

Every layer of a quantised model errs, those that end without a nonlinearity more than others. So a layer is measured
against the median of its kind in the same comparison: it stands out where its own SQNR is 15 dB lower. Layers that B
keeps as codes are of another kind than those that it keeps as floats. Of a kind with fewer than five layers the median
of all that are kept alike counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from onnxviz.comparing.matching.matches import Pair, Place
from onnxviz.comparing.measures import Measures

BELOW = 15.0
"""How many dB below the median of its kind a layer stands out."""

_ROUNDING = 90.0
"""An own error as small as this is the rounding of float32, and stands out of nothing."""

_CODE_ROUNDING = 45.0
"""The same where both models keep codes: a value between two of them falls to one side or the other."""

_EQUAL = 140.0
"""Counts in place of an SQNR without bound."""

_FEWEST = 5
_SMALL = frozenset({"Softmax", "LogSoftmax"})


def margins(places: Sequence[Place], owns: Sequence[Measures | None]) -> list[float | None]:
    """Return by how many dB the own SQNR of each layer is below the median of its kind; None where it has none."""
    kinds: dict[tuple[object, ...], list[float]] = defaultdict(list)
    every: dict[bool, list[float]] = defaultdict(list)
    for place, own in zip(places, owns, strict=True):
        if own is not None and own.count:
            kinds[_kind(place, own)].append(min(own.sqnr, _EQUAL))
            every[_is_coded(own)].append(min(own.sqnr, _EQUAL))
    usual = {kind: median(found if len(found) >= _FEWEST else every[bool(kind[-1])]) for kind, found in kinds.items()}
    return [
        usual[_kind(place, own)] - min(own.sqnr, _EQUAL) if own is not None and own.count else None
        for place, own in zip(places, owns, strict=True)
    ]


def stands_out(pair: Pair, own: Measures, margin: float, *, is_output: bool, both_coded: bool) -> bool:
    """Return whether a layer goes wrong by itself.

    Softmax, and an output of numbers up to 1, stand out only from twice as far below: small scores of a few classes are
    all that they hold, and move by 18 dB from picture to picture.
    """
    is_small = bool(_SMALL.intersection((pair.a.operator, *pair.a.stage))) or (is_output and own.largest <= 1.0)
    return margin > BELOW * (1 + is_small) and own.sqnr < (_CODE_ROUNDING if both_coded else _ROUNDING)


def _kind(place: Place, own: Measures) -> tuple[object, ...]:
    return place.operator, place.stage, _is_coded(own)


def _is_coded(own: Measures) -> bool:
    """Return whether B keeps a layer as codes: of layers that it keeps as floats none errs as much."""
    return own.at_ends is not None
