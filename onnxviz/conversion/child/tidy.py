"""Names that a reader of the model sees: free sizes without tf2onnx's counters, outputs without a copy before them."""

from __future__ import annotations

from typing import Any

BATCH = "N"


def name_free_sizes(proto: Any) -> None:
    """Call the free first size of the inputs `N`, and leave other free sizes open; tf2onnx calls them `unk__136`.

    Only where the first size of every input is free is that the batch; an output's is `N` as well then.
    """
    graph = proto.graph
    firsts = [_sizes(info)[0] for info in graph.input if _sizes(info)]
    batched = bool(firsts) and all(not size.HasField("dim_value") for size in firsts)
    for info in (*graph.input, *graph.output):
        for place, size in enumerate(_sizes(info)):
            if size.HasField("dim_value") and size.dim_value >= 0:
                continue
            size.Clear()
            if place == 0 and batched:
                size.dim_param = BATCH


def _sizes(info: Any) -> Any:
    return info.type.tensor_type.shape.dim
