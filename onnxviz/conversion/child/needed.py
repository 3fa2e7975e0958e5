"""What of a graph is run when some of its nodes are: these nodes, what they read and wait for, and what they call.

Before: a training graph with its input pipeline, summaries and savers. After: what restores its weights and gives its
outputs. What is cut away is never imported, and need not be looked at.
"""

from __future__ import annotations

from typing import Any

from .graph_nodes import node_of


def cut_to(graph: Any, roots: list[str]) -> None:
    """Reduce a graph, in place, to the nodes with these names and all that they need, functions included."""
    nodes = {node.name: node for node in graph.node}
    needed: set[str] = set()
    waiting = [node_of(name) for name in roots]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            waiting.extend(node_of(read) for read in nodes[name].input)
    kept = [node for node in graph.node if node.name in needed]
    functions = _functions(graph, kept)
    for node in kept:
        node.attr.pop("_class", None)  # beside which node it lies; that may be cut away
    _keep(graph.node, kept)
    _keep(graph.library.function, functions)
    del graph.library.gradient[:]


def called(node: Any) -> set[str]:
    """Return the names of the functions that a node may call; its operator may be one."""
    names = {node.op}
    for value in node.attr.values():
        if value.HasField("func"):
            names.add(value.func.name)
        names.update(function.name for function in value.list.func)
    return names


def _functions(graph: Any, nodes: list[Any]) -> list[Any]:
    known = {function.signature.name: function for function in graph.library.function}
    needed: set[str] = set()
    waiting = list(nodes)
    while waiting:
        for name in called(waiting.pop()) & known.keys() - needed:
            needed.add(name)
            waiting.extend(known[name].node_def)
    return [function for function in graph.library.function if function.signature.name in needed]


def _keep(field: Any, entries: list[Any]) -> None:
    """Let a repeated field of a message hold only some of its entries."""
    copies = [type(entry).FromString(entry.SerializeToString()) for entry in entries]
    del field[:]
    field.extend(copies)
