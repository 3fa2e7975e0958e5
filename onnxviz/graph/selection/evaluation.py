"""What the terms of a parsed selection match in a model: plain set algebra over its candidates."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from onnxviz.errors import NoMatchError
from onnxviz.graph.selection.candidates import Candidates
from onnxviz.graph.selection.globs import fitting_names, plain_name
from onnxviz.graph.selection.grammar import KEYWORDS, Condition, Factor, Name, Selection, Term, Word
from onnxviz.graph.selection.messages import pointed
from onnxviz.graph.selection.number_sets import Matched, grouped, mask, members, union
from onnxviz.words import listed, near, shown

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Evaluation:
    """One reading of selections in a model."""

    def __init__(self, candidates: Candidates) -> None:
        self.notes: dict[str, None] = {}
        self._candidates = candidates
        self._layers = mask(number for number, candidate in candidates.layers() if candidate.kind != "other")
        self._memory: dict[tuple[Word | Name | Condition, bool], Matched] = {}
        self._columns: dict[tuple[str, bool], Mapping[Any, int]] = {}
        self._plain: dict[tuple[str, bool], Mapping[str, int]] = {}
        self._ordered: dict[int, list[int]] = {}

    def run(self, chosen: Sequence[Selection], left_out: Sequence[Selection]) -> Matched:
        """Return what the selections mean when read as one, less what is left out; says in `notes` what was empty.

        Raises:
            NoMatchError: Nothing in the model has a name that was given.
        """
        matches = Matched(self._layers if chosen[0].terms[0].negated else 0)
        for selection in chosen:
            matches = self._combined(matches, selection, wide=False, outermost=True)
        for selection in left_out:
            matches = self._less(matches, self._selection(selection, wide=False))
        return matches

    def way_beyond(self, term: Term, selection: Selection) -> str:
        """Return words on how the nodes are taken that a term of a selection means and that are not layers, if any."""
        nodes = Factor(Condition("kind", "=", "other", False, term.start))
        if not self._term(replace(term, factors=(nodes, *term.factors)), selection, wide=False):
            return ""
        text = shown(selection.text[term.start : term.end])
        return f" among the layers; `other & {text}` takes nodes that are not layers"

    def _selection(self, selection: Selection, *, wide: bool) -> Matched:
        start = Matched(self._universe(wide) if selection.terms[0].negated else 0)
        return self._combined(start, selection, wide=wide, outermost=False)

    def _combined(self, matches: Matched, selection: Selection, *, wide: bool, outermost: bool) -> Matched:
        for term in selection.terms:
            matched = self._term(term, selection, wide=wide)
            if term.negated:
                matches = self._less(matches, matched)
            elif matched:
                matches = matches | matched
            elif outermost:
                text = shown(selection.text[term.start : term.end])
                self.notes[f"`{text}` matches nothing{self.way_beyond(term, selection)}"] = None
        return matches

    def _less(self, matches: Matched, away: Matched) -> Matched:
        """Take candidates away; a value that was named goes whichever layer's tap it is."""
        numbers = away.all
        values = {self._candidates[number].value for number in members(away.literal)}
        if values:
            tap = self._candidates.tap
            numbers |= mask(n for n in members(matches.tapped) if self._candidates[n].tapped(tap) in values)
        return matches.only(~numbers)

    def _term(self, term: Term, selection: Selection, *, wide: bool) -> Matched:
        reaching = [factor.reaches_others for factor in term.factors]
        total = sum(reaching)
        matches: Matched | None = None
        for factor, reaches in zip(term.factors, reaching, strict=True):
            # `other & op=Reshape`: beside a factor that asks for nodes that are not layers, the rest see these too.
            found = self._factor(factor, selection, wide=wide or total > reaches)
            matches = found if matches is None else matches & found
        return matches or Matched()

    def _factor(self, factor: Factor, selection: Selection, *, wide: bool) -> Matched:
        primary = factor.primary
        if isinstance(primary, Selection):
            matches = self._selection(primary, wide=wide)
        else:
            if (primary, wide) not in self._memory:
                self._memory[primary, wide] = self._primary(primary, selection, wide=wide)
            matches = self._memory[primary, wide]
        if factor.index is None:
            return matches
        numbers = self._in_order(matches.all)
        if isinstance(factor.index, slice):
            return matches.only(mask(numbers[factor.index]))
        within = -len(numbers) <= factor.index < len(numbers)
        return matches.only(1 << numbers[factor.index] if within else 0)

    def _in_order(self, numbers: int) -> list[int]:
        if numbers not in self._ordered:
            self._ordered[numbers] = sorted(members(numbers), key=lambda number: self._candidates[number].order)
        return self._ordered[numbers]

    def _universe(self, wide: bool) -> int:
        return self._layers | self._candidates.others if wide else self._layers

    def _primary(self, primary: Word | Name | Condition, selection: Selection, *, wide: bool) -> Matched:
        if isinstance(primary, Word):
            named = self._without_kind(primary.text, wide=wide)
            if named:
                return named
            self._note_name(primary.text)
        match primary:
            case Word(text="all"):
                return Matched(self._universe(wide))
            case Word(text="other") | Condition(field="kind", operator="=", value="other"):
                return Matched(self._candidates.others)
            case Word(text=kind):
                return Matched(self._column("kind", wide=wide).get(kind, 0))
            case Condition(value=str(text)):
                fitting = self._fitting(primary.field, text, literal=primary.literal, wide=wide)
                # What is unknown satisfies `!=` alone.
                return Matched(fitting if primary.operator == "=" else self._universe(wide) & ~fitting)
            case Condition():
                return Matched(self._where(primary.field, _test(primary), wide=wide))
            case Name():
                return self._name(primary, selection, wide=wide)

    def _without_kind(self, word: str, *, wide: bool) -> Matched:
        """Return what is called as a kind that no layer is of, and say that it is taken by its name."""
        if word in ("all", "other") or any(candidate.kind == word for _, candidate in self._candidates.layers()):
            return Matched()
        matches = self._candidates.named(word) or Matched(self._fitting("name", word, literal=True, wide=wide))
        if matches:
            self.notes[f"`{word}` is taken as a name, since no layer is of that kind"] = None
        return matches

    def _note_name(self, word: str) -> None:
        """Say how the layer, node or value is meant that is called as a kind or `all`."""
        if self._candidates.is_name(word):
            what = "every layer" if word == "all" else "the kind"
            quotes = f"""`"{word}"` in quotes (in a shell '"{word}"')"""
            self.notes[f"`{word}` is {what}; {quotes} is what has that name"] = None

    def _where(self, field: str, holds: Callable[[Any], bool], *, wide: bool) -> int:
        return union(numbers for known, numbers in self._column(field, wide=wide).items() if holds(known))

    def _fitting(self, field: str, text: str, *, literal: bool, wide: bool) -> int:
        """Return the candidates that have a text in a field which the glob or, if `literal`, the name fits."""
        texts = self._texts(field, wide=wide)
        return union(texts[known] for known in fitting_names(text, texts.keys(), literal=literal))

    def _texts(self, field: str, *, wide: bool) -> Mapping[str, int]:
        """Return the candidates by what they have in a field of text, as globs see it."""
        if (field, wide) not in self._plain:
            column = self._column(field, wide=wide).items()
            self._plain[field, wide] = grouped(
                (plain_name(known), number)
                for known, numbers in column
                if known is not None
                for number in members(numbers)
            )
        return self._plain[field, wide]

    def _column(self, field: str, *, wide: bool) -> Mapping[Any, int]:
        """Return the candidates by what they have in a field: most fields have few values among thousands of layers."""
        if (field, wide) not in self._columns:
            candidates = [(number, self._candidates[number]) for number in members(self._universe(wide))]
            self._columns[field, wide] = grouped(
                (known, number)
                for number, candidate in candidates
                for known in (candidate.names() if field == "name" else (candidate.field(field),))
            )
        return self._columns[field, wide]

    def _name(self, name: Name, selection: Selection, *, wide: bool) -> Matched:
        matches = self._candidates.named(name.text)
        if matches:
            return matches
        matches = Matched(self._fitting("name", name.text, literal=name.literal, wide=wide))
        renamed = self._fitting("name_before", name.text, literal=name.literal, wide=wide) & ~matches.all
        if renamed:
            found = listed((f"`{shown(self._candidates[number].name)}`" for number in members(renamed)), most=1)
            self.notes[f"`{shown(name.text)}` takes {found}, as a quantiser named it"] = None
            matches |= Matched(renamed)
        if matches or ("*" in name.text and not name.literal):
            return matches
        inside = self._candidates.graph.named_inside(name.text)
        if len(inside) == 1:
            return self._candidates.named(inside[0])
        if inside:
            places = listed(f"`{shown(path)}`" for path in inside)
            message = f"`{shown(name.text)}` is in several bodies or functions: write {places}"
            raise NoMatchError(pointed(selection.text, name.place, message))
        advice = self._advice(name, selection.text)
        message = f"nothing is called `{shown(name.text)}`{advice}; `onnxviz layers MODEL` lists the names"
        raise NoMatchError(pointed(selection.text, name.place, message))

    def _advice(self, name: Name, text: str) -> str:
        """Say what a name that is not in the model may have been meant for."""
        names = self._candidates.all_names()
        meant = [longer for longer in names if longer.startswith(name.text) and text.startswith(longer, name.place)]
        if meant and not name.literal:
            return f"; the name `{shown(max(meant, key=len))}` needs quotes here"
        if name.literal and "*" in name.text:
            return ", for a * in quotes is not a glob"
        if name.text in self._candidates.words("op"):
            return f"; `op={name.text}` takes the nodes of that operator"
        if way := self._candidates.way_to(name.text):
            return f"; {way}"
        return near(name.text, (*KEYWORDS, *names))


def _test(condition: Condition) -> Callable[[Any], bool]:
    """Return the test that a condition on a number is; what is unknown, None, satisfies `!=` alone."""
    compare, number = _COMPARISONS[condition.operator], condition.value
    return lambda known: condition.operator == "!=" if known is None else compare(known, number)
