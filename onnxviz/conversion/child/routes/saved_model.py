"""A SavedModel of any age: one of its signatures, frozen with its functions inlined."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ..exchange import Refusal, Request
from ..graph_def import GraphDef, MetaGraphDef
from ..graph_nodes import drop_writers
from ..loaded import Loaded, refusing_damage
from ..reaching_out import check_saved_model


def load(tensorflow: ModuleType, request: Request) -> Loaded:
    """Load the SavedModel and freeze the signature that the request names, else `serving_default` or the only one.

    Raises:
        Refusal: There is no such signature.
    """
    parts = _parts(request["source"])
    if not request["trust"]:
        check_saved_model(parts)
    with refusing_damage(tensorflow, "the SavedModel's variables are"):
        model = tensorflow.saved_model.load(request["source"], tags=_tags(parts))
    name, function = _signature(model, request["signature"])
    loaded = freeze(tensorflow, function)
    loaded.facts["signature"] = name
    return loaded


def freeze(tensorflow: ModuleType, function: Any) -> Loaded:
    """Return a concrete function as one graph with its variables as constants, under its structured names."""
    graph = _with_constants(tensorflow, function)
    inputs = [tensor.name for tensor in function.inputs if tensor.dtype != tensorflow.resource]
    outputs = [tensor.name for tensor in function.outputs]
    arguments = tensorflow.nest.flatten(function.structured_input_signature)
    names = [spec.name for spec in arguments if isinstance(spec, tensorflow.TensorSpec)]
    if len(names) != len(inputs) or not all(names):
        names = [name.partition(":")[0] for name in inputs]
    renames = dict(zip(inputs, names))
    if isinstance(function.structured_outputs, dict):
        # TensorFlow flattens a dict in the order of its keys, and has `output_10` before `output_2`.
        ends = dict(zip(sorted(function.structured_outputs), outputs))
        renames.update({tensor: name for name, tensor in ends.items()})
        outputs = [ends[name] for name in sorted(ends, key=_by_number)]
    return Loaded(graph, inputs, outputs, renames)


def _with_constants(tensorflow: ModuleType, function: Any) -> GraphDef:
    """Return a function's graph with its variables as constants, and without what writes to them.

    TensorFlow itself cannot freeze a function that writes, as the state of random numbers and of a stateful LSTM: the
    writer's variable is a constant then, which its operator refuses.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    except ValueError as error:
        if "incompatible with expected resource" not in str(error):
            raise
    else:
        graph: GraphDef = frozen.graph.as_graph_def(add_shapes=True)
        return graph
    from tf2onnx.tf_loader import convert_variables_to_constants_large_model

    written: GraphDef = convert_variables_to_constants_large_model(function)
    drop_writers(written)
    with tensorflow.Graph().as_default() as built:
        tensorflow.import_graph_def(written, name="")
    with_shapes: GraphDef = built.as_graph_def(add_shapes=True)
    return with_shapes


def _by_number(name: str) -> tuple[str, int]:
    """Return what sorts names that end in a number by that number.

    >>> sorted(["output_10", "output_2", "scores"], key=_by_number)
    ['output_2', 'output_10', 'scores']
    """
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or -1)


def _parts(folder: str) -> list[MetaGraphDef]:
    from tensorflow.python.saved_model import loader_impl

    try:
        parts: list[MetaGraphDef] = list(loader_impl.parse_saved_model(folder).meta_graphs)
    except OSError as error:
        raise Refusal(f"the SavedModel is damaged or cut short: {' '.join(str(error).split())[:200]}") from error
    if not parts:
        raise Refusal("the SavedModel does not hold a graph")
    return parts


def _tags(parts: list[MetaGraphDef]) -> list[str] | None:
    """Return the tags of the part to load: `serve` alone if a part has it, None where there is only one part."""
    tags = [list(part.meta_info_def.tags) for part in parts]
    return None if len(tags) == 1 else next((found for found in tags if found == ["serve"]), tags[0])


def _signature(model: Any, wanted: str | None) -> tuple[str, Any]:
    known = {name: model.signatures[name] for name in model.signatures if not name.startswith("_")}
    listed = ", ".join(sorted(known)) or "none"
    if wanted is not None and wanted not in known:
        raise Refusal(f"the SavedModel has no signature '{wanted}'; it has: {listed}", "usage")
    if not known:
        raise Refusal(
            "the SavedModel has no signature to call\n"
            "save it with one: model.export(folder) in Keras, tf.saved_model.save(..., signatures=...) in TensorFlow"
        )
    if wanted is None and "serving_default" not in known and len(known) > 1:
        raise Refusal(
            f"the SavedModel has several signatures; name one: onnxviz convert --signature NAME, of {listed}", "usage"
        )
    name = wanted or ("serving_default" if "serving_default" in known else next(iter(known)))
    return name, known[name]
