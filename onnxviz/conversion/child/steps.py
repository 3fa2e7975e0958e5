"""The steps of a conversion: load, choose what to keep, let TensorFlow compute, translate, write."""

from __future__ import annotations

from types import ModuleType

from onnx import ModelProto

from . import reaching_out, reference, translate
from .batch_norms import join_batch_norms
from .exchange import FactsFile, Kept, Refusal, Request
from .fold_constants import fold_constants, fold_shapes
from .graph_layers import layer_rows
from .graph_nodes import node_of
from .loaded import Loaded, chosen
from .metadata import add_layer_map, add_preprocessing
from .onnx_nodes import drop_unread
from .routes import frozen_graph, keras_model, saved_model, tflite_model
from .runners import GraphRunner, LiteRunner
from .strip import name_free_sizes, strip
from .widen import holds, widened

ROUTES = {
    "saved_model": saved_model.load,
    "keras": keras_model.load,
    "frozen": frozen_graph.load_frozen,
    "checkpoint": frozen_graph.load_checkpoint,
    "tflite": tflite_model.load,
}


def convert(tensorflow: ModuleType, request: Request, report: FactsFile) -> None:
    """Convert a source, and report each step.

    Raises:
        Refusal: The source cannot or may not be converted.
    """
    report.stage("loading")
    loaded, kept = _load(tensorflow, request)
    names = loaded.renames
    report.facts.update(loaded.facts)
    report.facts["renames"] = names
    report.facts["inputs"] = [names.get(name, name) for name in loaded.inputs]
    report.facts["outputs"] = [names.get(name, name) for name in loaded.outputs]
    rounded = loaded.lite.rounded if loaded.lite else {}
    if request["reference"]:
        report.stage("running TensorFlow")
        runner: GraphRunner | LiteRunner = (
            LiteRunner(tensorflow, loaded.lite) if loaded.lite else GraphRunner(tensorflow, loaded)
        )
        report.facts.update(
            reference.compute(runner, loaded, [*kept, *rounded], request["reference"], request["picture"])
        )
        del runner
    report.stage("converting")
    proto = _translate(tensorflow, loaded, kept, request)
    where = strip(proto, kept)
    gone = set(kept) - where.keys()
    report.facts["lost"] = loaded.facts.get("lost", []) + [row.layer for row in loaded.rows if row.tensor in gone]
    sources = {
        name: where.get(source) or Kept(value=names.get(source, source), order=None) for name, source in rounded.items()
    }
    report.facts["where"] = {**where, **sources}
    name_free_sizes(proto)
    _join_batch_norms(proto, loaded, where)
    report.facts["layers"] = add_layer_map(proto, loaded, where)
    if add_preprocessing(proto, loaded, request["preprocessing"]):
        report.facts["preprocessing"] = loaded.facts["model"]
    report.stage("writing")
    _write(proto, request["output"])
    report.finish({"done": True})


def _load(tensorflow: ModuleType, request: Request) -> tuple[Loaded, list[str]]:
    loaded = ROUTES[request["kind"]](tensorflow, request)
    if loaded.graph is not None:
        # Cut to what the outputs need, with its constants computed and its layers found where none are known yet.
        nodes = [node_of(name) for name in loaded.outputs]
        cut = tensorflow.compat.v1.graph_util.extract_sub_graph(loaded.graph, nodes)
        if not request["trust"]:
            reaching_out.check_graph(cut)
        present = {node.name for node in cut.node}
        unread = [name for name in loaded.inputs if node_of(name) not in present]
        loaded.inputs = [name for name in loaded.inputs if name not in unread]
        loaded.facts["unread"] = [loaded.renames.get(name, name) for name in unread]
        if holds(cut, tensorflow.bfloat16):
            # ONNX Runtime computes next to nothing with bfloat16, and tf2onnx makes float16 of it, which ends at 65504.
            cut = widened(tensorflow, cut, tensorflow.bfloat16)
            loaded.facts["widened"] = "bfloat16"
        fold_shapes(tensorflow, cut)
        translate.substitute(tensorflow, cut)
        loaded.graph = fold_constants(tensorflow, cut, loaded.outputs)
        nodes_left = {node.name for node in loaded.graph.node}
        gone = [row for row in loaded.rows if node_of(row.tensor) not in nodes_left]
        loaded.facts["lost"] = loaded.facts.get("lost", []) + [row.layer for row in gone]
        loaded.rows = [row for row in loaded.rows if row not in gone] or layer_rows(loaded.graph)
    return loaded, chosen(loaded, request["keep"], request["fold"])


def _translate(tensorflow: ModuleType, loaded: Loaded, kept: list[str], request: Request) -> ModelProto:
    """Let tf2onnx translate the graph as it is, and if it cannot, as TensorFlow's own rewriter leaves it.

    The rewriter takes far more memory, and few graphs need it: it unrolls what tf2onnx knows only unrolled.
    """
    if loaded.lite:
        return translate.translate(tensorflow, loaded, kept, request["opset"])
    first: Exception | None = None
    if not (request["fold"] and request["kind"] in ("keras", "saved_model")):
        try:
            return translate.translate(tensorflow, loaded, kept, request["opset"])
        except MemoryError:
            raise
        except Exception as error:
            first = error
        loaded.graph = _load(tensorflow, request)[0].graph
    try:
        translate.rewrite(tensorflow, loaded, kept)
        return translate.translate(tensorflow, loaded, kept, request["opset"])
    except Refusal:
        raise
    except Exception as error:
        raise (first or error) from None


def _join_batch_norms(proto: ModelProto, loaded: Loaded, where: dict[str, Kept]) -> None:
    norms = {
        where[row.tensor]["value"] for row in loaded.rows if row.tensor in where and row.kind == "BatchNormalization"
    }
    norms |= {place["value"] for tensor, place in where.items() if tensor.endswith("/batchnorm/add_1:0")}
    join_batch_norms(proto, norms)
    # Onnxruntime warns of each weight that nothing reads any more.
    drop_unread(proto.graph, {info.name for info in proto.graph.output} | {place["value"] for place in where.values()})


def _write(proto: ModelProto, path: str) -> None:
    try:
        data = proto.SerializeToString()
    except Exception as error:  # above 2 GB; which one depends on the implementation of protobuf
        raise Refusal(f"the converted model cannot be written in one file: {error}", "unsupported") from error
    with open(path, "wb") as file:
        file.write(data)
