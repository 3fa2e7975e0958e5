"""A TensorFlow Lite file in the words that tf2onnx understands: the same network, where it would be misread otherwise.

1. A tensor without a name, or with another's, gets one of its own: tf2onnx knows tensors by their names alone.
2. Sparse weights are written out in full, and the operators that did so (DENSIFY) go.
3. What a fully connected layer flattens is flattened by a RESHAPE before it: tf2onnx would forget the bias.
4. An operator whose quantised output begins at 0 has a Relu of its own, or a Relu6 where the output ends at 6. The
   quantised numbers cut off the rest, so that TensorFlow Lite leaves the activation out; tf2onnx would put it behind
   the tensor instead of before it, and only where the file notes the range.

TensorFlow Lite itself runs the file as it was, so that the comparison with it proves the rewriting too.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import numpy
import numpy.typing as npt

from ..exchange import Refusal

_REWRITTEN, _CHOSEN = "rewritten.tflite", "chosen.tflite"
_SATURATING = frozenset("CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV FULLY_CONNECTED ADD SUB MUL DIV".split())
_RANGES = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
_DTYPES = {"FLOAT32": "f4", "FLOAT16": "f2", "INT8": "i1", "UINT8": "u1", "INT16": "i2", "INT32": "i4"}
_SIX = 0.02  # how far the end of a Relu6's range may lie from 6


def rewrite(tensorflow: ModuleType, path: str, folder: str) -> str:
    """Return the path of the rewritten file in `folder`, or of the file itself if nothing in it is to be changed."""
    from tensorflow.lite.python import schema_py_generated as schema

    with open(path, "rb") as file:
        data = file.read()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graphs = [_Subgraph(schema, model, graph) for graph in model.subgraphs]
    changes = [change() for graph in graphs for change in (graph.name, graph.write_out, graph.flatten, graph.activate)]
    return write(model, os.path.join(folder, _REWRITTEN)) if any(changes) else path


def choose(tensorflow: ModuleType, path: str, folder: str, wanted: str | None) -> tuple[str, str]:
    """Return a file whose first graph is that of a signature, and the signature's name, empty where there is none.

    The first graph is the one that TensorFlow Lite runs and tf2onnx translates.

    Raises:
        Refusal: There is no such signature.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    with open(path, "rb") as file:
        model = schema.ModelT.InitFromPackedBuf(file.read(), 0)
    known = {entry.signatureKey.decode(): entry.subgraphIndex for entry in model.signatureDefs or ()}
    if wanted is not None and wanted not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise Refusal(f"the TensorFlow Lite file has no signature '{wanted}'; it has: {listed}", "usage")
    name = wanted or next((name for name, place in known.items() if place == 0), "")
    if known.get(name, 0) == 0:
        return path, name if len(known) > 1 else ""
    _swap(model, known[name])
    return write(model, os.path.join(folder, _CHOSEN)), name


def _swap(model: Any, place: int) -> None:
    """Let the first graph and another change places, and those that call them know."""
    model.subgraphs[0], model.subgraphs[place] = model.subgraphs[place], model.subgraphs[0]
    swapped = {0: place, place: 0}
    for entry in model.signatureDefs:
        entry.subgraphIndex = swapped.get(entry.subgraphIndex, entry.subgraphIndex)
    for operator in (operator for graph in model.subgraphs for operator in graph.operators or ()):
        for key, value in vars(operator.builtinOptions).items() if operator.builtinOptions is not None else ():
            if key.lower().endswith("subgraphindex"):
                setattr(operator.builtinOptions, key, swapped.get(value, value))


def write(model: Any, path: str) -> str:
    """Write a model and return the path."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open(path, "wb") as file:
        file.write(builder.Output())
    return path


class _Subgraph:
    """One graph of a model, rewritten in place; each method is one of the rules and returns whether it changed any."""

    def __init__(self, schema: Any, model: Any, graph: Any) -> None:
        self._schema, self._model, self._graph = schema, model, graph
        self._operators = _names_of(schema.BuiltinOperator)
        self._types = _names_of(schema.TensorType)

    def name(self) -> bool:
        seen: set[bytes] = set()
        changed = False
        for place, tensor in enumerate(self._graph.tensors):
            name = tensor.name or b""
            if not name or name in seen:
                tensor.name = b"%s_%d" % (name or b"tensor", place)
                changed = True
            seen.add(tensor.name)
        return changed

    def write_out(self) -> bool:
        changed = False
        for tensor in self._graph.tensors:
            if tensor.sparsity is not None:
                values = numpy.frombuffer(self._model.buffers[tensor.buffer].data, _DTYPES[self._types[tensor.type]])
                tensor.buffer = self._added_buffer(_dense(tensor.sparsity, tuple(tensor.shape), values))
                tensor.sparsity = None
                changed = True
        for operator in self._of("DENSIFY"):
            self._tensor(operator.outputs[0]).buffer = self._tensor(operator.inputs[0]).buffer
            self._graph.operators.remove(operator)
            changed = True
        return changed

    def flatten(self) -> bool:
        changed = False
        for operator in self._of("FULLY_CONNECTED"):
            given, weights = (self._tensor(place) for place in operator.inputs[:2])
            if operator.builtinOptions.keepNumDims or given.shape is None or len(given.shape) in (0, 2):
                continue
            operator.inputs = [self._add_reshape(operator, int(weights.shape[1])), *operator.inputs[1:]]
            changed = True
        return changed

    def activate(self) -> bool:
        functions = self._schema.ActivationFunctionType
        changed = False
        for operator in self._of(*_SATURATING):
            output, options = self._tensor(operator.outputs[0]), operator.builtinOptions
            least, most = self._range(output)
            if least != 0 or getattr(options, "fusedActivationFunction", None) != functions.NONE:
                continue
            if all(self._range(self._tensor(place))[0] == 0 for place in operator.inputs if place >= 0):
                continue
            options.fusedActivationFunction = functions.RELU6 if abs(most - 6) <= _SIX else functions.RELU
            output.quantization.min = output.quantization.max = None
            changed = True
        return changed

    def _of(self, *names: str) -> list[Any]:
        return [operator for operator in self._graph.operators or () if self._name_of(operator) in names]

    def _name_of(self, operator: Any) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return self._operators[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def _tensor(self, place: int) -> Any:
        return self._graph.tensors[place]

    def _range(self, tensor: Any) -> tuple[float, float]:
        """Return the least and the largest number that a quantised tensor can hold, without bounds for others."""
        parameters, kind = tensor.quantization, self._types[tensor.type]
        if kind not in _RANGES or parameters is None or parameters.scale is None or len(parameters.scale) != 1:
            return -numpy.inf, numpy.inf
        least, most = ((edge - int(parameters.zeroPoint[0])) * float(parameters.scale[0]) for edge in _RANGES[kind])
        return least, most

    def _add_reshape(self, operator: Any, width: int) -> int:
        schema, given = self._schema, self._tensor(operator.inputs[0])
        flat, shape = schema.TensorT(), schema.TensorT()
        flat.name, shape.name = (
            b"%s_%s_%d" % (given.name, word, len(self._graph.tensors)) for word in (b"flat", b"shape")
        )
        flat.type, flat.quantization = given.type, given.quantization
        flat.shape = numpy.array([int(numpy.prod(given.shape)) // width, width], "i4")
        shape.type, shape.shape = schema.TensorType.INT32, numpy.array([2], "i4")
        shape.buffer = self._added_buffer(numpy.array([-1, width], "i4"))
        places = len(self._graph.tensors), len(self._graph.tensors) + 1
        self._graph.tensors.extend([flat, shape])
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
        self._model.operatorCodes.append(code)
        reshape = schema.OperatorT()
        reshape.opcodeIndex = len(self._model.operatorCodes) - 1
        reshape.inputs, reshape.outputs = (
            numpy.array([operator.inputs[0], places[1]], "i4"),
            numpy.array(places[:1], "i4"),
        )
        self._graph.operators.insert(self._graph.operators.index(operator), reshape)
        return places[0]

    def _added_buffer(self, array: npt.NDArray[Any]) -> int:
        buffer = self._schema.BufferT()
        buffer.data = numpy.frombuffer(array.tobytes(), "u1")
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1


def _names_of(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


def _dense(sparsity: Any, shape: tuple[int, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return all numbers of a tensor of which a file holds those that are not 0, or blocks with such numbers.

    The levels of the format are the axes in `traversalOrder`; those beyond the tensor's own are axes of the blocks.
    A sparse level lists, for each place of the level before, which of its places there are.
    """
    order, blocks = list(sparsity.traversalOrder), list(sparsity.blockMap if sparsity.blockMap is not None else ())
    places = numpy.zeros(1, "i8")
    coordinates: list[npt.NDArray[Any]] = []
    for level in sparsity.dimMetadata:
        if level.format == 0:
            starts, counts = places * level.denseSize, numpy.full(len(places), level.denseSize)
        else:
            segments = numpy.asarray(level.arraySegments.values, "i8")
            starts, counts = segments[places], segments[places + 1] - segments[places]
        within = numpy.arange(counts.sum()) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
        places = numpy.repeat(starts, counts) + within
        coordinates = [numpy.repeat(axis, counts) for axis in coordinates]
        coordinates.append(within if level.format == 0 else numpy.asarray(level.arrayIndices.values, "i8")[places])
    axes = [coordinates[order.index(axis)] for axis in range(len(shape))]
    for block, axis in enumerate(blocks):
        level = order.index(len(shape) + block)
        axes[axis] = axes[axis] * sparsity.dimMetadata[level].denseSize + coordinates[level]
    dense = numpy.zeros(shape, values.dtype)
    dense[tuple(axes)] = values[: len(places)]
    return dense
