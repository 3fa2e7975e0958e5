"""The configuration of a Keras file, read by ourselves: which Keras wrote it, and whether code lies in it.

A `.keras` needs the standard library alone, an `.h5` h5py. The check comes before loading: Keras' old loader and
tf_keras run the code of a Lambda layer in an `.h5` without a word.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .exchange import Refusal

# Layers of Keras that load something else than Keras: a pickle of PyTorch, any SavedModel, functions of JAX.
_LOADERS = ("TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
# Parts of Keras whose functions reach files and the network: models are not built of them.
_TOOLS = ("utils", "saving", "export", "config", "datasets", "callbacks")
_KNOWN_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")
_LARGEST = 256 << 20

# A layer of Keras 2 may call functions of TensorFlow by name; these reach files, other programs or Python.
_REACHES_OUT = (
    "io raw_ops py_function numpy_function py_func keras.utils keras.models keras.saving saved_model data train "
    "summary debugging profiler load_library load_op_library autograph compat function random.Generator distribute "
    "config experimental __internal__ feature_column estimator lite tpu mlir nest types version sysconfig"
).split()


@dataclass(frozen=True)
class Configuration:
    """The parsed JSON, the version of Keras that wrote the file, and whether that is Keras 2 or before."""

    tree: Any
    version: str
    legacy: bool


def read_configuration(path: str) -> Configuration:
    """Read the configuration of a `.keras` or `.h5` file.

    Raises:
        Refusal: The file holds no configuration, or it cannot be read.
    """
    return _from_zip(path) if zipfile.is_zipfile(path) else _from_hdf5(path)


def check_configuration(configuration: Configuration) -> None:
    """Refuse a configuration that holds code or names code outside Keras.

    Raises:
        Refusal: It does; the text names the layer.
    """
    for entry in _entries(configuration.tree):
        if why := _danger(entry):
            raise Refusal(f"{why}\nif you trust whoever made the file: onnxviz convert --trust")


def check_supported(configuration: Configuration) -> None:
    """Refuse a subclassed model: only its author's program can build it again.

    Raises:
        Refusal: The model is subclassed.
    """
    tree = configuration.tree if isinstance(configuration.tree, dict) else {}
    kind = tree.get("class_name")
    if kind not in ("Functional", "Sequential", "Model") or not _is_known(str(tree.get("module") or "keras")):
        raise Refusal(
            f"the file holds a subclassed model ({kind}), which only the program that defines it can build\n"
            "in that program: model.export('folder'), then: onnxviz convert folder"
        )


def names_own(configuration: Configuration) -> bool:
    """Return whether it names a class or function of the author's: Keras finds these by a registered name."""
    return any(
        entry.get("registered_name") and not _is_known(str(entry.get("module") or ""))
        for entry in _entries(configuration.tree)
    )


def _from_zip(path: str) -> Configuration:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "config.json" not in names:
                raise Refusal("the zip archive holds no config.json: it is not a Keras file")
            tree = json.loads(_bounded(archive, "config.json"))
            metadata = json.loads(_bounded(archive, "metadata.json")) if "metadata.json" in names else {}
    except (zipfile.BadZipFile, OSError, ValueError, RecursionError, EOFError) as error:
        raise Refusal(f"the Keras file is damaged: {error}") from error
    module = ""
    if isinstance(tree, dict):
        tree.pop("compile_config", None)  # loading leaves losses and optimizers out
        module = str(tree.get("module") or "")
    version = str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""
    is_of_keras_2 = module.startswith(("tf_keras", "keras.src.engine", "keras.engine"))
    return Configuration(tree, version, version.startswith("2.") or is_of_keras_2)


def _bounded(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST:
        raise Refusal(f"the Keras file's {name} unpacks to more than {_LARGEST >> 20} MB")
    return archive.read(name)


def _from_hdf5(path: str) -> Configuration:
    try:
        import h5py
    except ImportError as error:
        raise Refusal("no h5py", "missing") from error
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            version = file.attrs.get("keras_version", "")
            names = list(file)[:4]
        tree = None if text is None else json.loads(text)
    except (OSError, ValueError, RuntimeError, KeyError, RecursionError) as error:
        raise Refusal(f"the HDF5 file is damaged: {error}") from error
    if tree is None:
        what = f" (it holds {', '.join(names)})" if names else ""
        raise Refusal(
            f"the HDF5 file holds no model, at most weights{what}\nsave the whole model: model.save('model.keras')"
        )
    version = version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version)
    return Configuration(tree, version, not version.startswith("3"))


def _entries(tree: Any) -> Iterator[dict[str, Any]]:
    """Give every object of the configuration, however deep."""
    waiting = [tree]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            yield entry
            waiting.extend(entry.values())
        elif isinstance(entry, list):
            waiting.extend(entry)


def _danger(entry: dict[str, Any]) -> str:
    kinds = {str(entry.get(key) or "").rpartition(">")[2] for key in ("class_name", "registered_name")}
    kind = str(entry.get("class_name", ""))
    inner = entry.get("config")
    config = inner if isinstance(inner, dict) else {}
    name = config.get("name") or entry.get("name") or ""
    if kinds & {"Lambda", "__lambda__"}:
        what = f"the layer '{name}' is a Lambda" if name else "the file holds a lambda"
        return f"{what}: Python code in the file, which loading would run"
    if kinds & set(_LOADERS):
        return f"the layer '{name}' is a {kind}, which loads and runs what is not part of Keras"
    for key in ("vocabulary", "vocabulary_file"):
        if isinstance(entry.get(key), str):
            return f"the layer '{entry.get('name', '')}' reads its vocabulary from the file {entry[key]!r}"
    if kind in ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"):
        called = str(config.get("function", ""))
        if any(called == part or called.startswith(f"{part}.") for part in _REACHES_OUT):
            return f"the layer '{name}' calls tf.{called}, which reaches outside the model"
    module = entry.get("module")
    is_named_function = module == "builtins" and kind == "function"  # an activation, say, by its name in Keras
    if isinstance(module, str) and kind and not _is_known(module) and not is_named_function:
        return f"the file asks for {module}.{kind}, which is not part of Keras: loading would run it"
    if isinstance(module, str) and _is_tool(module):
        return f"the file asks for {module}.{kind}, which is not a layer of Keras and reaches outside the model"
    return ""


def _is_tool(module: str) -> bool:
    """Return whether a module is one such as `keras.utils` or `keras.src.saving.saving_lib`."""
    parts = [part for part in module.split(".") if part not in ("tensorflow", "python", "keras", "tf_keras", "src")]
    return bool(parts) and parts[0] in _TOOLS


def _is_known(module: str) -> bool:
    return any(module == known or module.startswith(f"{known}.") for known in _KNOWN_MODULES)
