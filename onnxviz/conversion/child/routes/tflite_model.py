"""A TensorFlow Lite model: tf2onnx reads it by itself, and its operators' tensors are the layers.

What is quantised in it becomes a graph of floats, in which a reader sees maps instead of integers between 170
DequantizeLinear nodes; the rounding in between is then gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..authors_names import authors_names
from ..exchange import Facts, Refusal, Request
from ..graph_def import NodeDef
from ..loaded import LiteFile, Loaded, Row, channels_last
from ..onnx_nodes import refuse_untranslated
from ..reaching_out import check_nodes
from ..runners import DEQUANTISED, PREQUANTISED
from .lite_ends import cut
from .lite_file import choose, rewrite

_LAYERS = frozenset(
    "CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV CONV_3D AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D FULLY_CONNECTED "
    "CONCATENATION ADD ADD_N MUL RELU RELU6 RELU_N1_TO_1 PRELU LEAKY_RELU ELU GELU LOGISTIC TANH SOFTMAX HARD_SWISH "
    "MEAN REDUCE_MAX BATCH_MATMUL RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR DEPTH_TO_SPACE SPACE_TO_DEPTH "
    "LOCAL_RESPONSE_NORMALIZATION".split()
)
_STATEFUL = frozenset("VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE CALL_ONCE".split())
# Where an operator takes the shape that it is to make.
_ASKED = {"TRANSPOSE_CONV": 0, "RESHAPE": 1, "BROADCAST_TO": 1, "FILL": 0}
_SPATIAL = ("CONV", "POOL", "RESIZE", "SPACE", "LOCAL_RESPONSE")
# A product of two computed values may have any axis last.
_UNKNOWN = ("BATCH_MATMUL",)


def load(tensorflow: ModuleType, request: Request) -> Loaded:
    """Read the model's operators, inputs and outputs.

    Raises:
        Refusal: The file is damaged, or holds what ONNX or tf2onnx does not have.
    """
    _check(tensorflow, request["source"], request["trust"])
    try:
        folder = os.path.dirname(request["output"])
        source, signature = choose(tensorflow, request["source"], folder, request["signature"])
        source = cut(source, folder, request["inputs"], request["outputs"])
        path = rewrite(tensorflow, source, folder)
        graph = _read(path)
    except Refusal:
        raise
    except Exception as error:  # flatbuffers fails in as many ways as there are damaged files
        raise Refusal(f"the TensorFlow Lite file is damaged: {type(error).__name__}: {error}") from error
    _check_operators(graph, request["opset"])
    floats = {name: name + PREQUANTISED for name in graph.scales if name not in graph.inputs}
    kept = [(operator.kind, operator.outputs[0]) for operator in graph.operators if operator.kind in _LAYERS]
    authors = authors_names([name.partition(";")[0] for _, name in kept])
    if len(set(authors)) < len(authors):
        authors = [name for _, name in kept]
    ranks = graph.ranks
    rows = [
        Row(author, kind, floats.get(name, name), _layout(kind, ranks[name]))
        for author, (kind, name) in zip(authors, kept)
    ]
    # A quantised input is given as it is; what it stands for comes after it.
    real = {**floats, **{name: name + DEQUANTISED for name in graph.inputs if name in graph.scales}}
    before = {name: real.get(source, source) for name, source in graph.quantising.items()}
    ends = [before.get(name, floats.get(name, name)) for name in graph.outputs]
    file = LiteFile(
        source,
        path,
        graph.names,
        sources={operator.outputs[0]: operator.inputs[0] for operator in graph.of("DEQUANTIZE")},
        rounded=before,
        between=[*(floats[name] for name in graph.rounding), *set(before.values()) - {*floats.values(), *graph.names}],
        asked=graph.asked,
    )
    facts = Facts(signature=signature) if signature else Facts()
    return Loaded(None, graph.inputs, ends, dict(zip(ends, graph.outputs)), rows, facts, file)


def _shape(tensor: Any) -> list[int]:
    return [int(size) for size in tensor.ShapeAsNumpy()] if tensor.ShapeLength() else []


def _layout(kind: str, rank: int | None) -> str | None:
    """Return the layout of what an operator makes: TensorFlow Lite holds channels last throughout."""
    if kind in _UNKNOWN:
        return None
    return channels_last(rank) or ("NHWC" if any(word in kind for word in _SPATIAL) else None)


@dataclass(frozen=True)
class _LiteOperator:
    kind: str
    inputs: list[str]
    outputs: list[str]


@dataclass(frozen=True)
class _LiteGraph:
    """The main graph of a file, by the names of its tensors; scales are those of the quantised ones."""

    names: list[str]
    operators: list[_LiteOperator]
    inputs: list[str]
    outputs: list[str]
    scales: dict[str, Any]
    shapes: dict[str, list[int]]
    variables: list[str]

    def of(self, kind: str) -> list[_LiteOperator]:
        return [operator for operator in self.operators if operator.kind == kind]

    @property
    def quantising(self) -> dict[str, str]:
        """For each output of a QUANTIZE, or of several in a row, what they began with."""
        found: dict[str, str] = {}
        for operator in self.of("QUANTIZE"):
            found[operator.outputs[0]] = found.get(operator.inputs[0], operator.inputs[0])
        return found

    @property
    def asked(self) -> dict[str, list[int]]:
        """For each input that says which shape an operator makes, the shape that the file notes."""
        found: dict[str, list[int]] = {}
        for operator in self.operators:
            place = _ASKED.get(operator.kind, len(operator.inputs))
            for name in set(operator.inputs[place : place + 1]).intersection(self.inputs):
                shape = self.shapes[operator.outputs[0]]
                found.update({name: shape} if self.shapes[name] == [len(shape)] else {})
        return found

    @property
    def ranks(self) -> dict[str, int | None]:
        """The number of axes of each tensor; None where the file does not say: a scalar's shape has no axes as well."""
        return {name: len(shape) or None for name, shape in self.shapes.items()}

    @property
    def rounding(self) -> list[str]:
        """The quantised tensors of no layer that were rounded: of another scale than what they are made of."""
        return [
            name
            for operator in self.operators
            if operator.kind not in (*_LAYERS, "QUANTIZE")
            for name in operator.outputs
            if name in self.scales and self.scales[name] not in [self.scales.get(given) for given in operator.inputs]
        ]


def _read(path: str) -> _LiteGraph:
    from tf2onnx.tflite_utils import read_tflite_model

    graphs, kinds, _, _ = read_tflite_model(path)
    graph = graphs[-1]
    tensors = [graph.Tensors(place) for place in range(graph.TensorsLength())]
    names = [tensor.Name().decode() for tensor in tensors]
    operators = []
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        given = [names[place] for place in operator.InputsAsNumpy() if place >= 0] if operator.InputsLength() else []
        made = [names[place] for place in operator.OutputsAsNumpy() if place >= 0] if operator.OutputsLength() else []
        operators.append(_LiteOperator(kinds[operator.OpcodeIndex()], given, made))
    return _LiteGraph(
        names,
        operators,
        [names[graph.Inputs(place)] for place in range(graph.InputsLength())],
        [names[graph.Outputs(place)] for place in range(graph.OutputsLength())],
        {name: _scale(tensor) for name, tensor in zip(names, tensors) if _scale(tensor)},
        {name: _shape(tensor) for name, tensor in zip(names, tensors)},
        [name for name, tensor in zip(names, tensors) if tensor.IsVariable()],
    )


def _check_operators(graph: _LiteGraph, opset: int) -> None:
    """Refuse what keeps a state or has no translation, before it runs: some of that ends the interpreter's process."""
    from tf2onnx import tfonnx  # noqa: F401 (it fills the tables)
    from tf2onnx.handler import tf_op, tfl_op

    states = [
        (operator.kind, "".join(operator.outputs[:1])) for operator in graph.operators if operator.kind in _STATEFUL
    ]
    if states or graph.variables:
        kind, name = states[0] if states else ("", graph.variables[0])
        what = f"{kind} at '{name}'" if name and kind else kind or f"'{name}'"
        raise Refusal(f"the model keeps a state between runs ({what}), which ONNX does not have", "unsupported")
    known = {*tfl_op.create_tfl_to_tf_mapping(), *tf_op.create_mapping(opset, [])}
    unknown = [
        operator
        for operator in graph.operators
        if f"TFL_{operator.kind}" not in known and not operator.kind.startswith("Flex")
    ]
    made = {name for operator in graph.operators if operator not in unknown for name in operator.outputs}
    before = next((f"'{name}'" for operator in unknown for name in operator.inputs if name in made), "")
    refuse_untranslated(((operator.kind, "".join(operator.outputs[:1])) for operator in unknown), before)


def _scale(tensor: Any) -> tuple[Any, ...]:
    """Return scales and zero points of a quantised tensor, nothing for another."""
    parameters = tensor.Quantization()
    if parameters is None or parameters.ScaleIsNone() or parameters.ZeroPointIsNone():
        return ()
    return (*parameters.ScaleAsNumpy().tolist(), *parameters.ZeroPointAsNumpy().tolist())


def _check(tensorflow: ModuleType, path: str, trust: bool) -> None:
    """Refuse a file with buffers that point past its end, which tf2onnx does not check, or with unsafe operators."""
    from tf2onnx.tflite.Model import Model

    with open(path, "rb") as file:
        data = bytearray(file.read())
    try:
        model = Model.GetRootAsModel(data, 0)
        for place in range(model.BuffersLength()):
            model.Buffers(place).DataAsNumpy()
        nodes = list(_tensorflow_nodes(tensorflow, model))
    except Exception as error:
        raise Refusal("the TensorFlow Lite file is damaged or cut short") from error
    if not trust:
        check_nodes(nodes)


def _tensorflow_nodes(tensorflow: ModuleType, model: Any) -> Iterator[NodeDef]:
    """Give TensorFlow's own operators as nodes: they are called `Flex...` and hold the whole node that they run."""
    from flatbuffers import flexbuffers

    codes = [model.OperatorCodes(place).CustomCode() or b"" for place in range(model.OperatorCodesLength())]
    graphs = [model.Subgraphs(place) for place in range(model.SubgraphsLength())]
    for operator in (graph.Operators(place) for graph in graphs for place in range(graph.OperatorsLength())):
        code = codes[operator.OpcodeIndex()].decode()
        if code.startswith("Flex"):
            options = operator.CustomOptionsAsNumpy().tobytes()
            # As bytes, because those of a node are not text.
            name, node = (part.AsStringBytes for part in flexbuffers.GetRoot(options).AsVector)
            for op in (code[len("Flex") :], name.decode()):
                yield tensorflow.compat.v1.NodeDef(name=code, op=op)
            yield tensorflow.compat.v1.NodeDef.FromString(node)
