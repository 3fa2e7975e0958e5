"""What the terms of a parsed selection match in a model: plain set algebra over its things."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onnxviz.errors import NoMatchError, UnsupportedError
from onnxviz.graph.selection.candidates import Places, Things, grouped, mask, members, union
from onnxviz.graph.selection.globs import fitting_names, plain_name
from onnxviz.graph.selection.grammar import KEYWORDS, Condition, Factor, Name, Selection, Term, Word
from onnxviz.graph.selection.messages import inside_body, pointed
from onnxviz.words import near, shown

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Evaluation:
    """One reading of selections in a model; with `bodies`, kinds, globs and fields see layers inside bodies too."""

    def __init__(self, things: Things, *, bodies: bool) -> None:
        self.notes: dict[str, None] = {}
        self._things = things
        self._layers = mask(
            number for number, thing in things.layers() if thing.kind != "other" and (bodies or not thing.inside)
        )
        self._memory: dict[tuple[Word | Name | Condition, bool], Places] = {}
        self._columns: dict[tuple[str, bool], Mapping[Any, int]] = {}
        self._plain: dict[tuple[str, bool], Mapping[str, int]] = {}
        self._ordered: dict[int, list[int]] = {}

    def run(self, chosen: Sequence[Selection], left_out: Sequence[Selection]) -> Places:
        """Return what the selections mean when read as one, less what is left out; says in `notes` what was empty.

        Raises:
            NoMatchError: Nothing in the model has a name that was given.
            UnsupportedError: A name that was given is that of a value in a body, which is no layer.
        """
        places = Places(self._layers if chosen[0].terms[0].negated else 0)
        for selection in chosen:
            places = self._combined(places, selection, wide=False, outermost=True)
        for selection in left_out:
            places = self._less(places, self._selection(selection, wide=False))
        return places

    def _selection(self, selection: Selection, *, wide: bool) -> Places:
        start = Places(self._universe(wide) if selection.terms[0].negated else 0)
        return self._combined(start, selection, wide=wide, outermost=False)

    def _combined(self, places: Places, selection: Selection, *, wide: bool, outermost: bool) -> Places:
        for term in selection.terms:
            matched = self._term(term, selection, wide=wide)
            if term.negated:
                places = self._less(places, matched)
            elif matched:
                places = places | matched
            elif outermost:
                self.notes[f"`{shown(selection.text[term.start : term.end])}` matches nothing"] = None
        return places

    def _less(self, places: Places, away: Places) -> Places:
        """Take things away; a value that was named goes whichever layer's tap it is."""
        numbers = away.all
        values = {self._things[number].value for number in members(away.literal)}
        if values:
            tap = self._things.tap
            numbers |= mask(n for n in members(places.tapped) if self._things[n].tapped(tap) in values)
        return places.only(~numbers)

    def _term(self, term: Term, selection: Selection, *, wide: bool) -> Places:
        reaching = [factor.reaches_others for factor in term.factors]
        total = sum(reaching)
        places: Places | None = None
        for factor, reaches in zip(term.factors, reaching, strict=True):
            # `other & op=Reshape`: beside a factor that asks for nodes that are no layers, the rest see these too.
            found = self._factor(factor, selection, wide=wide or total > reaches)
            places = found if places is None else places & found
        return places or Places()

    def _factor(self, factor: Factor, selection: Selection, *, wide: bool) -> Places:
        primary = factor.primary
        if isinstance(primary, Selection):
            places = self._selection(primary, wide=wide)
        else:
            if (primary, wide) not in self._memory:
                self._memory[primary, wide] = self._primary(primary, selection, wide=wide)
            places = self._memory[primary, wide]
        if factor.index is None:
            return places
        numbers = self._in_order(places.all)
        if isinstance(factor.index, slice):
            return places.only(mask(numbers[factor.index]))
        within = -len(numbers) <= factor.index < len(numbers)
        return places.only(1 << numbers[factor.index] if within else 0)

    def _in_order(self, numbers: int) -> list[int]:
        if numbers not in self._ordered:
            self._ordered[numbers] = sorted(members(numbers), key=lambda number: self._things[number].order)
        return self._ordered[numbers]

    def _universe(self, wide: bool) -> int:
        return self._layers | self._things.others if wide else self._layers

    def _primary(self, primary: Word | Name | Condition, selection: Selection, *, wide: bool) -> Places:
        match primary:
            case Word(text="all"):
                return Places(self._universe(wide))
            case Word(text="other") | Condition(field="kind", operator="=", value="other"):
                return Places(self._things.others)
            case Word(text=kind):
                if self._things.is_name(kind):
                    self.notes[f'`{kind}` is the kind; `"{kind}"` in quotes is the node or value of that name'] = None
                return Places(self._column("kind", wide=wide).get(kind, 0))
            case Condition(value=str(text)):
                fitting = self._fitting(primary.field, text, literal=primary.literal, wide=wide)
                # What is unknown satisfies `!=` alone.
                return Places(fitting if primary.operator == "=" else self._universe(wide) & ~fitting)
            case Condition():
                return Places(self._where(primary.field, _test(primary), wide=wide))
            case Name():
                return self._name(primary, selection, wide=wide)

    def _where(self, field: str, holds: Callable[[Any], bool], *, wide: bool) -> int:
        return union(numbers for known, numbers in self._column(field, wide=wide).items() if holds(known))

    def _fitting(self, field: str, text: str, *, literal: bool, wide: bool) -> int:
        """Return the things that have a text in a field which the glob or, if `literal`, the name fits."""
        texts = self._texts(field, wide=wide)
        return union(texts[known] for known in fitting_names(text, texts.keys(), literal=literal))

    def _texts(self, field: str, *, wide: bool) -> Mapping[str, int]:
        """Return the things by what they have in a field of text, as globs see it."""
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
        """Return the things by what they have in a field: most fields have few values among thousands of layers."""
        if (field, wide) not in self._columns:
            things = [(number, self._things[number]) for number in members(self._universe(wide))]
            self._columns[field, wide] = grouped(
                (known, number)
                for number, thing in things
                for known in (thing.names() if field == "name" else (thing.field(field),))
            )
        return self._columns[field, wide]

    def _name(self, name: Name, selection: Selection, *, wide: bool) -> Places:
        places = self._things.named(name.text)
        if places:
            return places
        places = Places(self._fitting("name", name.text, literal=name.literal, wide=wide))
        if places or ("*" in name.text and not name.literal):
            return places
        body = self._things.body_of(name.text)
        if body is not None:
            raise UnsupportedError(inside_body(name.text, body))
        advice = self._advice(name, selection.text)
        message = f"nothing is called `{shown(name.text)}`{advice}; `onnxviz layers MODEL` lists the names"
        raise NoMatchError(pointed(selection.text, name.place, message))

    def _advice(self, name: Name, text: str) -> str:
        """Say what a name that is not in the model may have been meant for."""
        names = self._things.all_names()
        meant = [longer for longer in names if longer.startswith(name.text) and text.startswith(longer, name.place)]
        if meant and not name.literal:
            return f"; the name `{shown(max(meant, key=len))}` needs quotes here"
        if name.literal and "*" in name.text:
            return ", for a * in quotes is no glob"
        if any(node.op == name.text for node in self._things.graph.nodes):
            layered = name.text in self._things.words("op")
            return f"; `{'' if layered else 'other & '}op={name.text}` takes the nodes of that operator"
        return near(name.text, (*KEYWORDS, *names))


def _test(condition: Condition) -> Callable[[Any], bool]:
    """Return the test that a condition on a number is; what is unknown, None, satisfies `!=` alone."""
    compare, number = _COMPARISONS[condition.operator], condition.value
    return lambda known: condition.operator == "!=" if known is None else compare(known, number)
