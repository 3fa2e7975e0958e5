"""What is taken where nothing was selected: every model has something to show."""

from __future__ import annotations

from collections.abc import Sequence

from onnxviz.graph.carrying import is_carrier
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.selection.choices import Choice, require_tap, select

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
    """
    require_tap(tap)
    of_kinds = [layer for layer in layers if layer.kind != "other"]
    text, words = _default_text(of_kinds)
    nodes = (node for node in graph.nodes if not is_carrier(node.domain, node.op))
    made = [value for node in nodes for value in node.outputs if value]
    names = made if text == "other" and all(map(graph.is_constant, made)) else text
    choices = select(names, graph=graph, layers=layers, exclude=exclude, tap=tap)
    return choices if of_kinds else _tensors(choices, graph), words


def _default_text(layers: Sequence[Layer]) -> tuple[str, str]:
    """Return the selection that stands for none, and words for it."""
    kinds = {layer.kind for layer in layers}
    if not kinds.isdisjoint(_SHOWN_FIRST):
        taken = (*_SHOWN_FIRST, _TAKEN_BESIDE)
        # In one term; as fields, which are not names as well.
        return f"({','.join(f'kind={kind}' for kind in taken)})", ",".join(kind for kind in taken if kind in kinds)
    if not layers:
        return "other", "the outputs of its nodes, since no node is a layer of a kind"
    vectors = sum(layer.rank is not None and layer.rank < 3 for layer in layers)
    unknown = sum(layer.rank is None for layer in layers)
    if vectors + unknown == len(layers):
        known = "known to be " * bool(unknown)
        return "all", f"every layer, since no layer is of kind conv or pool, or {known}of rank 3 or more"
    words = "every layer of rank 3 or more, since no layer is of kind conv or pool"
    words += f"; taken too: {unknown} whose rank only the run tells" if unknown else ""
    words += f"; left out: {vectors} of a lower rank (`all` has them)" if vectors else ""
    return "!rank<3", words


def _tensors(choices: tuple[Choice, ...], graph: Graph) -> tuple[Choice, ...]:
    """Leave out what is not a tensor by the model's own word, unless that is all there is."""
    declared = (*graph.proto.graph.output, *graph.proto.graph.value_info)
    others = {info.name for info in declared if info.type.WhichOneof("value") not in ("tensor_type", None)}
    kept = [one for one in choices if one.value not in others]
    return tuple(kept) or choices
