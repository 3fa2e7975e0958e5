"""What is taken where nothing was selected: every model has something to show."""

from __future__ import annotations

from collections.abc import Sequence

from onnxviz.errors import UnsupportedError
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.selection.choices import Choice, require_tap, select
from onnxviz.graph.selection.messages import all_inside

_SHOWN_FIRST = ("conv", "pool")
_TAKEN_BESIDE = "recurrent"


def default_choices(
    graph: Graph, layers: Sequence[Layer], tap: str, exclude: Sequence[str] = ()
) -> tuple[tuple[Choice, ...], str]:
    """Return what is taken where nothing was selected, and words for it.

    | the model has | taken |
    |---|---|
    | layers of kind conv or pool | these, and recurrent layers |
    | else layers of rank 3 or more | these, and those of a rank that a run alone tells |
    | else layers | all of them |
    | else | the outputs of its nodes, constants where there is nothing else |

    Raises:
        NoMatchError: `exclude` takes all of them away.
        UnsupportedError: All the layers lie in bodies or functions.
    """
    require_tap(tap)
    top = [layer for layer in layers if not layer.inside and layer.kind != "other"]
    inner = [layer for layer in layers if layer.inside and layer.kind != "other"]
    if inner and not top:
        hidden = [layer for layer in inner if layer.kind in _SHOWN_FIRST] or inner
        outputs = [output for layer in hidden for output in graph.nodes[layer.index].outputs]
        raise UnsupportedError(all_inside(hidden, outputs))
    text, words = _default_text(top, inner)
    made = [value for node in graph.nodes for value in node.outputs if value]
    names = made if text == "other" and all(map(graph.is_constant, made)) else text
    choices = select(names, graph=graph, layers=layers, exclude=exclude, tap=tap)
    return choices if top else _tensors(choices, graph), words


def _default_text(top: Sequence[Layer], inner: Sequence[Layer]) -> tuple[str, str]:
    """Return the selection that stands for none, and words for it."""
    kinds = {layer.kind for layer in top}
    if not kinds.isdisjoint(_SHOWN_FIRST):
        taken = (*_SHOWN_FIRST, _TAKEN_BESIDE)
        # In one term, so that what lies inside is counted of all; as fields, which are not names as well.
        return f"({','.join(f'kind={kind}' for kind in taken)})", ",".join(kind for kind in taken if kind in kinds)
    if not top:
        return "other", "the outputs of its nodes, since no node is a layer of a kind"
    where = "outside bodies " if any(layer.kind in _SHOWN_FIRST for layer in inner) else ""
    vectors = sum(layer.rank is not None and layer.rank < 3 for layer in top)
    unknown = sum(layer.rank is None for layer in top)
    if vectors + unknown == len(top):
        known = "known to be " * bool(unknown)
        return "all", f"every layer, since no layer {where}is of kind conv or pool, or {known}of rank 3 or more"
    words = f"every layer of rank 3 or more, since no layer {where}is of kind conv or pool"
    words += f"; taken too: {unknown} whose rank only the run tells" if unknown else ""
    words += f"; left out: {vectors} of a lower rank (`all` has them)" if vectors else ""
    return "!rank<3", words


def _tensors(choices: tuple[Choice, ...], graph: Graph) -> tuple[Choice, ...]:
    """Leave out what is not a tensor by the model's own word, unless that is all there is."""
    declared = (*graph.proto.graph.output, *graph.proto.graph.value_info)
    others = {info.name for info in declared if info.type.WhichOneof("value") not in ("tensor_type", None)}
    kept = [one for one in choices if one.value not in others]
    return tuple(kept) or choices
