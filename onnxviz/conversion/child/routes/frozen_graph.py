"""A graph of TensorFlow 1: frozen in a `.pb`, or a `.meta` with its checkpoint beside it."""

from __future__ import annotations

import os
from collections.abc import Collection
from types import ModuleType
from typing import Any

from ..exchange import Refusal, Request
from ..graph_def import GraphDef, NodeDef
from ..graph_nodes import check_names, cut_to, guess_inputs, guess_outputs, node_of
from ..loaded import Loaded, refusing_damage
from ..reaching_out import RESTORING, check_graph


def load_frozen(tensorflow: ModuleType, request: Request) -> Loaded:
    """Read a frozen graph and keep what its outputs need.

    Raises:
        Refusal: The file is not a frozen graph, or its inputs or outputs cannot be guessed.
    """
    graph: GraphDef = _parsed(tensorflow.compat.v1.GraphDef(), request["source"])
    variables = [node.name for node in graph.node if node.op in ("VariableV2", "Variable", "VarHandleOp")]
    if variables:
        raise Refusal(
            f"the graph is not frozen: '{variables[0]}' is a variable, whose values are elsewhere\n"
            "convert the checkpoint's .meta file, or freeze the graph first"
        )
    if not graph.node:
        raise Refusal("the file holds a graph without nodes")
    inputs, outputs = _ends(graph.node, request)
    return _loaded(tensorflow, graph, inputs, outputs, request)


def load_checkpoint(tensorflow: ModuleType, request: Request) -> Loaded:
    """Build the graph of a `.meta` file, restore its checkpoint and freeze what its outputs need.

    Raises:
        Refusal: The checkpoint's other files are missing, or inputs or outputs cannot be guessed.
    """
    v1 = tensorflow.compat.v1
    base = os.path.splitext(request["source"])[0]
    if not os.path.exists(f"{base}.index"):
        raise Refusal(f"the checkpoint of the graph is missing: there is no '{os.path.basename(base)}.index' beside it")
    meta = _parsed(v1.MetaGraphDef(), request["source"])
    inputs, outputs = _ends(meta.graph_def.node, request)
    if meta.saver_def.restore_op_name:
        # Freezing fetches the value of a resource by this node beside it, which no other node need read.
        reads = [f"{node.name}/Read/ReadVariableOp" for node in meta.graph_def.node if node.op == "VarHandleOp"]
        cut_to(meta.graph_def, [meta.saver_def.restore_op_name, meta.saver_def.filename_tensor_name, *reads, *outputs])
        meta.collection_def.clear()  # its entries name nodes that are gone
    if not request["trust"]:
        check_graph(meta.graph_def, RESTORING)
    with tensorflow.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        saver = v1.train.import_meta_graph(meta, clear_devices=True)
        if saver is not None:
            with refusing_damage(tensorflow, "the checkpoint's weights are"):
                saver.restore(session, base)
        frozen = v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [node_of(name) for name in outputs]
        )
    return _loaded(tensorflow, frozen, inputs, outputs, request)


def _parsed(message: Any, path: str) -> Any:
    from google.protobuf.message import DecodeError

    try:
        with open(path, "rb") as file:
            message.ParseFromString(file.read())
    except DecodeError as error:
        raise Refusal(f"the file is damaged or cut short: TensorFlow cannot parse it ({error})") from error
    return message


def _ends(nodes: Collection[NodeDef], request: Request) -> tuple[list[str], list[str]]:
    inputs = check_names(nodes, request["inputs"], "input") if request["inputs"] else guess_inputs(nodes)
    outputs = check_names(nodes, request["outputs"], "output") if request["outputs"] else guess_outputs(nodes)
    if not inputs:
        raise Refusal(
            "the graph has no placeholder that could be its input: name it: onnxviz convert --inputs NAME", "usage"
        )
    if not outputs:
        raise Refusal("no node of the graph looks like an output: name it: onnxviz convert --outputs NAME", "usage")
    return inputs, outputs


def _loaded(tensorflow: ModuleType, graph: GraphDef, inputs: list[str], outputs: list[str], request: Request) -> Loaded:
    sub_graph = _cut_at(tensorflow, graph, inputs, request)
    sub_graph = tensorflow.compat.v1.graph_util.extract_sub_graph(sub_graph, [node_of(name) for name in outputs])
    present = {node.name for node in sub_graph.node}
    unread = [name for name in inputs if node_of(name) not in present]
    if request["inputs"] and unread:
        raise Refusal(f"the outputs do not need the input '{unread[0]}': take it out of --inputs", "usage")
    inputs = [name for name in inputs if node_of(name) in present]
    if not inputs:
        raise Refusal(f"the output '{outputs[0]}' needs no input: name others: onnxviz convert --outputs NAME", "usage")
    guessed = {"inputs": not request["inputs"], "outputs": not request["outputs"]}
    return Loaded(sub_graph, inputs, outputs, facts={"guessed": guessed})


def _cut_at(tensorflow: ModuleType, graph: GraphDef, inputs: list[str], request: Request) -> GraphDef:
    """Turn inputs that are inner tensors into placeholders."""
    names = {node_of(name) for name in inputs}
    inner = [node for node in graph.node if node.name in names and not node.op.startswith("Placeholder")]
    if not inner:
        return graph
    above = tensorflow.compat.v1.graph_util.extract_sub_graph(graph, [node.name for node in inner])
    if not request["trust"]:
        check_graph(above)
    with tensorflow.Graph().as_default() as built:
        tensorflow.import_graph_def(above, name="")
    for node in inner:
        name, tensor = node.name, built.get_tensor_by_name(f"{node.name}:0")
        node.Clear()
        node.name, node.op = name, "Placeholder"
        node.attr["dtype"].type = tensor.dtype.as_datatype_enum
        node.attr["shape"].shape.CopyFrom(tensor.shape.as_proto())
    return graph
