"""The rule of Einsum: axes are followed by their letters, and what is summed over is gone."""

from __future__ import annotations

from collections.abc import Sequence

from onnxviz.graph.operators.reads.rule import GONE, AxisRead, Operand, Reads, something, summed

_REST = "..."
_PLACES = "0123456789"
"""What stands for the axes of `...`, counted from the right, as they are broadcast."""


def einsum(operand: Operand) -> Reads:
    """Einsum: `ntc,cd->ntd` follows n and t of the first operand and d of the second.

    A letter that comes twice in an operand takes its diagonal, of which nothing is followed.
    """
    terms, result = _parsed(operand.node.text("equation", ""), operand)
    letters = terms[operand.place]
    if len(set(letters)) < len(letters) or len(letters) != operand.rank:
        return something(operand)
    return Reads(tuple(_read(operand, axis, result.find(letter)) for axis, letter in enumerate(letters)))


def _read(operand: Operand, axis: int, there: int) -> AxisRead:
    if there < 0:
        return GONE
    stretched = operand.sizes.size(operand.source, axis) == 1 and operand.sizes.size(operand.result, there) != 1
    return summed(there) if stretched else AxisRead(there)


def _parsed(equation: str, operand: Operand) -> tuple[Sequence[str], str]:
    """Return a letter for each axis of each operand and of the result.

    Raises:
        ValueError: The equation has another number of operands, or more axes than there are.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    sizes, inputs = operand.sizes, operand.node.inputs
    ranks = [operand.rank if place == operand.place else sizes.rank(value, 0) for place, value in enumerate(inputs)]
    terms = [_spelt(term, rank) for term, rank in zip(left.split(","), ranks, strict=True)]
    rest = max((sum(letter in _PLACES for letter in term) for term in terms), default=0)
    if not arrow:
        letters = sorted(
            {letter for term in terms for letter in term if sum(map(str.count, terms, [letter] * len(terms))) == 1}
        )
        right = _REST * bool(rest) + "".join(letter for letter in letters if letter not in _PLACES)
    return terms, _spelt(right, rest + len(right.replace(_REST, "")))


def _spelt(term: str, rank: int) -> str:
    """Put a letter for each axis that `...` stands for."""
    count = rank - len(term.replace(_REST, ""))
    return term.replace(_REST, _PLACES[:count][::-1] if count > 0 else "")
