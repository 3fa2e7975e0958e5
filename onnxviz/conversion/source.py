"""What kind of source a file or folder is, found by its content, because its name says little."""

from __future__ import annotations

import glob
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from onnxviz.errors import ModelError, NotAModelError, UnsupportedError
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.storage.other_formats import TENSORFLOW_JS, what_it_is
from onnxviz.graph.storage.wire import open_reader

KINDS = {
    "saved_model": "a TensorFlow SavedModel",
    "keras": "a Keras file",
    "frozen": "a frozen TensorFlow graph",
    "checkpoint": "a TensorFlow 1 checkpoint",
    "tflite": "a TensorFlow Lite model",
}


@dataclass(frozen=True, slots=True)
class ConversionSource:
    """A source and its kind, a key of `KINDS`."""

    path: Path
    kind: str

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the source, in the order of their names."""
        if self.path.is_dir():
            return tuple(sorted(path for path in self.path.rglob("*") if path.is_file()))
        if self.kind == "checkpoint":
            beside = self.path.parent.glob(f"{glob.escape(self.path.stem)}.*")
            return tuple(sorted(path for path in beside if path.is_file()))
        return (self.path,)


def find_source(path: Path) -> ConversionSource:
    """Return what kind of source a file or folder is.

    Raises:
        ModelError: It is missing or damaged.
        NotAModelError: It is not something that can be converted; the text says what it is.
        UnsupportedError: It is of a kind that onnxviz does not convert; the text says what to do instead.
    """
    try:
        kind = _kind(path)
        if not kind:
            _refuse_folder(path) if path.is_dir() else _refuse_file(path)
    except OSError as error:
        raise ModelError(f"'{path}' cannot be read: {error.strerror or error}") from None
    if kind == "keras" and zipfile.is_zipfile(path):  # HDF5 takes h5py, which only the other Python must have
        # Not at the top: an ONNX model is opened without them.
        from onnxviz.conversion.child.configuration import check_supported, read_configuration
        from onnxviz.conversion.child.exchange import Refusal

        try:
            check_supported(read_configuration(str(path)))
        except Refusal as refusal:
            raise UnsupportedError(f"'{path}': {refusal}") from None
    return ConversionSource(path, kind)


def is_tensorflow(path: Path) -> bool:
    """Return quickly whether a path may be a source to convert, and not an ONNX model; never raises."""
    with suppress(OSError):
        return bool(_kind(path))
    return False


def _kind(path: Path) -> str:
    """Return the kind of a source by its first bytes, an empty text for what is not a source."""
    if path.is_dir():
        return "saved_model" if any((path / name).is_file() for name in _GRAPHS) else ""
    if not path.is_file() or path.name in _GRAPHS or _holds_weights(path):
        return ""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] == b"TFL3":
        return "tflite"
    if head.startswith(b"\x89HDF\r\n") or (head.startswith(b"PK\x03\x04") and _is_keras_archive(path)):
        return "keras"
    return _frozen_or_meta(head, path)


def _refuse_folder(path: Path) -> NoReturn:
    names = sorted(entry.name for entry in path.iterdir())
    if "model.json" in names:
        raise UnsupportedError(f"'{path}' holds {TENSORFLOW_JS}")
    if "config.json" in names and any(name.startswith("model.weights") for name in names):
        raise UnsupportedError(f"'{path}' is a Keras file that was unpacked: zip it again, with the ending .keras")
    metas = [name for name in names if name.endswith(".meta")]
    if metas:
        raise ModelError(f"'{path}' holds a checkpoint: convert its graph, '{path / metas[-1]}'")
    if "checkpoint" in names or any(name.endswith(".index") for name in names):
        raise UnsupportedError(f"'{path}' holds a checkpoint's weights and no graph\n{_WEIGHTS}")
    inner = [name for name in names if (path / name / "saved_model.pb").is_file()]
    if inner:
        raise ModelError(f"'{path}' holds SavedModels ({', '.join(inner[:3])}): convert one of them")
    raise NotAModelError(f"'{path}' is a folder without a saved_model.pb: it is not a SavedModel")


def _refuse_file(path: Path) -> NoReturn:
    if not path.exists():
        raise ModelError(f"there is no file or folder '{path}'")
    if not path.is_file():
        raise NotAModelError(f"'{path}' is neither a file nor a folder")
    if path.name in _GRAPHS:
        raise ModelError(f"'{path}' is the graph of a SavedModel: convert its folder, '{path.parent}'")
    if _holds_weights(path):
        raise UnsupportedError(f"'{path}' holds a checkpoint's weights and no graph\n{_WEIGHTS}")
    if _is_onnx(path):
        raise ModelError(f"'{path}' is an ONNX model already: view, layers and expose take it as it is")
    with open_reader(path) as reader:
        what = what_it_is(path, reader)
    if what:
        raise NotAModelError(f"'{path}' cannot be converted: {what}")
    raise NotAModelError(
        f"'{path}' is not a model that onnxviz can convert; it converts SavedModel folders, .keras, .h5, frozen .pb, "
        ".meta checkpoints and .tflite"
    )


def _holds_weights(path: Path) -> bool:
    """Return whether a file holds weights of a checkpoint, by its name."""
    return path.suffix == ".index" or ".data-" in path.name


def _is_onnx(path: Path) -> bool:
    with suppress(ModelError):
        ModelFile.open(path)
        return True
    return False


def _is_keras_archive(path: Path) -> bool:
    with suppress(zipfile.BadZipFile, OSError, ValueError), zipfile.ZipFile(path) as archive:
        return "config.json" in archive.namelist()
    return False


def _frozen_or_meta(head: bytes, path: Path) -> str:
    """Return the kind of a GraphDef, which begins with a node (a name and an operator), or of a MetaGraphDef."""
    message = _first_message(head, 1)
    if message is None:
        return ""
    name = _first_message(message, 1)
    if name and b"\x12" in message[len(name) :] and _is_name(name):
        return "frozen"
    # A MetaGraphDef begins with a message as well, its description: the ending, or an `.index` beside it, decides.
    return "checkpoint" if path.suffix == ".meta" or (path.with_suffix(".index")).exists() else ""


def _first_message(data: bytes, number: int) -> bytes | None:
    """Return the content of a message's first field, as far as `data` goes; None if it is another field or a number."""
    if not data or data[0] != number << 3 | 2:
        return None
    length = shift = 0
    for place in range(1, min(len(data), 6)):
        length |= (data[place] & 127) << shift
        shift += 7
        if data[place] < 128:
            return data[place + 1 : place + 1 + length]
    return None


def _is_name(data: bytes) -> bool:
    text = data.decode("latin-1")
    return 0 < len(text) < 1000 and text.isascii() and text.isprintable() and (text[0].isalnum() or text[0] in "._>")


_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_WEIGHTS = "convert the graph with them: the .meta file, a SavedModel, or the Keras model saved whole"
