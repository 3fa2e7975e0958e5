"""Which tensors stay visible: those of all layers, or with folding those that the user named."""

from __future__ import annotations

from .exchange import Refusal
from .graph_nodes import did_you_mean, node_of, tensor_name
from .loaded import Loaded


def chosen(loaded: Loaded, keep: list[str], fold: bool) -> list[str]:
    """Return the tensors to keep, in the graph's order, without the graph's own inputs and outputs.

    Raises:
        Refusal: A name in `keep` is not a layer, node or tensor of the source.
    """
    nodes = [] if loaded.graph is None else list(loaded.graph.node)
    order = {node.name: place for place, node in enumerate(nodes)}
    wanted = [_resolved(loaded, order, name) for name in keep]
    if not fold:
        wanted += [row.tensor for row in loaded.rows]
    left_out = {node_of(name) for name in loaded.inputs} | {node.name for node in nodes if node.op == "Const"}
    kept = [name for name in dict.fromkeys(wanted) if name not in loaded.outputs and node_of(name) not in left_out]
    return sorted(kept, key=lambda name: order.get(node_of(name), 0))


def _resolved(loaded: Loaded, nodes: dict[str, int], name: str) -> str:
    layers = [row.tensor for row in loaded.rows if row.layer == name or row.layer.endswith(f"/{name}")]
    if layers:
        return layers[-1]
    if node_of(tensor_name(name)) in nodes:
        return tensor_name(name)
    hint = did_you_mean(name, [row.layer for row in loaded.rows] + sorted(nodes))
    raise Refusal(f"there is no layer '{name}' to keep{hint}", "usage")
