"""Which values of a model a selection means: `conv[0], pool`, a name as Netron shows it, `layer3.** & conv`.

Three steps: grammar.py parses the text, evaluation.py finds what its terms match among the candidates of candidates.py,
and here these become choices: values with the names under which they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onnxviz.errors import NoMatchError, UnsupportedError, UsageError
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.selection.candidates import Candidates, Matches, members
from onnxviz.graph.selection.evaluation import Evaluation
from onnxviz.graph.selection.grammar import KEYWORDS, Condition, Factor, Selection, Term, Word, exact, parse
from onnxviz.graph.selection.messages import all_inside, inside_body, left_inside, pointed
from onnxviz.words import near, shown

SelectionText = str | Layer | Sequence[str | Layer] | Mapping[str, str]
"""What `layers=` takes: a selection or a layer, several of them, or selections with a new name each."""

TAPS = ("act", "op")
_SHOWN_FIRST = ("conv", "pool")
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
    wanted: SelectionText | None,
    *,
    graph: Graph,
    layers: Sequence[Layer],
    exclude: Sequence[str] = (),
    tap: str = "act",
) -> tuple[tuple[Choice, ...], str]:
    """Return what is chosen, in graph order, each value once, and a remark on it (often empty).

    Args:
        wanted: A text, a layer, several of them, or texts with the names to give; None for the default.
        graph: The model.
        layers: Its catalogue.
        exclude: Selections that are taken away.
        tap: Which value of a layer is meant: `act` or `op`.

    Raises:
        UsageError: The tap is unknown, or nothing can be chosen by `wanted`.
        SelectionError: A selection cannot be read.
        NoMatchError: It matches nothing, all of it is excluded, or a layer is of another model.
        UnsupportedError: What is meant lies in a body or function.
    """
    require_tap(tap)
    if wanted is None:
        choices, taken = default_choices(graph, layers, tap, exclude)
        return choices, f"no selection given: {taken}"
    if isinstance(wanted, Mapping):
        found = _renamed(wanted, graph, layers, tap)
    else:
        given = [wanted] if isinstance(wanted, str | Layer) else list(wanted)
        wrong = [type(item).__name__ for item in given if not isinstance(item, str | Layer)]
        if wrong:
            raise UsageError(f"a selection is a text or a layer, not {wrong[0]}")
        texts = [item for item in given if isinstance(item, str)]
        if len(texts) == len(given):
            return select(texts, graph=graph, layers=layers, exclude=exclude, tap=tap), ""
        found = [_taken(item, graph, layers, tap) for item in given if isinstance(item, Layer)]
        found += select(texts, graph=graph, layers=layers, tap=tap) if texts else ()
    gone = matched_values(exclude, graph=graph, layers=layers, tap=tap)
    kept = {choice.value: choice for choice in found if choice.value not in gone}
    if not kept:
        raise NoMatchError("nothing is selected, or all of it is excluded")
    order = {value: node.index for value, node in graph.producers.items()}
    return tuple(sorted(kept.values(), key=lambda choice: order.get(choice.value, -1))), ""


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
    if layer.inside:
        outputs = graph.nodes[layer.index].outputs if layer in layers else ()
        raise UnsupportedError(inside_body(layer.name, layer.inside, outputs))
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
        UnsupportedError: What matches lies in the body of an If, Loop or Scan, or in a function.
        UsageError: The tap is unknown.
    """
    require_tap(tap)
    candidates = Candidates(graph, layers, tap)
    chosen = [_read(one, candidates) for one in ([text] if isinstance(text, str) else list(text) or [""])]
    left_out = [_read(one, candidates) for one in exclude]
    wider = Evaluation(candidates, bodies=True)
    beyond = wider.run(chosen, left_out)
    matches = Evaluation(candidates, bodies=False).run(chosen, left_out) if candidates.inner else beyond
    # An index may pass over all that lies outside: then what it reaches with the bodies counted is taken.
    matches = matches or beyond.only(~candidates.inner) or beyond
    if not matches:
        raise NoMatchError(_nothing(candidates, chosen, left_out))
    first, *rest = _choices(candidates, matches)
    more = f"and {len(wider.notes) - _MOST_NOTES} more" if len(wider.notes) > _MOST_NOTES else ""
    notes = (first.note, *list(wider.notes)[:_MOST_NOTES], more, _left_inside(candidates, matches, beyond))
    return (replace(first, note="; ".join(filter(None, notes))), *rest)


def _left_inside(candidates: Candidates, matches: Matches, beyond: Matches) -> str:
    """Say what a selection would match besides if it saw functions and bodies."""
    inside = [candidates[number].layer for number in members(beyond.all & candidates.inner)]
    if inside:
        return left_inside([layer for layer in inside if layer is not None])
    return "" if matches.all == beyond.all else "an index does not count layers inside functions and bodies"


def matched_values(text: Sequence[str], *, graph: Graph, layers: Sequence[Layer], tap: str) -> frozenset[str]:
    """Return the values that selections mean, none where they match nothing.

    Raises:
        SelectionError: A selection cannot be read.
        NoMatchError: A name is not in the model.
    """
    candidates = Candidates(graph, layers, tap)
    matches = (
        Evaluation(candidates, bodies=False).run([_read(one, candidates) for one in text], []) if text else Matches()
    )
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


def default_choices(
    graph: Graph, layers: Sequence[Layer], tap: str, exclude: Sequence[str] = ()
) -> tuple[tuple[Choice, ...], str]:
    """Return what is taken where nothing was selected, and words for it.

    | the model has | taken |
    |---|---|
    | layers of kind conv or pool | these |
    | else layers of rank 3 or more, or of a rank that a run alone tells | these |
    | else layers | all of them |
    | else | the outputs of its nodes |

    Raises:
        NoMatchError: `exclude` takes all of them away.
        UnsupportedError: All the layers lie in bodies or functions.
    """
    top = [layer for layer in layers if not layer.inside and layer.kind != "other"]
    inner = [layer for layer in layers if layer.inside and layer.kind != "other"]
    if inner and not top:
        hidden = [layer for layer in inner if layer.kind in _SHOWN_FIRST] or inner
        outputs = [output for layer in hidden for output in graph.nodes[layer.index].outputs]
        raise UnsupportedError(all_inside(hidden, outputs))
    text, words = _default_text(top, inner)
    choices = select(text, graph=graph, layers=layers, exclude=exclude, tap=tap)
    return choices if top else _computed(choices, graph), words


def _default_text(top: Sequence[Layer], inner: Sequence[Layer]) -> tuple[str, str]:
    """Return the selection that stands for none, and words for it."""
    first = ",".join(kind for kind in _SHOWN_FIRST if any(layer.kind == kind for layer in top))
    if first:
        return f"({','.join(_SHOWN_FIRST)})", first  # in one term: what lies inside is counted of both
    if not top:
        return "other", "the outputs of its nodes, for no node is a layer of a kind"
    where = "outside bodies " if any(layer.kind in _SHOWN_FIRST for layer in inner) else ""
    vectors = sum(layer.rank is not None and layer.rank < 3 for layer in top)
    unknown = sum(layer.rank is None for layer in top)
    if vectors == len(top):
        return "all", f"every layer, for no layer {where}is of kind conv or pool, or of rank 3 or more"
    words = f"every layer of rank 3 or more, for no layer {where}is of kind conv or pool"
    words += f"; taken too: {unknown} whose rank only the run tells" if unknown else ""
    words += f"; left out: {vectors} of a lower rank (`all` has them)" if vectors else ""
    return "!rank<3", words


def _computed(choices: tuple[Choice, ...], graph: Graph) -> tuple[Choice, ...]:
    """Leave out what no run computes, or what is not a tensor by the model's own word, unless that is all there is."""
    declared = (*graph.proto.graph.output, *graph.proto.graph.value_info)
    others = {info.name for info in declared if info.type.WhichOneof("value") not in ("tensor_type", None)}
    kept = [one for one in choices if one.value not in others and not graph.is_constant(one.value)]
    return tuple(kept) or choices


def _read(text: str, candidates: Candidates) -> Selection:
    """Parse a selection, unless the whole text is the name of a node or value."""
    for whole in dict.fromkeys((text, text.strip())):
        if whole not in KEYWORDS and candidates.named(whole):
            return exact(whole)
    return parse(text)


def _choices(candidates: Candidates, matches: Matches) -> list[Choice]:
    """Return the choices in graph order, each value once: under its own name where that was asked for."""
    found: dict[str, tuple[tuple[int, int], Choice]] = {}
    for literal, numbers in ((True, matches.literal), (False, matches.tapped)):
        for number in sorted(members(numbers), key=lambda number: candidates[number].order):
            candidate = candidates[number]
            if candidate.inside:
                raise UnsupportedError(inside_body(candidate.name, candidate.inside, candidates.around(candidate)))
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
    factors = [factor for selection in chosen for term in selection.terms for factor in term.factors]
    why = ", or all of it is excluded" if left_out else _why(candidates, factors[0]) if len(factors) == 1 else ""
    return pointed(text, chosen[0].place, f"matches nothing{why}; {_COMMAND}")


def _why(candidates: Candidates, factor: Factor) -> str:
    primary = factor.primary
    if factor.index is not None and not isinstance(primary, Selection):
        whole = Selection("", (Term(False, (Factor(primary),), 0, 0),), False)
        count = Evaluation(candidates, bodies=False).run([whole], []).all.bit_count()
        if count:
            return f": there are {count} without the index"
    match primary:
        case Word():
            kinds = dict.fromkeys(candidate.kind for _, candidate in candidates.layers())
            return f": the model has {', '.join(kinds)}" if kinds else ": the model has no layers"
        case Condition(field="op", value=str(op)) if any(node.op == op for node in candidates.graph.nodes):
            return f" among the layers; `other & op={shown(op)}` takes nodes that are not layers"
        case Condition(field=field, value=str(wanted)):
            return near(wanted, candidates.words(field))
    return ""
