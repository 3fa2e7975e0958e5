"""What a file is that is no ONNX model, told by its first bytes, so that the error can say what to do instead."""

from __future__ import annotations

from onnxviz.errors import ModelError
from onnxviz.graph.wire import DELIMITED, Reader, fields


def what_it_is(reader: Reader) -> str:
    """Say what a file that is no ONNX model is, or nothing if that cannot be told."""
    if reader.size == 0:
        return "the file is empty"
    head = reader.read(0, min(reader.size, 256))
    for place, signature, what in _SIGNATURES:
        if head[place:].startswith(signature):
            return what
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "an HTML or XML page; a download may have brought an error page instead of the file"
    if text.startswith((b"{", b"[")):
        return "a JSON text"
    if not head.strip(b"\0"):
        return "it begins with zeros only; a download may not have finished"
    if text.startswith((b"ir_version:", b"graph {", b"# ", b"#!")):
        return "a text; onnxviz reads ONNX in its binary form"
    return _tensorflow(reader)


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
    (
        0,
        b"PK\x03\x04",
        "a zip archive; of a .keras onnxviz convert makes an ONNX model, a PyTorch .pt is exported by PyTorch",
    ),
    (0, b"version https://git-lfs", "a Git LFS pointer; fetch the file itself by: git lfs pull"),
    (4, b"ORTM", "a model in onnxruntime's ORT format; use the .onnx file that it was made from"),
    (4, b"TFL3", "a TensorFlow Lite model; onnxviz convert makes an ONNX model of it"),
    (0, b"\x89HDF\r\n", "an HDF5 file; of a Keras .h5 onnxviz convert makes an ONNX model"),
    (0, b"\x80\x02", "a Python pickle (as PyTorch's old .pth are); export it to ONNX first"),
    (0, b"\x1f\x8b", "a gzip archive; unpack it first"),
    (0, b"GGUF", "a GGUF model, which holds weights and no graph"),
    (8, b'{"', "a safetensors file, which holds weights and no graph"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
)
