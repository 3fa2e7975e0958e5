"""`ComparedLayer` and `ComparedOutput`: what a comparison found of one layer, and of one output of the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnxviz.comparing.matching.matches import Pair
from onnxviz.comparing.measures import Measures
from onnxviz.strict_json import number
from onnxviz.words import number_text


@dataclass(frozen=True, slots=True)
class ComparedLayer:
    """A layer of A and the one of B that is the same.

    Attributes:
        pair: both, and why they are taken for the same.
        shape: of the values compared, as A has them; None where nothing was.
        overall: how far B's values are from A's, with all errors of the layers before; None where nothing was compared.
        own: how far they are where B's layer is given A's values; None where that is not known.
        each: the SQNR of the overall error for each input, in dB.
        margin: by how many dB the own SQNR is below the median of its kind; None where it is not known.
        stands_out: whether the layer goes wrong by itself.
        cause: what its error looks like, empty where it was not looked at or no rule explains it.
        remark: why it was not compared, or why its own error is not known; else empty.
        cka: how alike both are whatever the order of their channels, of networks that were trained apart; else None.
    """

    pair: Pair
    shape: tuple[int, ...] | None = None
    overall: Measures | None = None
    own: Measures | None = None
    each: tuple[float, ...] = ()
    margin: float | None = None
    stands_out: bool = False
    cause: str = ""
    remark: str = ""
    cka: float | None = None

    @property
    def name(self) -> str:
        """The layer's name in A."""
        return self.pair.a.layer

    @property
    def breaks(self) -> bool:
        """Whether B has NaN or infinities where A has none."""
        return self.overall is not None and self.overall.breaks

    @property
    def differs(self) -> bool:
        """Whether any value of B is another."""
        return self.overall is not None and (self.overall.breaks or self.overall.relative > 0)

    @property
    def badness(self) -> tuple[bool, float, float]:
        """What sorts layers, the worst first: not finite, then by the margin, then by the SQNR."""
        return not self.breaks, -(self.margin if self.margin is not None else -1e3), self._sqnr

    @property
    def _sqnr(self) -> float:
        return self.overall.sqnr if self.overall is not None else 1e9

    def as_json(self) -> dict[str, Any]:
        """Return it as `compare.json` has it."""
        a, b = self.pair.a, self.pair.b
        return {
            "name": a.layer,
            "b": b.layer,
            "kind": a.kind,
            "op": a.operator,
            "stage": list(a.stage),
            "values": {"a": a.value or None, "b": b.value or None},
            "status": self.pair.status,
            "score": None if self.pair.score is None else number(self.pair.score),
            "shape": None if self.shape is None else list(self.shape),
            "overall": None if self.overall is None else self.overall.as_json(),
            "own": None if self.own is None else self.own.as_json(),
            "sqnr_of_each_input": [number(each) for each in self.each],
            "margin": None if self.margin is None else number(self.margin),
            "stands_out": self.stands_out,
            "cause": self.cause or None,
            "remark": self.remark or None,
            "cka": None if self.cka is None else number(self.cka),
        }

    def __repr__(self) -> str:
        own = "" if self.own is None else f", own {number_text(self.own.sqnr)} dB"
        overall = "not compared" if self.overall is None else f"{number_text(self.overall.sqnr)} dB"
        return f"<ComparedLayer {self.name!r} {overall}{own}{', stands out' * self.stands_out}>"


@dataclass(frozen=True, slots=True)
class ComparedOutput:
    """An output of both models.

    Attributes:
        a, b: its names.
        measures: how far B's is from A's; None where the two cannot be compared.
        same_top: of so many scored items the strongest class is the same; None where it holds no scores.
        items: how many items were scored.
        remark: why it was not compared; else empty.
    """

    a: str
    b: str
    measures: Measures | None
    same_top: int | None = None
    items: int = 0
    remark: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as `compare.json` has it."""
        top = None if self.same_top is None else {"same": self.same_top, "of": self.items}
        measures = None if self.measures is None else self.measures.as_json()
        return {"a": self.a, "b": self.b, "measures": measures, "top1": top, "remark": self.remark or None}
