"""What a file is that is not an ONNX model, by its content, so that the error can say what to do instead."""

from __future__ import annotations

import zipfile
from pathlib import Path

from onnxviz.errors import ModelError
from onnxviz.graph.storage.wire import DELIMITED, Reader, fields

PYTORCH = "in PyTorch: torch.onnx.export(model, example_input, 'model.onnx', dynamo=True)"
TENSORFLOW_JS = "a TensorFlow.js model; convert the SavedModel or Keras file that it was made from"


def what_it_is(path: Path, reader: Reader) -> str:
    """Say what a file that is not an ONNX model is, and which way leads on, or nothing if that cannot be told."""
    if reader.size == 0:
        return "the file is empty"
    head = reader.read(0, min(reader.size, 4096))
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    for place, signature, what in _SIGNATURES:
        if head[place:].startswith(signature):
            return what
    if path.suffix.lower() in _ENDINGS:
        return _ENDINGS[path.suffix.lower()]
    return _text(head) or _tensorflow(reader)


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return "a zip archive that is damaged or cut short"
    if "config.json" in names:
        return "a Keras file; onnxviz convert makes an ONNX model of it"
    if any(name.endswith("/data.pkl") for name in names):
        return f"a PyTorch file; {PYTORCH}"
    if names and all(name.endswith(".npy") for name in names):
        return "NumPy arrays"
    inner = next((name for name in names if name.endswith(".onnx")), None)
    return f"a zip archive; unpack it first: '{inner}' is in it" if inner else "a zip archive"


def _text(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "an HTML or XML page; a download may have brought an error page instead of the file"
    if text.startswith((b"{", b"[")):
        is_layers = any(word in text for word in (b"modelTopology", b"layers-model", b"graph-model"))
        return TENSORFLOW_JS if is_layers else "a JSON text"
    if not head.strip(b"\0"):
        return "it begins with zeros only; a download may not have finished"
    if text.startswith((b"node {", b"node{", b"library {")):
        return "a TensorFlow graph written as text; its binary .pb is what onnxviz convert takes"
    if text.startswith((b"ir_version:", b"graph {", b"# ", b"#!")):
        return "a text; onnxviz reads ONNX in its binary form"
    return ""


def _tensorflow(reader: Reader) -> str:
    """A frozen TensorFlow graph begins with its first node, where ONNX has its version's number."""
    try:
        first = next(fields(reader, 0, reader.size))
    except (ModelError, StopIteration):
        return ""
    is_graph = (
        first.number == 1
        and first.wire_type == DELIMITED
        and b"\x12" in reader.read(first.payload, min(first.length, 256))
    )
    return "it may be a frozen TensorFlow graph; onnxviz convert makes an ONNX model of it" if is_graph else ""


_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"version https://git-lfs", "a Git LFS pointer; fetch the file itself by: git lfs pull"),
    (4, b"ORTM", "a model in onnxruntime's ORT format; use the .onnx file that it was made from"),
    (4, b"TFL3", "a TensorFlow Lite model; onnxviz convert makes an ONNX model of it"),
    (0, b"\x89HDF\r\n", "an HDF5 file; of a Keras .h5 onnxviz convert makes an ONNX model"),
    (0, b"\x80\x02", f"a Python pickle, as PyTorch's old files are; {PYTORCH}"),
    (0, b"\x1f\x8b", "a gzip archive; unpack it first"),
    (0, b"GGUF", "a GGUF model, which holds weights and no graph"),
    (8, b'{"', "a safetensors file, which holds weights and no graph"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
)

# Formats whose files begin with nothing of their own.
_ENDINGS = {
    ".mlmodel": "a Core ML model; export the model that it was made from to ONNX",
    ".pdmodel": "a PaddlePaddle model; paddle2onnx makes an ONNX model of it",
    ".caffemodel": "a Caffe model, whose weights alone are in it; export the network to ONNX from where it was trained",
    ".engine": "a TensorRT engine, made for one GPU; use the ONNX model that it was built from",
    ".plan": "a TensorRT engine, made for one GPU; use the ONNX model that it was built from",
}
