"""TensorFlow's own way to run a source: a frozen graph in a session, a TensorFlow Lite model in its interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy
import numpy.typing as npt

from .exchange import Refusal
from .graph_nodes import node_of
from .loaded import LiteFile, Loaded
from .widen import holds, widened

# tf2onnx appends this to a quantised tensor's name for the floats that the tensor stands for.
PREQUANTISED = "_prequant"
# The same for an input, which is quantised already.
DEQUANTISED = "_dequant"


@dataclass(frozen=True)
class SourceInput:
    """An input to fill with random numbers. A size that is not known is None; all are if their number is not known.

    Whole numbers that stand for real ones are `quantised`. Those that no random ones will do for are `fixed`.
    """

    name: str
    sizes: list[int | None] | None
    dtype: npt.DTypeLike
    quantised: bool = False
    fixed: list[int] | None = None


class GraphRunner:
    """Runs a frozen graph in a session, one in half precision in float32; `unit` is then the step of numbers about 1.

    TensorFlow's kernels on the CPU add in half precision, and are farther from the model's values than ONNX Runtime's,
    which add in float32. What both should come to is what float32 comes to.
    """

    def __init__(self, tensorflow: ModuleType, loaded: Loaded) -> None:
        assert loaded.graph is not None
        self._errors = tensorflow.errors.OpError
        self.unit = float(numpy.finfo("float16").eps) if holds(loaded.graph, tensorflow.float16) else 0.0
        dtypes = {node.name: node.attr["dtype"].type for node in loaded.graph.node if "dtype" in node.attr}
        with tensorflow.Graph().as_default() as built:
            tensorflow.import_graph_def(widened(tensorflow, loaded.graph, tensorflow.float16), name="")
        self._session = tensorflow.compat.v1.Session(graph=built)
        self._fed = {}
        self.inputs = []
        for tensor in map(built.get_tensor_by_name, loaded.inputs):
            sizes = None if tensor.shape.rank is None else tensor.shape.as_list()
            self._fed[tensor.name] = tensor.dtype.as_numpy_dtype
            dtype = tensorflow.as_dtype(dtypes.get(node_of(tensor.name), tensor.dtype.as_datatype_enum))
            self.inputs.append(SourceInput(tensor.name, sizes, dtype.as_numpy_dtype))

    def run(self, feed: Mapping[str, npt.NDArray[Any]], wanted: list[str]) -> list[Any]:
        """Return the wanted tensors.

        Raises:
            ValueError: The graph does not take the feed.
        """
        try:
            return list(
                self._session.run(wanted, {name: feed[name].astype(dtype) for name, dtype in self._fed.items()})
            )
        except self._errors as error:
            raise ValueError(" ".join(str(error.message).split())) from error

    def digits(self, name: str, array: npt.NDArray[Any]) -> tuple[float, None]:
        """Return the step of half precision in a graph that has it, as a share of a tensor's largest magnitude."""
        return (self.unit if array.dtype.kind == "f" else 0.0), None


class LiteRunner:
    """Runs a TensorFlow Lite model; it takes quantised inputs, and returns floats for what is quantised.

    Raises:
        Refusal: The interpreter cannot open the model.
    """

    def __init__(self, tensorflow: ModuleType, file: LiteFile) -> None:
        try:
            # Delegates compute whole regions, and leave the tensors in between as they were.
            plain = tensorflow.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            self._interpreter = tensorflow.lite.Interpreter(
                file.source, experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
            )
        except (ValueError, RuntimeError) as error:
            raise Refusal(f"TensorFlow Lite cannot open the model: {_text(error)}") from error
        details: list[dict[str, Any]] = self._interpreter.get_tensor_details()
        self._file = file
        self._details = {self._name(detail): detail for detail in details}
        self.inputs = [
            SourceInput(
                self._name(detail),
                [None if size < 0 else size for size in detail.get("shape_signature", detail["shape"]).tolist()],
                detail["dtype"],
                _is_quantised(detail),
                file.asked.get(self._name(detail)),
            )
            for detail in self._interpreter.get_input_details()
        ]
        self.unit = 0.0
        self._shapes: dict[str, tuple[int, ...]] = {}
        # Its kernels then round floats to 8 bits as well, with a new scale in each run.
        self._is_hybrid = any(map(_is_quantised, details))

    def run(self, feed: Mapping[str, npt.NDArray[Any]], wanted: list[str]) -> list[Any]:
        """Return the wanted tensors, None for one whose memory a later tensor has taken.

        Raises:
            ValueError: The model does not take the feed.
        """
        try:
            self._fit(feed)
            for name, array in feed.items():
                self._interpreter.set_tensor(self._details[name]["index"], array)
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ValueError(_text(error)) from error
        lost = self._overwritten()
        return [None if name in lost else self._value(self._detail(name)) for name in wanted]

    def _fit(self, feed: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take memory for inputs of these sizes, unless that was done already."""
        shapes = {name: array.shape for name, array in feed.items()}
        if shapes == self._shapes:
            return
        for given in self.inputs:
            if given.sizes is not None and None in given.sizes:
                self._interpreter.resize_tensor_input(self._details[given.name]["index"], shapes[given.name])
        self._interpreter.allocate_tensors()
        self._shapes = shapes

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
        names = {self._name(detail) for detail in shared if detail["index"] not in outputs}
        return names | {name + PREQUANTISED for name in names}

    def digits(self, name: str, array: npt.NDArray[Any]) -> tuple[float, tuple[float, float] | None]:
        """Return how far apart two neighbouring quantised numbers are, as a share of a tensor's largest magnitude.

        With it comes what the tensor can hold at least and at most. A float beside quantised numbers has 8 bits.
        """
        detail = self._detail(self._file.sources.get(name, name))
        top = float(abs(array).max()) if array.size else 0.0
        if not _is_quantised(detail):
            return (1 / 127 if self._is_hybrid and array.dtype.kind == "f" else 0.0), None
        parameters, edges = detail["quantization_parameters"], numpy.iinfo(detail["dtype"])
        least, most = ((edge - parameters["zero_points"]) * parameters["scales"] for edge in (edges.min, edges.max))
        return (float(parameters["scales"].max()) / top if top else 0.0), (float(least.min()), float(most.max()))

    def _name(self, detail: dict[str, Any]) -> str:
        """Return a tensor's name; the interpreter has tensors of its own behind those of the file."""
        names = self._file.names
        return names[detail["index"]] if detail["index"] < len(names) else str(detail["name"])

    def _detail(self, name: str) -> dict[str, Any]:
        plain = name.removesuffix(PREQUANTISED).removesuffix(DEQUANTISED)
        return self._details[name if name in self._details else plain]

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


def _text(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _is_quantised(detail: dict[str, Any]) -> bool:
    return bool(detail["quantization_parameters"]["scales"].size) and numpy.dtype(detail["dtype"]).kind in "iu"
