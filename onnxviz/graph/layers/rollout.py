"""Which attentions of a model can be followed one through the other: attention rollout.

Abnar and Zuidema (Quantifying Attention Flow in Transformers, 2020, section 3): what a token of the last layer takes
from a token of the input is the product of all layers' weights, each with half of itself passed on:

    A = normalised rows of (mean of the heads + I),   rollout = A_n ... A_2 A_1

Followed are self-attentions over the same tokens, each of which reads what the one before it makes. Queries, keys and
values come from one source there, without another attention between. Windows, whose items are not the model's, and
decoders, which look at an encoder as well, are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.attention_matrices import AttentionMatrix
from onnxviz.graph.node import Node
from onnxviz.layout import Dimension, TensorSpec

ROLLOUT = "rollout"
"""The name of the layer."""

_FLOATS = frozenset({"float16", "float32", "float64", "bfloat16", None})
_MOVED_BY = frozenset({"Expand", "Gather", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Unsqueeze"})
_FARTHEST = 400
"""Nodes that are looked at for the source of an attention's queries; a block of rotary positions has some 40."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """The attentions whose weights are multiplied, in their order.

    Attributes:
        value: the name that the product has.
        sources: the weights, such as `(N, heads, T, T)`.
        headed: whether each of these has an axis of heads.
        spec: what is known of the product, `(N, T, T)`.
    """

    value: str
    sources: tuple[str, ...]
    headed: tuple[bool, ...]
    spec: TensorSpec


def find_rollout(
    graph: Graph, types: Mapping[str, TensorSpec], matrices: Sequence[AttentionMatrix], batches: Collection[Dimension]
) -> Rollout | None:
    """Return the longest chain of attentions, of two or more; None where there is none.

    Args:
        graph: the model.
        types: what is known of each value, of the weights too.
        matrices: its attentions in graph order.
        batches: the sizes that a batch may have, as its inputs say.
    """
    chains: list[list[AttentionMatrix]] = []
    mixed = frozenset(matrix.mixed for matrix in matrices)
    for matrix in matrices:
        if not _is_square(types.get(matrix.value), matrix, batches) or not _is_of_itself(graph, matrix, mixed):
            continue
        for chain in chains:
            if _same_tokens(types, chain[-1], matrix) and _reaches(graph, matrix.queries, chain[-1].mixed, mixed):
                chain.append(matrix)
                break
        else:
            chains.append([matrix])
    decoding = {_sizes(types, matrix)[-2] for matrix in matrices if len(set(_sizes(types, matrix)[-2:])) > 1}
    chains = [chain for chain in chains if _sizes(types, chain[0])[-1] not in decoding]
    longest = max(chains, key=len, default=[])
    if len(longest) < 2:
        return None
    items, *_, tokens = _sizes(types, longest[0])
    value = next(name for name in (ROLLOUT, *(f"{ROLLOUT}:{n}" for n in range(2, 99))) if name not in graph.producers)
    return Rollout(
        value,
        tuple(matrix.value for matrix in longest),
        tuple(len(_sizes(types, matrix)) == 4 for matrix in longest),
        TensorSpec(value, "float32", (items, tokens, tokens)),
    )


def _sizes(types: Mapping[str, TensorSpec], matrix: AttentionMatrix) -> tuple[Dimension, ...]:
    spec = types.get(matrix.value)
    return (spec.shape if spec is not None else None) or (None, None)


def _is_square(spec: TensorSpec | None, matrix: AttentionMatrix, batches: Collection[Dimension]) -> bool:
    """Return whether weights have as many queries as keys, and the items of the model."""
    axes = matrix.axes.get(matrix.value)
    if spec is None or spec.shape is None or axes is None or axes.layout not in ("NCTT", "NTT"):
        return False
    items, *_, queries, keys = spec.shape
    return spec.dtype in _FLOATS and queries is not None and queries == keys and items in batches


def _is_of_itself(graph: Graph, matrix: AttentionMatrix, mixed: Collection[str]) -> bool:
    """Return whether queries and keys come from where the values do."""
    root = matrix.values
    while (maker := graph.producers.get(root)) is not None and len(computed := _computed(graph, maker)) == 1:
        root = computed[0]
        if root in mixed:
            return False
    return all(_reaches(graph, side, root, mixed) for side in (matrix.queries, matrix.keys))


def _same_tokens(types: Mapping[str, TensorSpec], one: AttentionMatrix, other: AttentionMatrix) -> bool:
    return _sizes(types, one)[-1] == _sizes(types, other)[-1]


def _reaches(graph: Graph, value: str, source: str, mixed: Collection[str]) -> bool:
    """Return whether a value is computed from a source, through no attention but the one that makes it."""
    waiting, seen = [value], {value}
    while waiting and len(seen) < _FARTHEST:
        at = waiting.pop(0)
        if at == source:
            return True
        maker = graph.producers.get(at)
        if maker is not None and at not in mixed:
            found = [each for each in _computed(graph, maker) if each not in seen]
            waiting += found
            seen.update(found)
    return False


def _computed(graph: Graph, node: Node) -> list[str]:
    """Return what a node reads that is not constant, without the shapes and places by which it moves that."""
    values = node.inputs[:1] if node.operator in _MOVED_BY else node.reads
    return list(dict.fromkeys(value for value in values if value and not graph.is_constant(value)))
