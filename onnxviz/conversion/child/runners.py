"""TensorFlow's own way to run a source: a frozen graph in a session, a TensorFlow Lite model in its interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy
import numpy.typing as npt

from .exchange import Refusal
from .loaded import Loaded

# tf2onnx appends this to a quantised tensor's name for the floats that the tensor stands for.
PREQUANTISED = "_prequant"


@dataclass(frozen=True)
class SourceInput:
    """An input to fill with random numbers. A size that is not known is None; all are if their number is not known."""

    name: str
    sizes: list[int | None] | None
    dtype: npt.DTypeLike


class GraphRunner:
    """Runs a frozen graph in a session."""

    def __init__(self, tensorflow: ModuleType, loaded: Loaded) -> None:
        self._errors = tensorflow.errors.OpError
        with tensorflow.Graph().as_default() as built:
            tensorflow.import_graph_def(loaded.graph, name="")
        self._session = tensorflow.compat.v1.Session(graph=built)
        self.inputs = []
        for tensor in map(built.get_tensor_by_name, loaded.inputs):
            sizes = None if tensor.shape.rank is None else tensor.shape.as_list()
            self.inputs.append(SourceInput(tensor.name, sizes, tensor.dtype.as_numpy_dtype))

    def run(self, feed: Mapping[str, npt.NDArray[Any]], wanted: list[str]) -> list[Any]:
        """Return the wanted tensors.

        Raises:
            ValueError: The graph does not take the feed.
        """
        try:
            return list(self._session.run(wanted, feed))
        except self._errors as error:
            raise ValueError(" ".join(str(error.message).split())) from error

    def step(self, name: str, array: npt.NDArray[Any]) -> float:
        """Return 0, because nothing is quantised."""
        return 0.0


class LiteRunner:
    """Runs a TensorFlow Lite model; it takes quantised inputs, and returns floats for what is quantised.

    Raises:
        Refusal: The interpreter cannot open the model.
    """

    def __init__(self, tensorflow: ModuleType, path: str) -> None:
        try:
            # Delegates compute whole regions, and leave the tensors in between as they were.
            plain = tensorflow.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            self._interpreter = tensorflow.lite.Interpreter(
                path, experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise Refusal(f"TensorFlow Lite cannot open the model: {' '.join(str(error).split())[:300]}") from error
        details: list[dict[str, Any]] = self._interpreter.get_tensor_details()
        self._details = {detail["name"]: detail for detail in details}
        self._given = {detail["name"]: detail for detail in self._interpreter.get_input_details()}
        self.inputs = [
            SourceInput(name, detail["shape"].tolist(), detail["dtype"]) for name, detail in self._given.items()
        ]
        # Its kernels then round floats to 8 bits as well, with a new scale in each run.
        self._is_hybrid = any(map(_is_quantised, details))

    def run(self, feed: Mapping[str, npt.NDArray[Any]], wanted: list[str]) -> list[Any]:
        """Return the wanted tensors, None for one whose memory a later tensor has taken.

        Raises:
            ValueError: The model does not take the feed.
        """
        for name, array in feed.items():
            self._interpreter.set_tensor(self._given[name]["index"], array)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ValueError(" ".join(str(error).split())) from error
        lost = self._overwritten()
        return [None if name in lost else self._value(self._detail(name)) for name in wanted]

    def _overwritten(self) -> set[str]:
        """Return the tensors whose memory a later one has taken: up to TensorFlow 2.15 an Add writes over its input."""
        outputs = {detail["index"] for detail in self._interpreter.get_output_details()}
        places: dict[int, list[dict[str, Any]]] = {}
        for detail in self._details.values():
            try:
                place = self._interpreter.tensor(detail["index"])().__array_interface__["data"][0]
            except (ValueError, RuntimeError):
                continue
            places.setdefault(place, []).append(detail)
        shared = [detail for details in places.values() if len(details) > 1 for detail in details]
        names = {detail["name"] for detail in shared if detail["index"] not in outputs}
        return names | {name + PREQUANTISED for name in names}

    def step(self, name: str, array: npt.NDArray[Any]) -> float:
        """Return how far apart two neighbouring 8-bit numbers are, as a share of a tensor's largest magnitude."""
        detail = self._detail(name)
        top = float(abs(array).max()) if array.size else 0.0
        if _is_quantised(detail) and top:
            return float(detail["quantization_parameters"]["scales"].max()) / top
        return 1 / 127 if self._is_hybrid else 0.0

    def _detail(self, name: str) -> dict[str, Any]:
        return self._details.get(name) or self._details[name.rpartition(PREQUANTISED)[0]]

    def _value(self, detail: dict[str, Any]) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = numpy.array(self._interpreter.get_tensor(detail["index"]))
        if not _is_quantised(detail):
            return array
        parameters = detail["quantization_parameters"]
        shape = [1] * array.ndim
        if parameters["scales"].size > 1:
            shape[parameters["quantized_dimension"]] = -1
        zero, scale = parameters["zero_points"].reshape(shape), parameters["scales"].reshape(shape)
        return numpy.asarray((array.astype("float32") - zero) * scale, "float32")


def _is_quantised(detail: dict[str, Any]) -> bool:
    return bool(detail["quantization_parameters"]["scales"].size) and numpy.dtype(detail["dtype"]).kind in "iu"
