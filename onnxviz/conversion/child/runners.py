"""TensorFlow's own way to run a source: a frozen graph in a session, a TensorFlow Lite model in its interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .report import Refusal

# tf2onnx's name of the floats that a quantised tensor stands for.
PREQUANTISED = "_prequant"


@dataclass
class Input:
    """An input to make up: its name, its sizes (a free one is None, and so are all if their number is), its dtype."""

    name: str
    sizes: list[int | None] | None
    dtype: Any


class GraphRunner:
    """Runs a frozen graph."""

    def __init__(self, tensorflow: Any, graph: Any, inputs: list[str]) -> None:
        """Open the graph."""
        self._errors = tensorflow.errors.OpError
        with tensorflow.Graph().as_default() as built:
            tensorflow.import_graph_def(graph, name="")
        self._session = tensorflow.compat.v1.Session(graph=built)
        tensors = [built.get_tensor_by_name(name) for name in inputs]
        self.inputs = [
            Input(
                tensor.name, None if tensor.shape.rank is None else tensor.shape.as_list(), tensor.dtype.as_numpy_dtype
            )
            for tensor in tensors
        ]

    def run(self, feed: dict[str, Any], wanted: list[str]) -> list[Any]:
        """Return the wanted tensors.

        Raises:
            ValueError: The graph does not take the feed.
        """
        try:
            results: list[Any] = self._session.run(wanted, feed)
        except self._errors as error:
            raise ValueError(" ".join(str(error.message).split())) from error
        return results

    def step(self, name: str, array: Any) -> float:
        """Return 0: nothing is quantised."""
        return 0.0


class LiteRunner:
    """Runs a TensorFlow Lite model; what is quantised is taken as it is, and given in the numbers it stands for."""

    def __init__(self, tensorflow: Any, path: str) -> None:
        """Open the model.

        Raises:
            Refusal: The interpreter does not take it.
        """
        try:
            # Without its delegates, which compute whole regions and leave what lies between as it was.
            plain = tensorflow.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            self._interpreter = tensorflow.lite.Interpreter(
                path, experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise Refusal(f"TensorFlow Lite cannot open the model: {' '.join(str(error).split())[:300]}") from error
        details = self._interpreter.get_tensor_details()
        self._details = {detail["name"]: detail for detail in details}
        self._given = {detail["name"]: detail for detail in self._interpreter.get_input_details()}
        self.inputs = [Input(name, detail["shape"].tolist(), detail["dtype"]) for name, detail in self._given.items()]
        # Its kernels then bring floats to 8 bits as well, each time anew.
        self._is_hybrid = any(_is_quantised(detail) for detail in details)

    def run(self, feed: dict[str, Any], wanted: list[str]) -> list[Any]:
        """Return the wanted tensors, None for one that another has been written over.

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

    def step(self, name: str, array: Any) -> float:
        """Return how far apart two neighbouring numbers of 8 bits are, as a share of a tensor's largest value."""
        detail = self._detail(name)
        top = float(abs(array).max()) if array.size else 0.0
        if _is_quantised(detail) and top:
            return float(detail["quantization_parameters"]["scales"].max()) / top
        return 1 / 127 if self._is_hybrid else 0.0

    def _detail(self, name: str) -> dict[str, Any]:
        bare = name[: -len(PREQUANTISED)] if name.endswith(PREQUANTISED) else name
        detail: dict[str, Any] = self._details.get(name) or self._details[bare]
        return detail

    def _value(self, detail: dict[str, Any]) -> Any:
        import numpy

        array = numpy.array(self._interpreter.get_tensor(detail["index"]))
        if not _is_quantised(detail):
            return array
        parameters = detail["quantization_parameters"]
        shape = [1] * array.ndim
        if parameters["scales"].size > 1:
            shape[parameters["quantized_dimension"]] = -1
        zero, scale = parameters["zero_points"].reshape(shape), parameters["scales"].reshape(shape)
        return ((array.astype("float32") - zero) * scale).astype("float32")


def _is_quantised(detail: dict[str, Any]) -> bool:
    import numpy

    return bool(detail["quantization_parameters"]["scales"].size) and numpy.dtype(detail["dtype"]).kind in "iu"
