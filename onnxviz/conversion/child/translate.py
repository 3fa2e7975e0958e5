"""tf2onnx at work on a frozen graph, by its library functions, and what it needs to do that well.

Its command line takes 7.5 GB for Inception-v4, and exits with success where it does not know an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from onnx import ModelProto

from .graph_def import GraphDef, NodeDef
from .loaded import Loaded
from .onnx_nodes import check_operators

_DRAWS = {
    f"Stateless{name}{version}": drawn
    for name, drawn in (
        ("RandomNormal", "RandomStandardNormal"),
        ("RandomUniform", "RandomUniform"),
        ("TruncatedNormal", "TruncatedNormal"),
    )
    for version in ("", "V2")
}
_COMPILED = ("_XlaMustCompile", "_XlaCompile", "_noinline")


def translate(tensorflow: ModuleType, loaded: Loaded, kept: list[str], opset: int) -> ModelProto:
    """Return the ONNX model of a frozen graph, or of a TensorFlow Lite file; kept tensors are outputs too.

    Raises:
        Refusal: The model has operators that ONNX does not have.
    """
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
                **({"tflite_path": loaded.lite.path, "dequantize": True} if loaded.lite else {}),
            )
        optimised = optimizer.optimize_graph(onnx_graph, catch_errors=False)
    proto: ModelProto = optimised.make_model("onnxviz convert")
    check_operators(proto)
    return proto


def rewrite(tensorflow: ModuleType, loaded: Loaded, kept: list[str]) -> None:
    """Let TensorFlow's own rewriter inline, fold and merge what is not kept."""
    from tf2onnx import tf_loader

    assert loaded.graph is not None
    # The rewriter inlines ordinary calls only. Keras 3 writes grouped convolutions as calls to be compiled as a whole.
    for part in (*loaded.graph.node, *loaded.graph.library.function):
        for name in _COMPILED:
            part.attr.pop(name, None)
    with tensorflow.Graph().as_default():
        tensorflow.import_graph_def(loaded.graph, name="")
        loaded.graph = tf_loader.tf_optimize(loaded.inputs, loaded.outputs + kept, loaded.graph)


def substitute(tensorflow: ModuleType, graph: GraphDef) -> None:
    """Write operators that tf2onnx does not know by those that it does, in place.

    1. `Erfc(x)`, as Keras 3 writes the exact GELU, is `1 - Erf(x)`.
    2. Random numbers of a seed, as Keras 3 draws them with the state of its generator, are random numbers: ONNX has no
       operator that would draw the same, and the state, which each run changes, is frozen.
    """
    for node in list(graph.node):
        if node.op == "Erfc":
            _write_erfc(tensorflow, graph, node)
        elif node.op in _DRAWS:
            node.op = _DRAWS[node.op]
            del node.input[1:]
            node.attr["T"].type = node.attr.pop("Tshape").type


def _write_erfc(tensorflow: ModuleType, graph: GraphDef, node: NodeDef) -> None:
    new = tensorflow.compat.v1.NodeDef
    kind = node.attr["T"].type
    inner = new(name=f"{node.name}/erf", op="Erf", input=list(node.input))
    inner.attr["T"].type = kind
    one = new(name=f"{node.name}/one", op="Const")
    one.attr["dtype"].type = kind
    one.attr["value"].tensor.CopyFrom(tensorflow.make_tensor_proto(1, tensorflow.as_dtype(kind)))
    node.op = "Sub"
    del node.input[:]
    node.input.extend([one.name, inner.name])
    graph.node.extend([inner, one])


@contextmanager
def lighter(graph_class: type) -> Iterator[None]:
    """Replace two methods of tf2onnx's Graph for a time by others of the same result, and put its own back in the end.

    1. Before each of its 24 passes it copies every weight into protobuf, though only the model that it makes in the end
       is read, and making that copies them once more. Without it Inception-v4 takes 1.7 GB instead of 4.3.
    2. To find what the outputs need it walks the whole graph once for every output, 32 times over: with every layer an
       output that was two thirds of the time. One walk from all of them finds the same nodes.

    A method that a later tf2onnx no longer has is left alone.
    """
    ours: dict[str, object] = {
        "update_proto": lambda self, *arguments, **options: None,
        "extract_sub_graph_nodes": _needed_nodes,
    }
    theirs = {name: vars(graph_class)[name] for name in ours if name in vars(graph_class)}
    for name in theirs:
        setattr(graph_class, name, ours[name])
    try:
        yield
    finally:
        for name, method in theirs.items():
            setattr(graph_class, name, method)


def _needed_nodes(
    self: Any,
    outputs_name: Iterable[str],
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
