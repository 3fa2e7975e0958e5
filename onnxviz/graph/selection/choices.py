"""Which values of a model a selection means: `conv[0], pool`, a name as Netron shows it, `layer3.** & conv`.

Three steps: grammar.py parses the text, evaluation.py finds what its terms match among the candidates of candidates.py,
and here these become choices: values with the names under which they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onnxviz.errors import NoMatchError, UsageError
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.selection.candidates import Candidates
from onnxviz.graph.selection.evaluation import Evaluation
from onnxviz.graph.selection.grammar import KEYWORDS, Condition, Factor, Selection, Term, Word, exact, parse
from onnxviz.graph.selection.messages import pointed
from onnxviz.graph.selection.number_sets import Matched, members
from onnxviz.words import near, shown

SelectionText = str | Layer | Sequence[str | Layer] | Mapping[str, str]
"""What `layers=` takes: a selection or a layer, several of them, or selections with a new name each."""

TAPS = ("act", "op")
_MOST_NOTES = 3

_COMMAND = "`onnxviz layers MODEL` lists the names"


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen value: `tap` is `act` or `op` of a layer or node, or `value` where the value itself was named.

    `note` is a sentence that the user should see, or empty; `layer` is None where no layer has the value as its output.
    """

    name: str
    value: str
    tap: str
    layer: Layer | None
    note: str = ""


def choose(
    wanted: SelectionText,
    *,
    graph: Graph,
    layers: Sequence[Layer],
    exclude: Sequence[str] = (),
    tap: str = "act",
) -> tuple[Choice, ...]:
    """Return what is chosen, in graph order, each value once.

    Args:
        wanted: A text, a layer, several of them, or texts with the names to give.
        graph: The model.
        layers: Its catalogue.
        exclude: Selections that are taken away.
        tap: Which value of a layer is meant: `act` or `op`.

    Raises:
        UsageError: The tap is unknown, or nothing can be chosen by `wanted`.
        SelectionError: A selection cannot be read.
        NoMatchError: It matches nothing, all of it is excluded, or a layer is of another model.
    """
    require_tap(tap)
    if isinstance(wanted, Mapping):
        found = _renamed(wanted, graph, layers, tap)
    else:
        given = [wanted] if isinstance(wanted, str | Layer) else list(wanted)
        wrong = [type(item).__name__ for item in given if not isinstance(item, str | Layer)]
        if wrong:
            raise UsageError(f"a selection is a text or a layer, not {wrong[0]}")
        texts = [item for item in given if isinstance(item, str)]
        if len(texts) == len(given):
            return select(texts, graph=graph, layers=layers, exclude=exclude, tap=tap)
        found = [_taken(item, graph, layers, tap) for item in given if isinstance(item, Layer)]
        found += select(texts, graph=graph, layers=layers, tap=tap) if texts else ()
    gone = matched_values(exclude, graph=graph, layers=layers, tap=tap)
    kept = {choice.value: choice for choice in found if choice.value not in gone}
    if not kept:
        raise NoMatchError("nothing is selected, or all of it is excluded")
    order = {value: node.index for value, node in graph.producers.items()}
    return tuple(sorted(kept.values(), key=lambda choice: order.get(choice.value, -1)))


def _renamed(names: Mapping[str, str], graph: Graph, layers: Sequence[Layer], tap: str) -> list[Choice]:
    named: dict[str, Choice] = {}
    for text, name in names.items():
        found = select(text, graph=graph, layers=layers, tap=tap)
        for choice in found:
            own = name if len(found) == 1 else f"{name}/{choice.name}"
            if choice.value in named:
                raise UsageError(f"{choice.value!r} is given two names: {named[choice.value].name!r} and {own!r}")
            named[choice.value] = replace(choice, name=own)
    return list(named.values())


def _taken(layer: Layer, graph: Graph, layers: Sequence[Layer], tap: str) -> Choice:
    value = layer.value(tap)
    if value not in graph.producers:
        raise NoMatchError(f"the layer {layer.name!r} is of another model: nothing makes {value!r} in this one")
    return Choice(layer.name, value, tap, layer)


def select(
    text: str | Sequence[str], *, graph: Graph, layers: Sequence[Layer], exclude: Sequence[str] = (), tap: str = "act"
) -> tuple[Choice, ...]:
    """Return the values that a selection means, in graph order, each once.

    Args:
        text: A selection, or several that are read as one with commas between them.
        graph: The model.
        layers: Its catalogue; layers of kind `other` in it serve the selection `other` and exact names only.
        exclude: Selections that are taken away from it.
        tap: Which value of a layer is meant: `act` or `op`. A value's own name means that value whatever the tap.

    Raises:
        SelectionError: A selection cannot be read; the text points at the place.
        NoMatchError: Nothing matches, or a name is not in the model.
        UsageError: The tap is unknown.
    """
    require_tap(tap)
    candidates = Candidates(graph, layers, tap)
    chosen = [_read(one, candidates) for one in ([text] if isinstance(text, str) else list(text) or [""])]
    left_out = [_read(one, candidates) for one in exclude]
    evaluation = Evaluation(candidates)
    matches = evaluation.run(chosen, left_out)
    if not matches:
        raise NoMatchError(_nothing(candidates, chosen, left_out))
    first, *rest = _choices(candidates, matches)
    more = f"and {len(evaluation.notes) - _MOST_NOTES} more" if len(evaluation.notes) > _MOST_NOTES else ""
    notes = (first.note, *list(evaluation.notes)[:_MOST_NOTES], more)
    return (replace(first, note="; ".join(filter(None, notes))), *rest)


def matched_values(text: Sequence[str], *, graph: Graph, layers: Sequence[Layer], tap: str) -> frozenset[str]:
    """Return the values that selections mean, none where they match nothing.

    Raises:
        SelectionError: A selection cannot be read.
        NoMatchError: A name is not in the model.
    """
    candidates = Candidates(graph, layers, tap)
    matches = Evaluation(candidates).run([_read(one, candidates) for one in text], []) if text else Matched()
    tapped = (candidates[number].tapped(tap) for number in members(matches.tapped))
    return frozenset((*tapped, *(candidates[number].value for number in members(matches.literal))))


def require_tap(tap: str) -> None:
    """Refuse an unknown tap.

    Raises:
        UsageError: It is neither `act` nor `op`.
    """
    if tap not in TAPS:
        raise UsageError(
            f"`{shown(tap)}` is not a tap; `act` is after the norm and nonlinearity, `op` the bare operator"
        )


def _read(text: str, candidates: Candidates) -> Selection:
    """Parse a selection, unless the whole text is the name of a node or value."""
    for whole in dict.fromkeys((text, text.strip())):
        if whole not in KEYWORDS and candidates.named(whole):
            return exact(whole)
    return parse(text)


def _choices(candidates: Candidates, matches: Matched) -> list[Choice]:
    """Return the choices in graph order, each value once: under its own name where that was asked for."""
    found: dict[str, tuple[tuple[int, int], Choice]] = {}
    for literal, numbers in ((True, matches.literal), (False, matches.tapped)):
        for number in sorted(members(numbers), key=lambda number: candidates[number].order):
            candidate = candidates[number]
            if literal:
                choice = Choice(
                    candidate.value, candidate.value, "value", candidate.layer, candidates.notes.get(number, "")
                )
            else:
                choice = Choice(candidate.name, candidate.tapped(candidates.tap), candidates.tap, candidate.layer)
            found.setdefault(choice.value, (candidate.order, choice))
    return [choice for _, choice in sorted(found.values(), key=lambda pair: pair[0])]


def _nothing(candidates: Candidates, chosen: Sequence[Selection], left_out: Sequence[Selection]) -> str:
    """Say that nothing is left, and why where it can be told."""
    text = ", ".join(selection.text for selection in chosen)
    terms = [(term, selection) for selection in chosen for term in selection.terms]
    why = ", or all of it is excluded" if left_out else _why(candidates, *terms[0]) if len(terms) == 1 else ""
    return pointed(text, chosen[0].place, f"matches nothing{why}; {_COMMAND}")


def _why(candidates: Candidates, term: Term, selection: Selection) -> str:
    evaluation = Evaluation(candidates)
    factor = term.factors[0]
    primary = factor.primary if len(term.factors) == 1 else None
    if factor.index is not None and primary is not None and not isinstance(primary, Selection):
        whole = Selection("", (Term(False, (Factor(primary),), 0, 0),), False)
        count = evaluation.run([whole], []).all.bit_count()
        if count:
            return f": there are {count} without the index"
    if not term.negated and (way := evaluation.way_beyond(term, selection)):
        return way
    match primary:
        case Word():
            kinds = dict.fromkeys(candidate.kind for _, candidate in candidates.layers())
            return f": the model has {', '.join(kinds)}" if kinds else ": the model has no layers"
        case Condition(field="op", value=str(op)) if way := candidates.way_to(op):
            return f" among the layers; {way}"
        case Condition(field=field, value=str(wanted)):
            return near(wanted, candidates.words(field))
    return ""
