"""tf2onnx made lighter for the time of one conversion: two of its methods replaced by others of the same result.

1. Before each of its 24 passes it copies every weight into protobuf, though only the model that it makes in the end
   is read, and making that copies them once more. Without it Inception-v4 takes 1.7 GB instead of 4.3.
2. To find what the outputs need it walks the whole graph once for every output, 32 times over: with every layer an
   output that was two thirds of the time. One walk from all of them finds the same nodes.

A method that a later tf2onnx does not have any more is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def lighter(graph_class: Any) -> Iterator[None]:
    """Replace the methods of tf2onnx's Graph, and put its own back in the end."""
    ours = {"update_proto": _leave_proto, "extract_sub_graph_nodes": _needed_nodes}
    theirs = {name: vars(graph_class)[name] for name in ours if name in vars(graph_class)}
    for name in theirs:
        setattr(graph_class, name, ours[name])
    try:
        yield
    finally:
        for name, method in theirs.items():
            setattr(graph_class, name, method)


def _leave_proto(self: Any, *arguments: Any, **options: Any) -> None:
    """Do nothing."""


def _needed_nodes(
    self: Any,
    outputs_name: Any,
    input_checker: Callable[[Any], bool] | None = None,
    remove_unused_inputs: bool = True,
) -> list[Any]:
    """Return the nodes that the outputs need, in the order in which they are met; a checker may stop the walk."""
    names = list(outputs_name) + ([] if remove_unused_inputs else [node.output[0] for node in self.inputs])
    waiting = [self.get_node_by_output(name, search_in_parent_graphs=False) for name in names]
    met: dict[Any, None] = {}
    while waiting:
        node = waiting.pop()
        if not node or node in met or (input_checker and input_checker(node) is False):
            continue
        met[node] = None
        read = [*node.input, *node.get_implicit_inputs()]
        waiting.extend(self.get_node_by_output(name, search_in_parent_graphs=False) for name in read)
    return list(met)
