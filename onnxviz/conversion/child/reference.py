"""What TensorFlow itself computes on a random input, for the parent to compare with, and how far rounding may move it.

The graph is run twice: on the input, and on the input moved by one unit in the last place. How far a tensor moves
between the two is the model's own rounding; no two correct programs agree better.
"""

from __future__ import annotations

from typing import Any

from .loaded import Loaded
from .report import Refusal

# What is stored for comparison; a model with more is compared at tensors spread over it.
_LARGEST = 1 << 30
_FREE_SIZES = (64, 224, 299, 32)


def compute(tensorflow: Any, loaded: Loaded, kept: list[str], path: str) -> dict[str, Any]:
    """Run the frozen graph, store inputs and tensors at `path` (.npz) and return what each array there is.

    Raises:
        Refusal: No input that could be made up satisfies the graph.
    """
    import numpy

    v1 = tensorflow.compat.v1
    with tensorflow.Graph().as_default() as graph:
        tensorflow.import_graph_def(loaded.graph, name="")
    wanted = list(dict.fromkeys(loaded.outputs + kept))
    with v1.Session(graph=graph) as session:
        feed, values = _first_that_runs(tensorflow, graph, session, loaded.inputs, wanted)
        moved = session.run(wanted, {tensor: _moved(numpy, array) for tensor, array in feed.items()})
    entries: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    total = 0
    for name, value, other in zip(wanted, values, moved):
        array = numpy.asarray(value)
        is_output = name in loaded.outputs
        total += array.nbytes
        if array.dtype.kind not in "fiub" or (total > _LARGEST and not is_output):
            continue
        key = f"t{len(arrays)}"
        arrays[key] = array
        entries.append({"tensor": name, "key": key, "output": is_output, "rounding": _rounding(numpy, array, other)})
    inputs = {}
    for tensor, array in feed.items():
        key = f"t{len(arrays)}"
        arrays[key] = array
        inputs[loaded.renames.get(tensor.name, tensor.name)] = key
    numpy.savez(path, **arrays)
    return {"inputs": inputs, "values": entries}


def _first_that_runs(tensorflow: Any, graph: Any, session: Any, inputs: list[str], wanted: list[str]) -> Any:
    import numpy

    error: Any = None
    tensors = [graph.get_tensor_by_name(name) for name in inputs]
    for size in _FREE_SIZES:
        generator = numpy.random.default_rng(7)
        feed = {tensor: _made_up(numpy, tensor, size, generator) for tensor in tensors}
        try:
            return feed, session.run(wanted, feed)
        except tensorflow.errors.OpError as failed:
            error = failed
        if all(tensor.shape.is_fully_defined() for tensor in tensors):
            break
    text = " ".join(str(getattr(error, "message", error)).split())[:300]
    raise Refusal(
        f"TensorFlow cannot run the model on a random input, so nothing can be verified: {text}\n"
        "--no-verify converts it unseen",
        "failed",
    )


def _made_up(numpy: Any, tensor: Any, size: int, generator: Any) -> Any:
    """Return numbers in 0..1, 0..255 for bytes, 0 and 1 for other whole numbers; a free first axis is 1."""
    known = tensor.shape.as_list() if tensor.shape.rank is not None else [1, size, size, 3]
    shape = [(1 if place == 0 else size) if length is None else length for place, length in enumerate(known)]
    dtype = tensor.dtype.as_numpy_dtype
    if tensor.dtype.is_floating:
        return generator.uniform(0, 1, shape).astype(dtype)
    if dtype == numpy.uint8:
        return generator.integers(0, 256, shape).astype(dtype)
    if tensor.dtype.is_bool or tensor.dtype.is_integer:
        return generator.integers(0, 2, shape).astype(dtype)
    raise Refusal(f"the input '{tensor.name}' is of type {tensor.dtype.name}, which onnxviz cannot feed", "unsupported")


def _moved(numpy: Any, array: Any) -> Any:
    return numpy.nextafter(array, array.dtype.type(numpy.inf)) if array.dtype.kind == "f" else array


def _rounding(numpy: Any, array: Any, other: Any) -> float:
    """Return by how much of its largest value a tensor moved."""
    if array.dtype.kind != "f" or not array.size:
        return 0.0
    top = float(numpy.max(numpy.abs(array)))
    gap = float(numpy.max(numpy.abs(array - numpy.asarray(other))))
    return gap / top if top and numpy.isfinite(gap) else 0.0
