"""tf2onnx at work on a frozen graph, by its library functions.

Its command line takes 7.5 GB for Inception-v4, and exits with success where it does not know an operator.
"""

from __future__ import annotations

import os
from typing import Any

from .lighter import lighter
from .loaded import Loaded
from .report import Refusal
from .substitutes import open_calls


def translate(tensorflow: Any, loaded: Loaded, kept: list[str], opset: int, **more: Any) -> Any:
    """Return the ONNX model of a frozen graph, with the kept tensors among its outputs."""
    from tf2onnx import optimizer, tfonnx
    from tf2onnx.graph import Graph

    with lighter(Graph):
        with tensorflow.Graph().as_default() as graph:
            if loaded.graph is not None:
                tensorflow.import_graph_def(loaded.graph, name="")
                loaded.graph = None  # its weights are in the session's graph now
            onnx_graph = tfonnx.process_tf_graph(
                graph,
                input_names=loaded.inputs,
                output_names=loaded.outputs + kept,
                opset=opset,
                tensors_to_rename=dict(loaded.renames),
                continue_on_error=False,
                **more,
            )
        optimised = optimizer.optimize_graph(onnx_graph, catch_errors=False)
    return optimised.make_model("onnxviz convert")


def rewrite(tensorflow: Any, loaded: Loaded, kept: list[str]) -> None:
    """Let TensorFlow's own rewriter inline, fold and merge what is not kept."""
    from tf2onnx import tf_loader

    open_calls(loaded.graph)
    with tensorflow.Graph().as_default():
        tensorflow.import_graph_def(loaded.graph, name="")
        loaded.graph = tf_loader.tf_optimize(loaded.inputs, loaded.outputs + kept, loaded.graph)


def check_operators(proto: Any) -> None:
    """Refuse a model with operators that ONNX does not have: tf2onnx leaves those that it does not know in place.

    Raises:
        Refusal: There are some; they are named with where they are.
    """
    import onnx

    versions = {entry.domain: entry.version for entry in proto.opset_import}
    places: dict[str, list[str]] = {}
    for node in _all_nodes(proto.graph):
        if node.domain in ("", "ai.onnx"):
            if not onnx.defs.has(node.op_type, max_inclusive_version=versions.get(node.domain, 1)):
                places.setdefault(node.op_type, []).append(node.name)
        elif not node.domain.startswith(("ai.onnx", "com.microsoft")):
            places.setdefault(f"{node.domain}.{node.op_type}", []).append(node.name)
    if not places:
        return
    lines = [
        f"{op} at {', '.join(names[:3])}{' and more' if names[3:] else ''}" for op, names in sorted(places.items())
    ]
    raise Refusal(
        f"tf2onnx has no translation of {'; '.join(lines)}\n"
        "the part before it converts: onnxviz convert --outputs, with the tensor that it reads",
        "unsupported",
    )


def write(proto: Any, path: str) -> None:
    """Write the model.

    Raises:
        Refusal: It is larger than the 2 GB that protobuf can hold.
    """
    try:
        data = proto.SerializeToString()
    except Exception as error:  # protobuf's own errors differ between its implementations
        raise Refusal(f"the converted model cannot be written in one file: {error}", "unsupported") from error
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _all_nodes(graph: Any) -> Any:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _all_nodes(body)
