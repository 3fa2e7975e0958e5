"""The messages of TensorFlow's graphs, as types: the fields that the child uses.

TensorFlow makes its own classes at run time, and need not be installed where the types are checked.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, Protocol


class NodeDef(Protocol):
    """A node. An input is `node`, `node:1` for a later output, or `^node` for one that must only run before."""

    name: str
    op: str
    input: MutableSequence[str]
    attr: MutableMapping[str, Any]

    def Clear(self) -> None: ...  # noqa: D102, N802


class OpDef(Protocol):
    """What TensorFlow knows of an operator."""

    name: str
    is_stateful: bool
    input_arg: Sequence[Any]
    output_arg: Sequence[Any]
    attr: Sequence[Any]


class GraphDef(Protocol):
    """A graph: its nodes in any order, and the functions that they call, in `library.function`."""

    node: MutableSequence[NodeDef]
    library: Any


class MetaGraphDef(Protocol):
    """A graph, its signatures, and how a program restores and starts it."""

    graph_def: GraphDef
    meta_info_def: Any
    saver_def: Any
    object_graph_def: Any
    collection_def: MutableMapping[str, Any]
    signature_def: Mapping[str, Any]
