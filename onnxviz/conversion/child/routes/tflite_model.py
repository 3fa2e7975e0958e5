"""A TensorFlow Lite model: tf2onnx reads it by itself, and its operators' tensors are the layers.

What is quantised in it becomes a graph of floats, in which a reader sees maps instead of integers between 170
DequantizeLinear nodes; the rounding in between is then gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from ..authors_names import authors_names
from ..exchange import Refusal, Request
from ..graph_def import NodeDef
from ..loaded import Loaded, Row, channels_last
from ..reaching_out import check_nodes
from ..runners import PREQUANTISED

_LAYERS = frozenset(
    "CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV CONV_3D AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D FULLY_CONNECTED "
    "CONCATENATION ADD ADD_N MUL RELU RELU6 RELU_N1_TO_1 PRELU LEAKY_RELU ELU GELU LOGISTIC TANH SOFTMAX HARD_SWISH "
    "MEAN REDUCE_MAX BATCH_MATMUL RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR DEPTH_TO_SPACE SPACE_TO_DEPTH "
    "LOCAL_RESPONSE_NORMALIZATION".split()
)
_SPATIAL = ("CONV", "POOL", "RESIZE", "SPACE", "LOCAL_RESPONSE")
# A product of two computed values may have any axis last.
_UNKNOWN = ("BATCH_MATMUL",)


def load(tensorflow: ModuleType, request: Request) -> Loaded:
    """Read the model's operators, inputs and outputs.

    Raises:
        Refusal: The file is damaged.
    """
    from tf2onnx.tflite_utils import read_tflite_model

    _check(tensorflow, request["source"], request["trust"])
    try:
        graphs, operators, _, _ = read_tflite_model(request["source"])
        graph = graphs[-1]
        names = {place: graph.Tensors(place).Name().decode() for place in range(graph.TensorsLength())}
        made = [
            (operators[graph.Operators(place).OpcodeIndex()], names[graph.Operators(place).Outputs(0)])
            for place in range(graph.OperatorsLength())
            if graph.Operators(place).OutputsLength()
        ]
        inputs = [names[graph.Inputs(place)] for place in range(graph.InputsLength())]
        outputs = [names[graph.Outputs(place)] for place in range(graph.OutputsLength())]
        variables = [name for place, name in names.items() if graph.Tensors(place).IsVariable()]
    except Exception as error:  # flatbuffers fails in as many ways as there are damaged files
        raise Refusal(f"the TensorFlow Lite file is damaged: {type(error).__name__}: {error}") from error
    if variables:
        raise Refusal(
            f"the model keeps a state between runs ('{variables[0]}'), which ONNX does not have", "unsupported"
        )
    floats = {
        name: name + PREQUANTISED
        for place, name in names.items()
        if _is_quantised(graph.Tensors(place)) and name not in inputs
    }
    kept = [(kind, name) for kind, name in made if kind in _LAYERS]
    authors = authors_names([name.partition(";")[0] for _, name in kept])
    if len(set(authors)) < len(authors):
        authors = [name for _, name in kept]
    ranks = {name: _rank(graph.Tensors(place)) for place, name in names.items()}
    rows = [
        Row(author, kind, floats.get(name, name), _layout(kind, ranks[name]))
        for author, (kind, name) in zip(authors, kept)
    ]
    ends = [floats.get(name, name) for name in outputs]
    return Loaded(None, inputs, ends, dict(zip(ends, outputs)), rows)


def _rank(tensor: Any) -> int | None:
    """Return the number of axes; None where the file does not say: a shape without axes is a scalar's as well."""
    return tensor.ShapeLength() or None


def _layout(kind: str, rank: int | None) -> str | None:
    """Return the layout of what an operator makes: TensorFlow Lite holds channels last throughout."""
    if kind in _UNKNOWN:
        return None
    return channels_last(rank) or ("NHWC" if any(word in kind for word in _SPATIAL) else None)


def _is_quantised(tensor: Any) -> bool:
    quantisation = tensor.Quantization()
    return quantisation is not None and not quantisation.ScaleIsNone() and not quantisation.ZeroPointIsNone()


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
