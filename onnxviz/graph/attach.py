"""Statistics of a value's channels as outputs of the graph: the greatest number, its first place, the mean.

For a map `m` of shape `(N, C, H, W)`:

    rows     = ReduceMax(m, axis W)            (N, C, H)
    greatest = ReduceMax(rows, axis H)         (N, C)
    y        = ArgMax(rows, axis H)            (N, C, 1)
    x        = ArgMax(GatherND(m, y), axis W)  (N, C, 1)     only the row of the greatest number is looked through
    mean     = ReduceMean(ReduceMean(m, axis W), axis H)

1. The nodes of the **last** value come first. onnxruntime sorts nodes from the last leaf back, so that the reductions
   of a value then run as soon as it is there, and let it go. In the order of the graph they would all run after the
   last layer, with every map alive: 615 MiB instead of 345 for all convolutions of EfficientNet-Lite0, batches of 8.
2. The row first: an ArgMax over all places takes 0.65 ns a number, ReduceMax 0.11, and the rest looks at one row.
3. What lies before a bounded nonlinearity is ranked in its place (`before_bound`): behind a ReLU6 the greatest numbers
   of many pictures are all 6, and any nine of them are as good as any other.
4. Column of other types than float32 are cast; codes are read as what they stand for (readout.py).
5. Results stay apart: a Concat of all of them would hold every map again.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from onnxviz.graph.cut import cut
from onnxviz.graph.graph import Graph
from onnxviz.graph.readout import read_out
from onnxviz.layout import TensorSpec

_ROWS_FROM = 196
"""Column of a map from which on its rows are looked at first: below, one ArgMax is as fast."""
_AXES_AS_INPUT = 18
_GATHERS = 12


@dataclass(frozen=True, slots=True)
class Bound:
    """What lies before a bounded nonlinearity: the value, the operator, and the number from which on it is at its end.

    A Sigmoid and a Tanh never reach their end: theirs is where they come within a thousandth of it.
    """

    before: str
    op: str
    ceiling: float


@dataclass(frozen=True, slots=True)
class MapShape:
    """Which axis of a value is what: a letter for each, and its sizes, None where they are not known."""

    layout: str
    sizes: tuple[int | None, ...]

    @property
    def moves(self) -> tuple[int, ...]:
        """The axes in the order batch, channels, places."""
        return tuple(sorted(range(len(self.layout)), key=lambda axis: "NGC".find(self.layout[axis]) + 1 or 4))

    @property
    def channels(self) -> int | None:
        """How many channels there are, groups of them taken together."""
        return _product([self.sizes[axis] for axis in self.moves if self.layout[axis] in "GC"])

    @property
    def places(self) -> tuple[int | None, ...]:
        """The sizes of the axes of places, in order; empty for a vector."""
        return tuple(self.sizes[axis] for axis in self.moves if self.layout[axis] not in "NGC")

    @property
    def has_batch(self) -> bool:
        """Whether there is an axis of items."""
        return "N" in self.layout


@dataclass(frozen=True, slots=True)
class ChannelReduction:
    """A value to reduce, and the value of the same shape whose greatest number is looked for."""

    value: str
    ranked: str
    shape: MapShape


@dataclass(frozen=True, slots=True)
class ReducedOutputs:
    """The outputs of one reduction, each `(N, C)`, or `(N, C, 1)` for places.

    `places` has no output for a vector, one for the flat place, or two for the row and the place in it. `map` is what
    is ranked, whole, `(N, C, ...)`; empty where it is not fetched.
    """

    greatest: str
    mean: str
    places: tuple[str, ...] = ()
    map: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (self.greatest, *self.places, self.mean, *([self.map] if self.map else []))


@dataclass(frozen=True, slots=True)
class Attached:
    """A graph that gives statistics of channels and nothing else, and the outputs of each reduction."""

    graph: Graph
    outputs: tuple[ReducedOutputs, ...]


@dataclass(frozen=True, slots=True)
class Pooling:
    """A value to hand out: whole, or of each channel the `mean` or the greatest number, `max`, over all places."""

    value: str
    shape: MapShape
    pool: str = "none"


def before_bound(graph: Graph, value: str) -> Bound | None:
    """Return what a bounded nonlinearity makes a value of; None where another node makes it.

    Those are Clip with a constant upper end, HardSigmoid, Sigmoid and Tanh.
    """
    node = graph.producers.get(value)
    if node is None or node.operator not in ("Clip", "HardSigmoid", "Sigmoid", "Tanh") or not node.inputs:
        return None
    if node.operator == "HardSigmoid":
        alpha, beta = float(node.attribute("alpha", 0.2)), float(node.attribute("beta", 0.5))
        return Bound(node.inputs[0], node.op, (1 - beta) / alpha) if alpha > 0 else None
    if node.operator != "Clip":
        return Bound(node.inputs[0], node.op, math.log(999) if node.operator == "Sigmoid" else math.atanh(0.999))
    ceiling = node.attribute("max", None)
    if len(node.inputs) > 2:
        constant = graph.constant(node.inputs[2])
        ceiling = None if constant is None or constant.size != 1 else float(constant.reshape(()))
    if ceiling is None or not math.isfinite(ceiling) or ceiling > 1e30:
        return None
    return Bound(node.inputs[0], node.op, float(ceiling))


def attach(
    graph: Graph,
    reductions: Sequence[ChannelReduction],
    types: Mapping[str, TensorSpec],
    mapped: Container[int] = (),
) -> Attached:
    """Return the graph cut to what the reductions need, with their results as its only outputs.

    Args:
        graph: the model.
        reductions: what is reduced, in the order of the graph.
        types: what is known of each value.
        mapped: the places of those reductions whose maps are handed out as well.
    """
    values = dict.fromkeys(name for each in reductions for name in (each.ranked, each.value))
    readout = read_out(graph, [value for value in values if value in graph.producers], types)
    read = {reading.value: output for output, reading in readout.readings.items()}
    builder = _Builder(readout.graph, readout.types)
    outputs = [builder.reduce(each, read) for each in reversed(reductions)][::-1]
    outputs = [
        replace(each, map=builder.ranked(reduction, read)) if place in mapped else each
        for place, (each, reduction) in enumerate(zip(outputs, reductions, strict=True))
    ]
    names = [name for each in outputs for name in each.names]
    whole, made = builder.graph(), set(builder.types)
    return Attached(cut(whole, names, {name: builder.types[name] for name in names if name in made}), tuple(outputs))


def attach_pooled(
    graph: Graph, poolings: Sequence[Pooling], types: Mapping[str, TensorSpec], dtype: str
) -> tuple[Graph, tuple[str, ...]]:
    """Return the graph cut to these values, and its only outputs, one for each, all of one dtype.

    Of a value that is not pooled the axis of items comes first, if it has one, and all others stay as they are; what is
    pooled is `(N, C)`. Codes are read as what they stand for.

    Args:
        graph: the model.
        poolings: what is handed out, in the order of the graph.
        types: what is known of each value.
        dtype: `float32` or `float16`.
    """
    values = dict.fromkeys(each.value for each in poolings)
    readout = read_out(graph, [value for value in values if value in graph.producers], types)
    read = {reading.value: output for output, reading in readout.readings.items()}
    builder = _Builder(readout.graph, readout.types)
    names = [builder.pooled(each, read.get(each.value, each.value), dtype) for each in reversed(poolings)][::-1]
    whole = builder.graph()
    return cut(whole, names, {name: builder.types[name] for name in names if name in builder.types}), tuple(names)


@dataclass(slots=True)
class _Builder:
    """Appends nodes to a graph."""

    base: Graph
    known: Mapping[str, TensorSpec]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)
    types: dict[str, TensorSpec] = field(default_factory=dict)
    _folded: dict[tuple[str, bool], str] = field(default_factory=dict)
    _numbers: dict[str, str] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)

    def graph(self) -> Graph:
        """Return the graph with all that was appended."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.base.proto)
        proto.graph.node.extend(self.nodes)
        proto.graph.initializer.extend(self.constants.values())
        return Graph.from_proto(proto)

    def reduce(self, wanted: ChannelReduction, read: Mapping[str, str]) -> ReducedOutputs:
        """Append the nodes of one reduction."""
        shape = wanted.shape
        in_rows = _in_rows(shape) and self.base.opset >= _GATHERS
        ranked = self._fold(read.get(wanted.ranked, wanted.ranked), shape, in_rows)
        found = self._fold(read.get(wanted.value, wanted.value), shape, in_rows)
        if not shape.places:
            return ReducedOutputs(self._out("Identity", [ranked], "greatest"), self._out("Identity", [found], "mean"))
        if not in_rows:
            greatest = self._out_reduced("ReduceMax", ranked, 2, "greatest")
            place = self._out("ArgMax", [ranked], "place", dtype="int64", axis=2, keepdims=1)
            return ReducedOutputs(greatest, self._out_reduced("ReduceMean", found, 2, "mean"), (place,))
        rows = self._reduced("ReduceMax", ranked, 3, "rows")
        greatest = self._out_reduced("ReduceMax", rows, 2, "greatest")
        row = self._out("ArgMax", [rows], "row", dtype="int64", axis=2, keepdims=1)
        line = self._node("GatherND", [ranked, row], "line", batch_dims=2)
        place = self._out("ArgMax", [line], "place", dtype="int64", axis=2, keepdims=1)
        means = self._reduced("ReduceMean", found, 3, "means")
        return ReducedOutputs(greatest, self._out_reduced("ReduceMean", means, 2, "mean"), (row, place))

    def pooled(self, wanted: Pooling, read: str, dtype: str) -> str:
        """Append the nodes that make an output of a value, and return its name."""
        shape, spec = wanted.shape, self.known.get(read)
        if wanted.pool == "none":
            made, known = read, "" if spec is None else spec.dtype
            items = shape.layout.find("N")
            if items > 0:
                axes = [axis for axis in range(len(shape.layout)) if axis != items]
                made = self._node("Transpose", [made], "items", perm=[items, *axes])
            rank = len(shape.sizes)
        else:
            made, known, rank = self._pool(read, wanted), "float32", 2
        if known != dtype:
            made = self._node("Cast", [made], dtype, to=getattr(TensorProto, dtype.replace("float32", "float").upper()))
        return self._typed(made, dtype, rank) if made != read else read

    def _pool(self, value: str, wanted: Pooling) -> str:
        shape, spec = wanted.shape, self.known.get(value)
        if wanted.pool == "mean" and shape.layout == "NCHW" and spec is not None and spec.dtype == "float32":
            # onnxruntime lays the maps of convolutions in blocks, which this operator reads as they are.
            pooled = self._node("GlobalAveragePool", [value], "mean")
            return self._node("Flatten", [pooled], "row", axis=1)
        folded = self._fold(value, shape, in_rows=False)
        if not shape.places:
            return self._node("Identity", [folded], wanted.pool)
        return self._reduced({"mean": "ReduceMean", "max": "ReduceMax"}[wanted.pool], folded, 2, wanted.pool)

    def ranked(self, wanted: ChannelReduction, read: Mapping[str, str]) -> str:
        """Return the value that is ranked, in the form in which it is."""
        in_rows = _in_rows(wanted.shape) and self.base.opset >= _GATHERS
        return self._fold(read.get(wanted.ranked, wanted.ranked), wanted.shape, in_rows)

    def _fold(self, value: str, shape: MapShape, in_rows: bool) -> str:
        """Bring a value to float32 and to `(N, C)`, `(N, C, places)` or, in rows, `(N, C, rows, width)`."""
        if (value, in_rows) in self._folded:
            return self._folded[value, in_rows]
        folded, spec = value, self.known.get(value)
        if spec is None or spec.dtype != "float32":
            folded = self._node("Cast", [folded], "float", to=TensorProto.FLOAT)
        if shape.moves != tuple(range(len(shape.layout))):
            folded = self._node("Transpose", [folded], "moved", perm=list(shape.moves))
        sizes = [0 if shape.has_batch else 1, shape.channels or -1]
        sizes += [-1, shape.places[-1] or 1] if in_rows else [-1] if shape.places else []
        if len(sizes) != len(shape.layout) or not shape.has_batch:
            folded = self._node("Reshape", [folded, self._constant(sizes)], "folded")
        self._folded[value, in_rows] = folded
        return folded

    def _reduced(self, op: str, value: str, axis: int, kind: str) -> str:
        if self.base.opset >= _AXES_AS_INPUT:
            return self._node(op, [value, self._constant([axis])], kind, keepdims=0)
        return self._node(op, [value], kind, axes=[axis], keepdims=0)

    def _out_reduced(self, op: str, value: str, axis: int, kind: str) -> str:
        return self._typed(self._reduced(op, value, axis, kind), "float32", 2)

    def _out(self, op: str, inputs: Sequence[str], kind: str, dtype: str = "float32", **attributes: int) -> str:
        return self._typed(self._node(op, inputs, kind, **attributes), dtype, 3 if dtype == "int64" else 2)

    def _typed(self, name: str, dtype: str, rank: int) -> str:
        self.types[name] = TensorSpec(name, dtype, (None,) * rank)
        return name

    def _node(self, op: str, inputs: Sequence[str], kind: str, **attributes: Any) -> str:
        name = self._free(f"{inputs[0]}:{kind}")
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def _constant(self, numbers: Sequence[int]) -> str:
        key = ",".join(map(str, numbers))
        if key not in self._numbers:
            name = self._numbers[key] = self._free(f"sizes:{key}")
            self.constants[name] = numpy_helper.from_array(numpy.array(numbers, numpy.int64), name)
        return self._numbers[key]

    def _free(self, name: str) -> str:
        while name in self.base.producers or name in self.base.initializers or name in self._made:
            name += "'"
        self._made.add(name)
        return name


def _in_rows(shape: MapShape) -> bool:
    """Return whether the rows of a map are looked at first; maps of open sizes are taken to be large."""
    places = shape.places
    is_reshaped = not shape.has_batch or len(shape.layout) != 4 or len(places) != 2
    if len(places) < 2 or (is_reshaped and places[-1] is None):
        return False
    size = _product(places)
    return size is None or size >= _ROWS_FROM


def _product(sizes: Sequence[int | None]) -> int | None:
    return None if None in sizes else math.prod(size for size in sizes if size is not None)
