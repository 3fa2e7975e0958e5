"""A graph of TensorFlow 1: frozen in a `.pb`, or a `.meta` with its checkpoint beside it."""

from __future__ import annotations

import os
from typing import Any

from .damage import damage_told
from .graph_nodes import check_names, guess_inputs, guess_outputs, node_of
from .loaded import Loaded
from .needed import cut_to
from .reaching_out import RESTORING, check_graph
from .report import Refusal


def load_frozen(tensorflow: Any, request: dict[str, Any]) -> Loaded:
    """Read a frozen graph and keep what its outputs need.

    Raises:
        Refusal: The file is no frozen graph, or has no inputs or outputs that can be guessed.
    """
    graph = _parsed(tensorflow.compat.v1.GraphDef(), request["source"])
    variables = [node.name for node in graph.node if node.op in ("VariableV2", "Variable", "VarHandleOp")]
    if variables:
        raise Refusal(
            f"the graph is not frozen: '{variables[0]}' is a variable, whose values are elsewhere\n"
            "convert the checkpoint's .meta file, or freeze the graph first"
        )
    return _ended(tensorflow, graph, request)


def load_checkpoint(tensorflow: Any, request: dict[str, Any]) -> Loaded:
    """Build the graph of a `.meta` file, restore its checkpoint and freeze what its outputs need.

    Raises:
        Refusal: The checkpoint's other files are missing, or no inputs or outputs can be guessed.
    """
    v1 = tensorflow.compat.v1
    base = os.path.splitext(request["source"])[0]
    if not os.path.exists(f"{base}.index"):
        raise Refusal(f"the checkpoint of the graph is missing: there is no '{os.path.basename(base)}.index' beside it")
    meta = _parsed(v1.MetaGraphDef(), request["source"])
    inputs, outputs = _ends(meta.graph_def.node, request)
    if meta.saver_def.restore_op_name:
        cut_to(meta.graph_def, [meta.saver_def.restore_op_name, meta.saver_def.filename_tensor_name, *outputs])
        meta.collection_def.clear()  # its entries name nodes that are gone
    if not request["trust"]:
        check_graph(meta.graph_def, RESTORING)
    with tensorflow.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        saver = v1.train.import_meta_graph(meta, clear_devices=True)
        if saver is not None:
            with damage_told(tensorflow, "the checkpoint's weights are"):
                saver.restore(session, base)
        frozen = v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [node_of(name) for name in outputs]
        )
    return _loaded(tensorflow, frozen, inputs, outputs, request)


def _parsed(message: Any, path: str) -> Any:
    from google.protobuf.message import DecodeError

    with open(path, "rb") as file:
        data = file.read()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise Refusal(f"the file is damaged or cut short: TensorFlow cannot parse it ({error})") from error
    return message


def _ended(tensorflow: Any, graph: Any, request: dict[str, Any]) -> Loaded:
    if not graph.node:
        raise Refusal("the file holds a graph without nodes")
    inputs, outputs = _ends(graph.node, request)
    return _loaded(tensorflow, graph, inputs, outputs, request)


def _ends(nodes: Any, request: dict[str, Any]) -> tuple[list[str], list[str]]:
    inputs = check_names(nodes, request["inputs"], "input") if request["inputs"] else guess_inputs(nodes)
    outputs = check_names(nodes, request["outputs"], "output") if request["outputs"] else guess_outputs(nodes)
    if not inputs:
        raise Refusal(
            "the graph has no placeholder that could be its input: name it: onnxviz convert --inputs NAME", "usage"
        )
    if not outputs:
        raise Refusal("no node of the graph looks like an output: name it: onnxviz convert --outputs NAME", "usage")
    return inputs, outputs


def _loaded(tensorflow: Any, graph: Any, inputs: list[str], outputs: list[str], request: dict[str, Any]) -> Loaded:
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


def _cut_at(tensorflow: Any, graph: Any, inputs: list[str], request: dict[str, Any]) -> Any:
    """Make placeholders of inputs that are inner tensors."""
    names = {node_of(name) for name in inputs}
    inner = [node for node in graph.node if node.name in names and not node.op.startswith("Placeholder")]
    if not inner:
        return graph
    above = tensorflow.compat.v1.graph_util.extract_sub_graph(graph, [node.name for node in inner])
    if not request["trust"]:
        check_graph(above)
    kinds = _output_types(tensorflow, above, [node.name for node in inner])
    for node in inner:
        name = node.name
        node.Clear()
        node.name, node.op = name, "Placeholder"
        node.attr["dtype"].type = kinds[name][0]
        node.attr["shape"].shape.CopyFrom(kinds[name][1])
    return graph


def _output_types(tensorflow: Any, graph: Any, names: list[str]) -> dict[str, Any]:
    with tensorflow.Graph().as_default() as built:
        tensorflow.import_graph_def(graph, name="")
    tensors = {name: built.get_tensor_by_name(f"{name}:0") for name in names}
    return {name: (tensor.dtype.as_datatype_enum, tensor.shape.as_proto()) for name, tensor in tensors.items()}
