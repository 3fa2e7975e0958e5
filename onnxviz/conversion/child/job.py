"""One conversion from request to report: load, choose what to keep, let TensorFlow compute, translate, write."""

from __future__ import annotations

import json
import re
from typing import Any

from . import batch_norms, reaching_out, reference, static_shapes, translate
from .configuration import check_configuration, read_configuration
from .fold_constants import fold_constants
from .graph_nodes import layer_rows, node_of
from .keep import chosen
from .layer_map import layer_map
from .loaded import Loaded
from .quiet import check_installed, end_with_parent, prepare
from .report import Refusal, Report
from .runners import GraphRunner, LiteRunner
from .strip import Kept, drop_unread, strip
from .substitutes import substitute
from .tidy import name_free_sizes

REFUSED, FAILED = 3, 4


def run(path: str) -> int:
    """Carry out the request in a file; what comes of it is in the report that the request names."""
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    report = Report(request["report"])
    end_with_parent(request["parent"])
    try:
        _convert(request, report)
    except Refusal as refusal:
        report.finish(error={"kind": refusal.kind, "text": str(refusal)})
        return REFUSED
    except MemoryError:
        report.finish(error={"kind": "memory", "text": "memory ran out"})
        return FAILED
    except Exception as error:  # whatever TensorFlow, Keras or tf2onnx raise is for the parent to word
        report.finish(error={"kind": "failed", "text": str(error), "type": type(error).__name__})
        return FAILED
    return 0


def _convert(request: dict[str, Any], report: Report) -> None:
    check_installed()
    if request["kind"] == "keras" and not request["trust"]:
        check_configuration(read_configuration(request["source"]))  # in a moment, and before anything could load it
    report.stage("starting TensorFlow")
    tensorflow, tf2onnx = prepare()
    report.facts["versions"] = {"tensorflow": tensorflow.__version__, "tf2onnx": tf2onnx.__version__}
    report.stage("loading")
    loaded, kept = _loaded(tensorflow, request)
    names = loaded.renames
    report.facts.update(loaded.facts, renames=names)
    report.facts["inputs"] = [names.get(name, name) for name in loaded.inputs]
    report.facts["outputs"] = [names.get(name, name) for name in loaded.outputs]
    if request["reference"]:
        report.stage("running TensorFlow")
        runner = _runner(tensorflow, loaded, request)
        report.facts["reference"] = reference.compute(runner, loaded, kept, request["reference"])
        del runner
    report.stage("converting")
    proto = _translated(tensorflow, loaded, kept, request)
    where = strip(proto, kept)
    gone = set(kept) - where.keys()
    report.facts["lost"] = loaded.facts.get("lost", []) + [row.layer for row in loaded.rows if row.tensor in gone]
    name_free_sizes(proto)
    _finish(proto, loaded, where, request, report)
    report.stage("writing")
    translate.write(proto, request["output"])
    report.finish(done=True)


def _loaded(tensorflow: Any, request: dict[str, Any]) -> tuple[Loaded, list[str]]:
    loaded = _route(request["kind"])(tensorflow, request)
    if loaded.graph is not None:
        _prepare_graph(tensorflow, loaded, request["trust"])
    return loaded, chosen(loaded, request["keep"], request["fold"])


def _translated(tensorflow: Any, loaded: Loaded, kept: list[str], request: dict[str, Any]) -> Any:
    """Let tf2onnx translate the graph as it is, and if it cannot, as TensorFlow's own rewriter leaves it.

    The rewriter takes far more memory, and is needed by few: it unrolls what tf2onnx knows only unrolled.
    """
    if request["kind"] == "tflite":
        proto = translate.translate(
            tensorflow, loaded, kept, request["opset"], tflite_path=request["source"], dequantize=True
        )
        translate.check_operators(proto)
        return proto
    rewritten = request["fold"] and request["kind"] in ("keras", "saved_model")
    if not rewritten:
        try:
            proto = translate.translate(tensorflow, loaded, kept, request["opset"])
            translate.check_operators(proto)
            return proto
        except MemoryError:
            raise
        except Exception as error:
            first = error
        loaded.graph = _loaded(tensorflow, request)[0].graph
    try:
        translate.rewrite(tensorflow, loaded, kept)
        proto = translate.translate(tensorflow, loaded, kept, request["opset"])
        translate.check_operators(proto)
    except Refusal:
        raise
    except Exception as error:
        raise (error if rewritten else first) from None
    return proto


def _route(kind: str) -> Any:
    if kind == "saved_model":
        from .route_saved_model import load
    elif kind == "keras":
        from .route_keras import load
    elif kind == "frozen":
        from .route_graph import load_frozen as load
    elif kind == "checkpoint":
        from .route_graph import load_checkpoint as load
    elif kind == "tflite":
        from .route_lite import load
    else:
        raise Refusal(f"unknown kind of source {kind!r}", "failed")
    return load


def _runner(tensorflow: Any, loaded: Loaded, request: dict[str, Any]) -> Any:
    if request["kind"] == "tflite":
        return LiteRunner(tensorflow, request["source"])
    return GraphRunner(tensorflow, loaded.graph, loaded.inputs)


def _prepare_graph(tensorflow: Any, loaded: Loaded, trust: bool) -> None:
    """Cut the graph to what its outputs need, compute its constants, and find its layers where none are known yet."""
    cut = tensorflow.compat.v1.graph_util.extract_sub_graph(loaded.graph, [node_of(name) for name in loaded.outputs])
    if not trust:
        reaching_out.check_graph(cut)
    static_shapes.make_static(tensorflow, cut)
    substitute(tensorflow, cut)
    loaded.graph = fold_constants(tensorflow, cut, loaded.outputs)
    loaded.rows = loaded.rows or layer_rows(loaded.graph)


def add_preprocessing(proto: Any, loaded: Loaded, known: list[dict[str, Any]], report: Report) -> None:
    """Write how pixels are to be scaled into the metadata of a network that Keras itself named."""
    name = loaded.facts.get("model", "")
    kinds = {row.kind for row in loaded.rows}
    for entry in known:
        if re.fullmatch(entry["pattern"], name) and (not entry["layers"] or kinds & set(entry["layers"])):
            proto.metadata_props.add(key=entry["key"], value=entry["text"])
            report.facts["preprocessing"] = name


def _finish(proto: Any, loaded: Loaded, where: dict[str, Kept], request: dict[str, Any], report: Report) -> None:
    """Join batch norms, write the layer map into the model's metadata, and tell the parent where all is."""
    norms = {where[row.tensor].value for row in loaded.rows if row.tensor in where and row.kind == "BatchNormalization"}
    norms |= {place.value for tensor, place in where.items() if tensor.endswith("/batchnorm/add_1:0")}
    batch_norms.join_batch_norms(proto, norms)
    # Onnxruntime warns of each weight that nothing reads any more.
    drop_unread(proto.graph, {info.name for info in proto.graph.output} | {place.value for place in where.values()})
    entries = layer_map(proto, loaded, where)
    text = json.dumps({"version": 1, "layers": entries}, ensure_ascii=False)
    proto.metadata_props.add(key="onnxviz.layers", value=text)
    add_preprocessing(proto, loaded, request["preprocessing"], report)
    report.facts["layers"] = len(entries)
    report.facts["where"] = {tensor: {"value": kept.value, "order": kept.order} for tensor, kept in where.items()}
