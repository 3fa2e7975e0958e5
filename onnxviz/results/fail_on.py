"""`FailOn`: how much of a layer may be NaN, infinite, dead or saturated before a command ends as failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onnxviz.errors import UsageError
from onnxviz.results.pooled_health import PooledLayer
from onnxviz.words import listed, near, number_text, shown

_WORDS = {"nan": "NaN", "inf": "infinite", "saturated": "saturated", "dead": "dead"}


@dataclass(frozen=True, slots=True)
class FailOn:
    """The largest share of each that may be, by its name: of a layer's channels for `dead`, else of its values."""

    bounds: Mapping[str, float]

    @classmethod
    def parse(cls, text: str) -> FailOn:
        """Read words with commas between them, each with the share that may be, or none for 0.

        >>> FailOn.parse("nan, dead=0.5").bounds
        {'nan': 0.0, 'dead': 0.5}

        Raises:
            UsageError: There is another word, one twice, or a share that is not from 0 to 1.
        """
        bounds: dict[str, float] = {}
        for part in text.split(","):
            word, sign, share = (each.strip() for each in part.partition("="))
            if word not in _WORDS:
                raise UsageError(f"--fail-on takes {', '.join(_WORDS)}, not {shown(word)!r}{near(word, _WORDS)}")
            if word in bounds:
                raise UsageError(f"--fail-on has {word} twice")
            bounds[word] = _share(share, part) if sign else 0.0
        return cls(bounds)

    def broken(self, layers: Iterable[PooledLayer]) -> str:
        """Return which layers break which bound, one line each for the first of them; nothing where none does."""
        lines = [line for layer in layers for line in self._broken(layer)]
        return "" if not lines else "--fail-on: " + listed(lines, 8)

    def _broken(self, layer: PooledLayer) -> Iterable[str]:
        totals = layer.health.totals
        for word, bound in self.bounds.items():
            share = totals.share(word)
            if share > bound:
                count, whole = getattr(totals, word), totals.channels if word == "dead" else totals.values
                noun = "channels" if word == "dead" else "values"
                allowed = f" (at most {number_text(100 * bound)} %)" if bound else ""
                yield f"{layer.name}: {count:,} of {whole:,} {noun} {_WORDS[word]}{allowed}"


def _share(text: str, part: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--fail-on takes a share from 0 to 1, such as dead=0.5, not {shown(part.strip())!r}")
    return share
