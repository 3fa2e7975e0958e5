"""Questions to a TensorFlow graph: what a tensor is called, which nodes are inputs and outputs, what a node needs."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Collection, Iterable, MutableSequence
from typing import Any, TypeVar

from .exchange import Refusal
from .graph_def import GraphDef, NodeDef

# Nothing reads these, as nothing reads an output, but nobody means them as a result.
_NO_RESULTS = frozenset(
    "NoOp Const Assert Assign AssignAdd AssignSub AssignVariableOp Placeholder PlaceholderWithDefault SaveV2 Save "
    "RestoreV2 VarIsInitializedOp ReadVariableOp MergeV2Checkpoints VariableV2 Variable VarHandleOp Print PrintV2 "
    "IsVariableInitialized ScalarSummary HistogramSummary MergeSummary ImageSummary".split()
)
_WRITES = re.compile(r"Assign(Add|Sub)?VariableOp|Resource(Sparse)?Apply[A-Z]\w+|ResourceScatter[A-Z]\w+")
_Message = TypeVar("_Message")


def node_of(tensor: str) -> str:
    """Return the node of a tensor's name.

    >>> node_of("stem/conv:0"), node_of("^init"), node_of("x")
    ('stem/conv', 'init', 'x')
    """
    return tensor.lstrip("^").rpartition(":")[0] or tensor.lstrip("^")


def tensor_name(name: str) -> str:
    """Return a tensor's name in full; the name of a node means its first output.

    >>> tensor_name("stem/conv"), tensor_name("split:1")
    ('stem/conv:0', 'split:1')
    """
    return name if name.rpartition(":")[2].isdigit() and ":" in name else f"{name}:0"


def guess_inputs(nodes: Collection[NodeDef]) -> list[str]:
    """Return the placeholders of a graph as tensor names."""
    return [f"{node.name}:0" for node in nodes if node.op == "Placeholder"]


def guess_outputs(nodes: Collection[NodeDef]) -> list[str]:
    """Return as tensor names what nothing in the graph reads and what may be a result."""
    read = {node_of(name) for node in nodes for name in node.input}
    return [
        f"{node.name}:0"
        for node in nodes
        if node.name not in read and node.op not in _NO_RESULTS and not node.name.startswith("save/")
    ]


def check_names(nodes: Collection[NodeDef], names: list[str], what: str) -> list[str]:
    """Return names that a user gave as tensor names.

    Raises:
        Refusal: The graph has no such node; the text offers near matches.
    """
    known = {node.name for node in nodes}
    for name in names:
        if node_of(tensor_name(name)) not in known:
            raise Refusal(f"the graph has no {what} '{name}'{did_you_mean(node_of(tensor_name(name)), known)}", "usage")
    return [tensor_name(name) for name in names]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that offers the known names near to one, empty where no name is near.

    >>> did_you_mean("stem/cnv", ["stem/conv", "head"]), did_you_mean("x", ["head"])
    ('; did you mean stem/conv?', '')
    """
    near = difflib.get_close_matches(name, known, 3, 0.5)
    return f"; did you mean {', '.join(near)}?" if near else ""


def cut_to(graph: GraphDef, roots: list[str]) -> None:
    """Reduce a graph, in place, to what running some of its nodes runs: what they read, wait for and call.

    Before: a training graph with its input pipeline, summaries and savers. After: what restores its weights and
    computes its outputs. TensorFlow never imports the rest, which therefore need not be checked.
    """
    needed = ancestors(graph, roots)
    kept = [node for node in graph.node if node.name in needed]
    functions = _called_functions(graph, kept)
    for node in kept:
        node.attr.pop("_class", None)  # it names a node to share a device with, which may be cut away
    _keep(graph.node, kept)
    _keep(graph.library.function, functions)
    del graph.library.gradient[:]


def drop_writers(graph: GraphDef) -> None:
    """Remove the nodes that write to variables, in place, and with them that others wait for them."""
    written = {node.name for node in graph.node if _WRITES.fullmatch(node.op)}
    kept = [node for node in graph.node if node.name not in written]
    for node in kept:
        node.input[:] = [name for name in node.input if not (name.startswith("^") and node_of(name) in written)]
    _keep(graph.node, kept)


def ancestors(graph: GraphDef, names: Iterable[str]) -> dict[str, NodeDef]:
    """Return, by their names, the nodes that running some nodes or tensors runs: these, and all that they read."""
    nodes = {node.name: node for node in graph.node}
    found: dict[str, NodeDef] = {}
    waiting = list(names)
    while waiting:
        name = node_of(waiting.pop())
        if name in nodes and name not in found:
            found[name] = nodes[name]
            waiting.extend(nodes[name].input)
    return found


def called(node: NodeDef) -> set[str]:
    """Return the names of the functions that a node may call; its operator may be one."""
    names = {node.op}
    for value in node.attr.values():
        if value.HasField("func"):
            names.add(value.func.name)
        names.update(function.name for function in value.list.func)
    return names


def _called_functions(graph: GraphDef, nodes: list[NodeDef]) -> list[Any]:
    known = {function.signature.name: function for function in graph.library.function}
    needed: set[str] = set()
    waiting = list(nodes)
    while waiting:
        for name in called(waiting.pop()) & known.keys() - needed:
            needed.add(name)
            waiting.extend(known[name].node_def)
    return [function for function in graph.library.function if function.signature.name in needed]


def _keep(field: MutableSequence[_Message], entries: list[_Message]) -> None:
    """Let a repeated field of a message hold only some of its entries."""
    copies = [copy.deepcopy(entry) for entry in entries]
    del field[:]
    field.extend(copies)
