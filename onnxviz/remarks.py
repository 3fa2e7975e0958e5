"""What there is to say of a model with new outputs, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from onnxviz.graph.expose import Exposed
from onnxviz.graph.graph import Graph
from onnxviz.inference.quantisation import moving_words
from onnxviz.layout import TensorSpec
from onnxviz.words import listed, quoted


def exposing_remarks(
    exposed: Exposed, beyond: Sequence[str], original: Graph, types: Mapping[str, TensorSpec]
) -> list[str]:
    """Return what there is to say of new outputs.

    Args:
        exposed: the graph that has them.
        beyond: the names of those that are not values of the original, which a run can compute all the same.
        original: the graph without them.
        types: what is known of its values.
    """
    return [
        *_of_declarations(exposed),
        *_of_refused(exposed.refused),
        *_of_holders(exposed),
        *_of_computed(beyond),
        *moving_words(original, types, list(exposed.names)),
    ]


def _of_declarations(exposed: Exposed) -> Iterator[str]:
    if exposed.already:
        verb = "already are outputs" if len(exposed.already) > 1 else "already is an output"
        yield f"{listed(map(quoted, exposed.already))} {verb}"
    if exposed.unranked:
        yield (
            f"how many axes {listed(map(repr, exposed.unranked))} will have is not known before a run: declared without"
            " a shape, which onnxruntime runs and onnx's checker refuses"
        )


def _of_refused(refused: Mapping[str, str]) -> Iterator[str]:
    """Give a sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for value, reason in refused.items():
        reasons.setdefault(reason, []).append(value)
    for reason, values in reasons.items():
        yield f"{_counted(values)} cannot be handed out, and {'is' if len(values) == 1 else 'are'} left out: {reason}"


def _of_holders(exposed: Exposed) -> Iterator[str]:
    if exposed.optional:
        verb = "lie in branches" if len(exposed.optional) > 1 else "lies in a branch"
        yield f"{_counted(exposed.optional)} {verb} of an If: empty where the other branch runs"
    if exposed.sequences:
        verb = "come as sequences" if len(exposed.sequences) > 1 else "comes as a sequence"
        yield f"{_counted(exposed.sequences)} {verb}, an array for each step: steps may differ in size"


def _of_computed(names: Sequence[str]) -> Iterator[str]:
    if names:
        verb, them = ("are not values", "them") if len(names) > 1 else ("is not a value", "it")
        yield f"{listed(map(quoted, names))} {verb} of the original: what computes {them} is added"


def _counted(values: Sequence[str]) -> str:
    return quoted(values[0]) if len(values) == 1 else f"{len(values)} values"
