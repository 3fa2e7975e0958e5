"""Which tensors stay visible: every layer's, or with folding those that were asked for by name."""

from __future__ import annotations

import difflib

from .graph_nodes import node_of, tensor_name
from .loaded import Loaded
from .report import Refusal


def chosen(loaded: Loaded, keep: list[str], fold: bool) -> list[str]:
    """Return the tensors to keep, in the graph's order, without the graph's own ends.

    Raises:
        Refusal: A name in `keep` is no layer, node or tensor of the source.
    """
    wanted = [_resolved(loaded, name) for name in keep]
    if not fold:
        wanted += [row.tensor for row in loaded.rows]
    ends = {node_of(name) for name in loaded.inputs} | set(loaded.outputs)
    constant = {node.name for node in loaded.graph.node if node.op == "Const"} if loaded.graph is not None else set()
    kept = [name for name in dict.fromkeys(wanted) if name not in ends and node_of(name) not in ends | constant]
    order = {node.name: place for place, node in enumerate(loaded.graph.node)} if loaded.graph is not None else {}
    return sorted(kept, key=lambda name: order.get(node_of(name), 0))


def _resolved(loaded: Loaded, name: str) -> str:
    layers = [row.tensor for row in loaded.rows if row.layer == name or row.layer.endswith(f"/{name}")]
    if layers:
        return layers[-1]
    nodes = {node.name for node in loaded.graph.node} if loaded.graph is not None else set()
    if node_of(tensor_name(name)) in nodes:
        return tensor_name(name)
    near = difflib.get_close_matches(name, [row.layer for row in loaded.rows] + sorted(nodes), 3, 0.5)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise Refusal(f"there is no layer '{name}' to keep{hint}", "usage")
