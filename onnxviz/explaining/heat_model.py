"""`heat_model`: a classifier that puts out the heat of a class beside its own outputs, in ONNX's operators alone.

It takes one input more, `class_index`, a class for each item of the batch; -1 asks for the strongest one. It has no
default: OpenVINO makes a constant of an input with one, silently, and every class then has the same map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from onnxviz.errors import UnsupportedError
from onnxviz.explaining.explanation import Explanation
from onnxviz.explaining.map_layers import MapLayer
from onnxviz.explaining.network import Network
from onnxviz.gradient.emit import OPSET, Emitter, Signal
from onnxviz.gradient.forward import Forward
from onnxviz.gradient.one_graph import GradientEnds, joined, with_ends
from onnxviz.graph.cut import known_values
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.topology import free_name
from onnxviz.graph.upgrade import upgraded
from onnxviz.layout import TensorSpec, TokenGrid, channel_axis, spatial_axes
from onnxviz.model import Model
from onnxviz.words import quoted

_TINY = 1e-12
_MAP_AXES = (2, 3)


@dataclass(frozen=True, slots=True)
class HeatModel:
    """A model that puts out heat, and the names by which it is asked for it.

    Attributes:
        model: the model; its weights lie in the file of the one it was made of.
        class_input: int64, `(N,)`.
        heat_output: float32, `(N, h, w)`.
    """

    model: Model
    class_input: str
    heat_output: str


Formula = Callable[[Signal, Signal], Signal]
"""Makes heat, `(N, 1, h, w)`, of maps and their gradient, `(N, C, h, w)`."""


def _positive_sum(weighed: Signal) -> Signal:
    return weighed.total([1]).map("Relu")


def _gradcam(maps: Signal, gradient: Signal) -> Signal:
    return _positive_sum(gradient.reduce("Mean", _MAP_AXES) * maps)


def _gradcam_plus_plus(maps: Signal, gradient: Signal) -> Signal:
    share = 1.0 / _not_tiny(maps.total(_MAP_AXES) * gradient + 2.0)
    return _positive_sum((share * gradient.map("Relu")).total(_MAP_AXES) * maps)


def _xgradcam(maps: Signal, gradient: Signal) -> Signal:
    return _positive_sum((gradient * maps).total(_MAP_AXES) / _not_tiny(maps.total(_MAP_AXES)) * maps)


def _hirescam(maps: Signal, gradient: Signal) -> Signal:
    return _positive_sum(gradient * maps)


def _layercam(maps: Signal, gradient: Signal) -> Signal:
    return _positive_sum(gradient.map("Relu") * maps)


def _size(maps: Signal, gradient: Signal) -> Signal:
    return gradient.map("Abs").reduce("Max", [1])


def _not_tiny(divisor: Signal) -> Signal:
    emit = divisor.emit
    return emit.op("Where", divisor.map("Abs") > _TINY, divisor, emit.constant(1.0))


# The formulas of class_activation.py and input_gradients.py, as graphs; `eigencam` needs eigenvectors, which have none.
FORMULAS: Mapping[str, Formula] = {
    "gradcam": _gradcam,
    "gradcam++": _gradcam_plus_plus,
    "xgradcam": _xgradcam,
    "hirescam": _hirescam,
    "layercam": _layercam,
    "gradient": _size,
}
"""Each method whose heat a model can put out itself."""


def heat_model(network: Network, shown: Explanation, layer: MapLayer | None) -> HeatModel:
    """Return the model that puts out what an explanation shows, for every class.

    Args:
        network: the model on the input of the explanation.
        shown: a map of a class by one of FORMULAS.
        layer: the layer of the maps; None for a map of the input.

    Raises:
        UnsupportedError: Which branch an If takes depends on the input, or the model cannot be converted to opset 18.
    """
    newer = Network(_in_one_opset(network.model), network.feed)
    wrt = network.input if layer is None else layer.value
    made = newer.gradient(shown.target.value, (wrt,)).models
    if made is None or made.conditions:
        raise UnsupportedError("which branch is taken depends on the input: no single graph is its gradient")
    graph = joined(made)
    types = infer_types(graph)
    emit = Emitter(Forward(graph, types), types[made.seed].dtype or "float32")
    held = known_values(graph)
    names = free_name("class_index", held), free_name("heat", held)
    item = next(spec for spec in network.model.inputs if spec.name == network.input)
    batch = (item.shape[0] if item.shape else None) or "batch"
    sources = [Signal(emit, name) for name in (wrt, made.outputs[wrt])]
    maps, gradient = (_as_maps(one, types, network, layer) for one in sources)
    heat = FORMULAS[shown.method](maps, gradient).squeeze([1])
    ends = GradientEnds(
        inputs=(TensorSpec(names[0], "int64", (batch,)),),
        seed=_seed(emit, types[shown.target.value], names[0]),
        outputs=(TensorSpec(names[1], emit.dtype.name, (batch, None, None)),),
        results=(heat,),
    )
    return HeatModel(Model(network.model.file, with_ends(graph, made, emit, ends)), *names)


def _in_one_opset(model: Model) -> Model:
    """Return a model in the opset of what gradients are written in, where its own is an older one."""
    if model.graph.opset >= OPSET:
        return model
    return Model(model.file, Graph.from_bytes(upgraded(model.graph.to_bytes(), OPSET, model.graph)))


def _seed(emit: Emitter, scores: TensorSpec, class_input: str) -> Signal:
    """Write 1 at the class that is asked for, the strongest where that is below 0, and 0 elsewhere."""
    if scores.shape is None or len(scores.shape) != 2:
        raise UnsupportedError(f"{quoted(scores.name)} is not a vector of class scores for each item")
    asked, own = Signal(emit, class_input), Signal(emit, scores.name)
    zero = emit.constant(np.array(0), np.int64)
    chosen = emit.op("Where", asked < zero, own.map("ArgMax", axis=1, keepdims=0), asked)
    depth = own.sizes().slice(1, 2)
    return emit.op("OneHot", chosen, depth, emit.constant([0.0, 1.0]), axis=-1)


def _as_maps(signal: Signal, types: Mapping[str, TensorSpec], network: Network, layer: MapLayer | None) -> Signal:
    """Return a value, or its gradient, as maps `(N, C, h, w)` in the dtype of gradients."""
    if types[signal.name].dtype != signal.emit.dtype.name:
        signal = signal.number()
    layout = network.feed.main.layout if layer is None else layer.layout
    if isinstance(layout, TokenGrid):
        return _token_maps(signal, layout)
    channel = channel_axis(layout)
    if layout is None or channel is None:
        raise UnsupportedError("its channels are not known")
    return signal.transpose([layout.index("N"), channel, *spatial_axes(layout)])


def _token_maps(signal: Signal, grid: TokenGrid) -> Signal:
    """Return tokens as maps, item by item; `grid` is of a batch of one item, whose axis fell away."""
    channels = [place for place in range(len(grid.split)) if place not in (*grid.items, *grid.tokens)]
    kept = [place for place in range(len(grid.split)) if place not in grid.items]
    order = [kept.index(place) + 1 for place in (*channels, *grid.tokens)]
    split = signal.reshape([-1, *(grid.split[place] for place in kept)]).transpose([0, *order])
    flat = split.reshape([0, math.prod(grid.split[place] for place in channels), len(grid.cells)])
    tokens = [grid.cells.index(cell) for cell in range(math.prod(grid.grid))]
    return signal.emit.op("Gather", flat, signal.emit.ints(tokens), axis=2).reshape([0, 0, *grid.grid])
