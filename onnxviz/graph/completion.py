"""What onnx's inference leaves open, told node by node in the graph's order.

Shape arithmetic is calculated from sizes that are known. A node that is asked for its shape by such numbers, and each
node behind it, is then inferred once more by itself. So one walk follows any number of these nodes in a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from onnxviz.errors import ModelError
from onnxviz.graph.arithmetic import ARITHMETIC, MOST_NUMBERS, Numbers, calculate
from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.carrying import CARRYING
from onnxviz.graph.graph import Graph
from onnxviz.graph.guard import MEASURING
from onnxviz.graph.node import Node
from onnxviz.graph.onnx_inference import infer_node, is_known_to_onnx
from onnxviz.graph.operators.reads.elementwise import pointwise
from onnxviz.graph.operators.reads.rule import KnownSizes, Operand
from onnxviz.graph.operators.table import operator_of, reads_of
from onnxviz.graph.requested_shapes import SHAPED_BY_NUMBERS, Number, broadcast, shape_by_numbers
from onnxviz.layout import Dimension, TensorSpec

_CALCULATED = frozenset({"Shape", *ARITHMETIC})
_MOST_AXES = 64
_LARGEST_SIZE = 1 << 40


def complete(graph: Graph, types: MutableMapping[str, TensorSpec], news: Iterable[str]) -> None:
    """Add to types what follows from them; `news` are the values of which they say more than onnx's inference."""
    completion = _Completion(graph, types, news)
    completion.walk()
    types.update(completion.unnamed())


def with_names(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, TensorSpec]:
    """Return types in which an unknown size that the graph itself asks for has a name of its own.

    So it is seen to be the same where a Reshape is given it: that of (N, 8, ?, ?) to (N, 2, 4, ?, ?) splits channels.
    """
    named = dict(types)
    _Completion(graph, named, ()).walk()
    return named


class _Completion:
    def __init__(self, graph: Graph, types: MutableMapping[str, TensorSpec], news: Iterable[str]) -> None:
        self._graph = graph
        self._types = types
        self._news = set(news)
        self._sizes = KnownSizes(graph, types)
        self._symbols = {size for spec in graph.inputs for size in spec.shape or () if isinstance(size, str)}
        self._names: set[str] = set()
        self._arrays: dict[str, Numbers | None] = {}
        self._wanted = self._find_wanted()

    def walk(self) -> None:
        for node in self._graph.nodes:
            if any(self._is_open(self._types.get(value)) for value in node.outputs if value):
                self._infer(node)
            if not self._wanted.isdisjoint(node.outputs):
                with suppress(*MALFORMED):
                    (self._measure if node.operator == "Shape" else self._calculate)(node)

    def _find_wanted(self) -> set[str]:
        """Return the values that shape arithmetic makes and that a node may be asked by for its shape."""
        wanted: set[str] = set()
        for node in reversed(self._graph.nodes):
            if node.operator in _CALCULATED and not wanted.isdisjoint(node.outputs):
                wanted.update(node.inputs)
            elif _branches(node) is not None:
                wanted.add(node.inputs[0])
            else:
                asked = node.inputs if node.operator == "ConstantOfShape" else node.inputs[1:]
                wanted.update(value for value in asked if self._asks(node, value))
        return wanted

    def _asks(self, node: Node, value: str) -> bool:
        maker, spec = self._graph.producers.get(value), self._types.get(value)
        if maker is None or maker.operator not in _CALCULATED:
            return False
        if spec is None or spec.shape is None:
            return True
        dtypes = ("float32",) if node.operator in ("Resize", "Upsample") else ()
        # A Gather may be given a table of indices, as im2col is written.
        return (len(spec.shape) < 2 or node.operator == "Gather") and spec.dtype in ("int64", "int32", *dtypes)

    def _is_open(self, spec: TensorSpec | None) -> bool:
        """Return whether a size may still be told: it is not known, or has a name that no input has."""
        if spec is None or spec.shape is None:
            return True
        return any(not isinstance(size, int) and size not in self._symbols for size in spec.shape)

    def _infer(self, node: Node) -> None:
        """Ask onnx about one node, then the numbers that it is given, then the operator's rule of reading."""
        self._take_branch(node)
        # One that a guard kept from onnx may be inferred by itself: of sizes below 0 no type here says anything.
        is_kept = node.operator in MEASURING or not is_known_to_onnx(node)
        is_news = is_kept or not self._news.isdisjoint(node.inputs)
        if is_news:
            for spec in infer_node(self._graph, node, self._types, self._vectors(node)):
                self._fill(spec)
        result = next(iter(node.outputs), "")
        known = self._types.get(result, TensorSpec(result))
        if not node.inputs or not result or not self._is_open(known):
            return
        if not (is_news or known.shape is None or node.operator in SHAPED_BY_NUMBERS):
            return
        if (place := operator_of(node).output_scale) is not None:
            codes = self._types.get(next(iter(node.inputs[place + 1 : place + 2]), ""))
            self._fill(TensorSpec(result, None if codes is None else codes.dtype))
            if place == 0:  # what comes first is not what QLinearConcat joins
                return
        shape: Sequence[Dimension] | None = None
        with suppress(*MALFORMED):
            shape = shape_by_numbers(node, self._sizes.shape(node.inputs[0]), [*map(self._listed, node.inputs)])
            shape = self._shape_by_rule(node) if shape is None else shape
        if shape is not None:
            source = self._types.get(node.inputs[0])
            self._fill(TensorSpec(result, None if source is None else source.dtype, tuple(map(_sane, shape))))

    def _take_branch(self, node: Node) -> None:
        """Give an If whose condition comes of sizes what the branch that it always takes makes."""
        made = _branches(node)
        condition = None if made is None else self._numbers(node.inputs[0])
        if made is None or condition is None or condition.size != 1 or not _is_known(condition):
            return
        for result, value in zip(node.outputs, made[0 if condition.item() else 1], strict=True):
            if result and value in self._types:
                self._fill(replace(self._types[value], name=result, numbers=None))

    def _vectors(self, node: Node) -> dict[str, Numbers]:
        """Return the numbers of those inputs that may be sizes, axes, scales and the like."""
        vectors = {}
        for value in filter(None, node.inputs):
            shape = self._sizes.shape(value)
            array = self._numbers(value) if shape is None or len(shape) < 2 else None
            if array is not None and _is_known(array):
                vectors[value] = array
        return vectors

    def _shape_by_rule(self, node: Node) -> Sequence[Dimension] | None:
        """Return the shape of a node that keeps or broadcasts its operands', where onnx does not know its operator."""
        shapes = [self._sizes.shape(value) for value in node.inputs if value]
        source = self._sizes.shape(node.inputs[0])
        if operator_of(node).reads is pointwise:
            known = [shape for shape in shapes if shape is not None]
            return broadcast(known) if len(known) == len(shapes) else None
        reads = None if not source else reads_of(Operand(node, 0, len(source), 0, self._sizes))
        if not source or reads is None or len(reads.axes) != len(source):  # a number says nothing of what stays
            return None
        stays = all(read.out == axis and read.pull is None for axis, read in enumerate(reads.axes))
        return source if stays else None

    def _fill(self, spec: TensorSpec) -> None:
        """Take what is not known yet."""
        known = self._types.get(spec.name, TensorSpec(spec.name))
        shape = known.shape
        if shape is None:
            shape = spec.shape
        elif spec.shape is not None and len(spec.shape) == len(shape):
            pairs = zip(shape, spec.shape, strict=True)
            shape = tuple(
                new if isinstance(new, int) and not isinstance(old, int) else old or new for old, new in pairs
            )
        dtype = spec.dtype if known.dtype is None else known.dtype
        if (dtype, shape) != (known.dtype, known.shape):
            self._types[spec.name] = replace(known, dtype=dtype, shape=shape)
            self._news.add(spec.name)

    def _measure(self, node: Node) -> None:
        shape = self._sizes.shape(node.inputs[0]) if node.inputs else None
        if shape is not None:
            part = self._named(node.inputs[0], shape)[slice(node.integer("start", 0), node.integer("end", len(shape)))]
            array = np.empty(len(part), dtype=object)
            array[:] = part
            self._learn(node.outputs[0], array)

    def _named(self, value: str, shape: Sequence[Dimension]) -> Sequence[Dimension]:
        """Return a shape with a name for each size that is not known; the value has it from now on."""
        if None not in shape or value not in self._types:
            return shape
        named = tuple(f"size {axis} of {value}" if size is None else size for axis, size in enumerate(shape))
        names = {size for size, before in zip(named, shape, strict=True) if isinstance(size, str) and before is None}
        self._names |= names
        self._symbols |= names
        self._types[value] = replace(self._types[value], shape=named)
        self._news.add(value)
        return named

    def unnamed(self) -> dict[str, TensorSpec]:
        """Return the types that hold names which were made up here, without them."""

        def known(elements: Sequence[Any] | None) -> tuple[Any, ...] | None:
            return None if elements is None else tuple(None if one in self._names else one for one in elements)

        return {
            value: replace(spec, shape=known(spec.shape), numbers=known(spec.numbers))
            for value, spec in self._types.items()
            if not self._names.isdisjoint((*(spec.shape or ()), *(spec.numbers or ())))
        }

    def _calculate(self, node: Node) -> None:
        operands = []
        for value in node.inputs:
            operands.append(self._numbers(value) if value else None)
            if value and operands[-1] is None:
                operands[-1] = self._unknown_numbers(value)
                if operands[-1] is None:
                    return
        dtype = self._types.get(node.outputs[0], TensorSpec("")).dtype
        for value, array in zip(node.outputs, calculate(node, operands, dtype), strict=False):
            if value:
                self._learn(value, array)

    def _learn(self, value: str, array: Numbers) -> None:
        """Take the numbers of a value, and with them its shape."""
        self._arrays[value] = array
        self._fill(TensorSpec(value, None, array.shape))
        if any(number is not None for number in array.reshape(-1)):
            self._types[value] = replace(self._types[value], numbers=tuple(array.reshape(-1)))
            self._news.add(value)

    def _numbers(self, value: str) -> Numbers | None:
        """Return the numbers of a value that was calculated, or of a small constant."""
        if value not in self._arrays:
            self._arrays[value] = self._constant(value)
        return self._arrays[value]

    def _constant(self, value: str) -> Numbers | None:
        dims = self._graph.dims(value)
        if dims is None or math.prod(dims) > MOST_NUMBERS:
            return None
        try:
            array = self._graph.constant(value)
        except ModelError:
            return None
        return array.astype(object) if array is not None and array.dtype.kind in "iufb" else None

    def _unknown_numbers(self, value: str) -> Numbers | None:
        """Return numbers that are not known, as many as a short vector of whole numbers holds."""
        spec = self._types.get(value)
        if spec is None or spec.shape is None or spec.dtype not in ("int64", "int32") or len(spec.shape) > 1:
            return None
        sizes = [size for size in spec.shape if isinstance(size, int)]
        is_short = len(sizes) == len(spec.shape) and math.prod(sizes) <= _MOST_AXES
        return np.full(sizes, None, dtype=object) if is_short else None

    def _listed(self, value: str) -> Sequence[Number] | None:
        if not value:
            return None
        array = self._numbers(value)
        array = self._unknown_numbers(value) if array is None else array
        return None if array is None else tuple(array.reshape(-1))


def _branches(node: Node) -> tuple[Sequence[str], Sequence[str]] | None:
    """Return what the then_branch and the else_branch of an If make; None of another node."""
    count = node.integer("carried", 0) if (node.domain, node.op) == (CARRYING, "If") else 0
    return (node.inputs[1 : count + 1], node.inputs[count + 1 :]) if count else None


def _is_known(array: Numbers) -> bool:
    return all(isinstance(number, int | float) for number in array.reshape(-1))


def _sane(size: Dimension) -> Dimension:
    return None if isinstance(size, int) and not 0 <= size < _LARGEST_SIZE else size
