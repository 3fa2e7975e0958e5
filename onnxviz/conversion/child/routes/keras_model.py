"""A Keras file, of Keras 3 or before: loaded without its training parts and traced with its layers' names recorded.

tf2onnx's own way for Keras fails on Sequential models; a function of our own around any model does not.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from types import ModuleType
from typing import Any

from ..configuration import Configuration, read_configuration
from ..exchange import Refusal, Request
from ..graph_nodes import node_of
from ..loaded import Loaded, Row
from .layer_calls import recorded
from .saved_model import freeze


def load(tensorflow: ModuleType, request: Request) -> Loaded:
    """Load the model, whose configuration was checked, and trace it once.

    Raises:
        Refusal: It needs another Keras, is damaged, or does not say what it takes.
    """
    configuration = read_configuration(request["source"])
    keras = _keras(tensorflow, configuration.legacy)
    model = _model(tensorflow, keras, configuration, request)
    if not getattr(model, "inputs", None):
        raise Refusal(
            "the file does not say what the model takes\nexport it: model.export('folder'), then convert that"
        )
    function, rows, names = _traced(tensorflow, keras, model)
    loaded = freeze(tensorflow, function)
    loaded.outputs.sort(key=lambda tensor: names.index(loaded.renames[tensor]))
    given = [tensor.name.partition(":")[0] for _, tensor in _parts(getattr(model, "_inputs_struct", model.inputs))]
    if {loaded.renames[tensor] for tensor in loaded.inputs} == set(given):
        loaded.inputs.sort(key=lambda tensor: given.index(loaded.renames[tensor]))
    known = set() if loaded.graph is None else {node.name for node in loaded.graph.node}
    loaded.rows = [row for row in rows if node_of(row.tensor) in known]
    loaded.facts.update({"lost": [row.layer for row in rows if node_of(row.tensor) not in known], "model": model.name})
    return loaded


def _model(tensorflow: ModuleType, keras: ModuleType, configuration: Configuration, request: Request) -> Any:
    path = _under_its_ending(request["source"], os.path.dirname(request["output"]))
    own = getattr(keras, "__version__", "") or _version(tensorflow)
    more = {"safe_mode": False} if request["trust"] and _numbers(own) >= [2, 13] else {}
    if not configuration.legacy and own.startswith("2."):
        raise _too_new(tensorflow, configuration.version or "3", own)
    try:
        return keras.models.load_model(path, compile=False, **more)
    except Exception as error:  # a newer file fails in as many ways as Keras changed
        if _numbers(configuration.version) > _numbers(own):
            raise _too_new(tensorflow, configuration.version, own) from error
        if isinstance(error, OSError):
            raise Refusal(f"the Keras file is damaged or cut short: {' '.join(str(error).split())[:200]}") from error
        raise


def _under_its_ending(path: str, folder: str) -> str:
    """Return a name with the ending by which Keras chooses its loader, whatever the file is called."""
    ending = ".keras" if zipfile.is_zipfile(path) else ".h5"
    if path.endswith(ending):
        return path
    named = os.path.join(folder, f"source{ending}")
    try:
        os.symlink(path, named)
    except OSError:  # Windows asks for a privilege
        shutil.copyfile(path, named)
    return named


def _keras(tensorflow: ModuleType, legacy: bool) -> Any:
    if not legacy or _version(tensorflow).startswith("2."):
        return tensorflow.keras
    try:
        import tf_keras
    except ImportError as error:
        raise Refusal("no tf_keras", "missing") from error
    return tf_keras


def _too_new(tensorflow: ModuleType, version: str, own: str) -> Refusal:
    return Refusal(
        f"the file is of Keras {version}, and this Python has TensorFlow {tensorflow.__version__} with Keras {own}\n"
        "use a Python with a newer TensorFlow, or model.export('folder') where it was made, and convert that",
        "missing",
    )


def _numbers(version: str) -> list[int]:
    """Return the first two numbers of a version.

    >>> _numbers("2.21.0"), _numbers("")
    ([2, 21], [])
    """
    return [int(number) for number in re.findall(r"\d+", version)[:2]]


def _version(tensorflow: ModuleType) -> str:
    """Return the version of TensorFlow's own Keras; up to 2.15 the module itself does not have it."""
    try:
        return str(getattr(tensorflow.keras, "__version__", "") or metadata.version("keras"))
    except metadata.PackageNotFoundError:
        return ""


def _traced(tensorflow: ModuleType, keras: ModuleType, model: Any) -> tuple[Any, list[Row], list[str]]:
    """Return the model as a function, its layers, and the names of its outputs in the order of its author."""
    ends: list[str] = []
    names = [tensor.name.partition(":")[0].partition("/")[0] for tensor in model.inputs]
    specs = [tensorflow.TensorSpec(tensor.shape, tensor.dtype, name=name) for tensor, name in zip(model.inputs, names)]
    structure = getattr(model, "_inputs_struct", None)

    def call(*tensors: Any) -> dict[str, Any]:
        if structure is not None:
            given = tensorflow.nest.pack_sequence_as(structure, list(tensors))
        else:
            given = tensors[0] if len(tensors) == 1 else list(tensors)
        results = _named_outputs(model, model(given, training=False))
        ends[:] = results
        return results

    with recorded(tensorflow, keras) as rows:
        function = tensorflow.function(call, input_signature=specs).get_concrete_function()
    root = f"{model.name}/"
    inner = [replace(row, layer=row.layer[len(root) :]) if row.layer.startswith(root) else row for row in rows]
    return function, inner, ends


def _named_outputs(model: Any, result: object) -> dict[str, Any]:
    """Return the outputs by name; tf2onnx would call the output of a function that returns a tensor `Identity`."""
    found = dict(_parts(result))
    names = list(getattr(model, "output_names", None) or [])
    if isinstance(result, dict) or len(set(names)) != len(found):
        return found
    return dict(zip(names, found.values()))


def _parts(structure: object, name: str = "output") -> Iterator[tuple[str, Any]]:
    """Give the tensors of what a model returns, in its order, each with a name: a dict's key, `output_1` in a list.

    >>> dict(_parts({"b": 1, "a": [2, 3]})), dict(_parts([1, 2])), dict(_parts(1))
    ({'b': 1, 'a_0': 2, 'a_1': 3}, {'output_0': 1, 'output_1': 2}, {'output': 1})
    """
    if isinstance(structure, dict):
        for key, part in structure.items():
            yield from _parts(part, str(key) if name == "output" else f"{name}_{key}")
    elif isinstance(structure, (list, tuple)):
        for place, part in enumerate(structure):
            yield from _parts(part, f"{name}_{place}" if len(structure) > 1 else name)
    else:
        yield name, structure
