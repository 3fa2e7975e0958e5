"""Shape arithmetic: the small arrays of sizes that exporters compute in a graph, as `Shape -> Gather -> Div -> Slice`.

An element is a number, a symbol of the model, or None where it is not known (elements.py). Of the shape
(N, 3, 224, 224) a `Gather` of the last two gives the numbers (224, 224) whatever N is.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.constants import array_of, constant_of
from onnxviz.graph.elements import ELEMENTWISE, OF_MANY, REDUCTIONS, of_numbers, of_symbols, sizes_kept
from onnxviz.graph.graph import dtype_name
from onnxviz.graph.node import Node

Numbers = np.ndarray[Any, np.dtype[np.object_]]
"""An array of numbers, symbols and None."""

MOST_NUMBERS = 1 << 10
"""What has more elements is data and no sizes."""

_LARGEST = 1 << 62


def calculate(node: Node, operands: Sequence[Numbers | None], dtype: str | None) -> Sequence[Numbers]:
    """Return the arrays that a node makes of its operands, none where they cannot be told.

    Args:
        node: any node.
        operands: an array for each input, None for one that is left out or not known.
        dtype: of the results; numbers are rounded as it holds them.
    """
    try:
        made = _RULES[node.operator](_Call(node, operands))
    except (*MALFORMED, TypeError, ArithmeticError):
        return ()
    arrays = [np.asarray(array, dtype=object) for array in (made if isinstance(made, list) else [made])]
    if any(array.size > MOST_NUMBERS for array in arrays):
        return ()
    kind = np.dtype(dtype).type if dtype in ("float16", "float32") else float
    with np.errstate(over="ignore"):
        return [_each(lambda element: _held(element, kind), array) for array in arrays]


class _Call:
    """A node with what is known of its operands; asking for what is not known raises a ValueError."""

    def __init__(self, node: Node, operands: Sequence[Numbers | None]) -> None:
        self.node = node
        self._operands = operands

    def __getitem__(self, place: int) -> Numbers:
        found = self._operands[place] if place < len(self._operands) else None
        if found is None:
            raise ValueError(f"operand {place} is not known")
        return found

    @property
    def all(self) -> list[Numbers]:
        """Every operand."""
        return [self[place] for place in range(len(self.node.inputs))]

    def is_given(self, place: int) -> bool:
        """Return whether the node has an input at a place."""
        return place < len(self.node.inputs) and bool(self.node.inputs[place])

    def integers(self, place: int, attribute: str = "") -> list[int]:
        """Return whole numbers of an operand or, as older operator sets have it, of an attribute."""
        if self.is_given(place):
            found = self[place].reshape(-1).tolist()
        else:
            found = list(self.node.integers(attribute) or ()) if attribute else []
        if not all(isinstance(number, int) for number in found):
            raise ValueError(f"the numbers of operand {place} are not known")
        return found


def _each(function: Callable[..., Any], *arrays: Numbers) -> Numbers:
    """Apply a function to the elements of arrays, with broadcasting."""

    def one(*elements: Any) -> Any:
        try:
            return function(*elements)
        except (ArithmeticError, ValueError):
            return None

    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    if math.prod(shape) > MOST_NUMBERS:
        raise ValueError(f"an array of shape {shape} holds no sizes")
    return np.asarray(np.frompyfunc(one, len(arrays), 1)(*arrays), dtype=object).reshape(shape)


def _held(element: Any, kind: Callable[[float], Any]) -> Any:
    """Return an element as the dtype of its array holds it, None where it is beyond all sizes."""
    if not isinstance(element, int | float) or isinstance(element, bool):
        return element
    if not -_LARGEST <= element <= _LARGEST:
        return None
    return float(kind(element)) if isinstance(element, float) else element


def _remainder(call: _Call) -> Numbers:
    function = math.fmod if call.node.integer("fmod", 0) else operator.mod
    return _each(of_symbols(function, same=0), *call.all)


def _clip(call: _Call) -> Numbers:
    low, high = (call[place] if call.is_given(place) else None for place in (1, 2))
    raised = call[0] if low is None else _each(OF_MANY["Max"], call[0], low)
    return raised if high is None else _each(OF_MANY["Min"], raised, high)


def _cast(call: _Call) -> Numbers:
    kind = dtype_name(call.node.integer("to", 0)) or ""
    convert = int if kind.startswith(("int", "uint")) else {"bool": bool}.get(kind, float)
    if not kind.startswith(("int", "uint", "float", "bool")):
        raise ValueError(f"a number is not cast to {kind}")
    return _each(of_numbers(convert) if convert is bool else sizes_kept(convert), call[0])


def _reduced(function: Callable[[Any, Any], Any]) -> Callable[[_Call], Any]:
    """Return the rule of a reduction."""

    def rule(call: _Call) -> Numbers:
        array = call[0]
        axes = [axis % max(array.ndim, 1) for axis in call.integers(1, "axes")] or list(range(array.ndim))
        if not call.integers(1, "axes") and call.node.integer("noop_with_empty_axes", 0):
            return array
        kept = [axis for axis in range(array.ndim) if axis not in axes]
        lines = array.transpose([*kept, *axes]).reshape((*(array.shape[axis] for axis in kept), -1))
        found = np.empty(lines.shape[:-1], dtype=object)
        for place in np.ndindex(found.shape):
            line = list(lines[place])
            found[place] = functools.reduce(function, line) if line else None
        if not call.node.integer("keepdims", 1):
            return found
        return found.reshape([1 if axis in axes else array.shape[axis] for axis in range(array.ndim)])

    return rule


def _pointwise(function: Callable[..., Any]) -> Callable[[_Call], Any]:
    """Return the rule of a function of numbers and symbols."""
    return lambda call: _each(function, *call.all)


def _variadic(function: Callable[[Any, Any], Any]) -> Callable[[_Call], Any]:
    """Return the rule of a function that joins any number of arrays, two at a time."""
    return lambda call: functools.reduce(lambda a, b: _each(function, a, b), call.all)


def _squeeze(call: _Call) -> Numbers:
    axes = call.integers(1, "axes")
    return np.squeeze(call[0], tuple(axes) if axes else None)


def _reshape(call: _Call) -> Numbers:
    array, asked = call[0], call.integers(1, "shape")
    if not call.node.integer("allowzero", 0):
        asked = [array.shape[place] if size == 0 else size for place, size in enumerate(asked)]
    return array.reshape(asked)


def _flatten(call: _Call) -> Numbers:
    axis = call.node.integer("axis", 1)
    return call[0].reshape((math.prod(call[0].shape[:axis]), -1))


def _slice(call: _Call) -> Numbers:
    starts, ends = call.integers(1, "starts"), call.integers(2, "ends")
    axes, steps = call.integers(3, "axes") or list(range(len(starts))), call.integers(4) or [1] * len(starts)
    places = [slice(None)] * call[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places[axis] = slice(start, end, step)
    return call[0][tuple(places)]


def _gather(call: _Call) -> Numbers:
    places = np.array(call.integers(1), dtype=np.int64).reshape(call[1].shape)
    return np.asarray(np.take(call[0], places, axis=call.node.integer("axis", 0)), dtype=object)


def _split(call: _Call) -> list[Numbers]:
    axis, count = call.node.integer("axis", 0), len(call.node.outputs)
    size = call[0].shape[axis]
    part = -(-size // count)
    sizes = call.integers(1, "split") or [min(part, size - place * part) for place in range(count)]
    ends = np.cumsum(sizes)
    if len(sizes) != count or ends[-1] != size:
        raise ValueError(f"{size} numbers are not split into {sizes}")
    return list(np.split(call[0], ends[:-1], axis=axis))


def _filled(call: _Call) -> Numbers:
    stored = constant_of(call.node.proto)
    number = 0.0 if stored is None else np.asarray(array_of(stored)).reshape(-1)[0].item()
    return np.full(_small(call.integers(0)), number, dtype=object)


def _small(shape: Sequence[int]) -> Sequence[int]:
    if math.prod(shape) > MOST_NUMBERS or len(shape) > 8:
        raise ValueError(f"an array of shape {shape} holds no sizes")
    return shape


def _expand(call: _Call) -> Numbers:
    shape = np.broadcast_shapes(call[0].shape, tuple(_small(call.integers(1))))
    return np.broadcast_to(call[0], _small(shape))


def _tile(call: _Call) -> Numbers:
    repeats = call.integers(1)
    _small([size * count for size, count in zip(call[0].shape, repeats, strict=True)])
    return np.tile(call[0], repeats)


def _range(call: _Call) -> Numbers:
    start, limit, step = (array.item() for array in call.all)
    count = max(math.ceil((limit - start) / step), 0)
    if count > MOST_NUMBERS:
        raise ValueError(f"{count} numbers are too many for sizes")
    return np.array([start + place * step for place in range(count)], dtype=object)


def _non_zero(call: _Call) -> Numbers:
    if not all(isinstance(number, int | float) for number in call[0].reshape(-1)):
        raise ValueError("the numbers are not known")
    return np.array(np.nonzero(call[0].astype(bool)), dtype=np.int64).astype(object)


_RULES: Mapping[str, Callable[[_Call], Any]] = {
    **{name: _pointwise(function) for name, function in ELEMENTWISE.items()},
    **{name: _variadic(function) for name, function in OF_MANY.items()},
    **{name: _reduced(function) for name, function in REDUCTIONS.items()},
    "Identity": lambda call: call[0],
    "Cast": _cast,
    "Mod": _remainder,
    "Clip": _clip,
    "Squeeze": _squeeze,
    "Unsqueeze": lambda call: np.expand_dims(call[0], tuple(call.integers(1, "axes"))),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": lambda call: np.transpose(call[0], call.node.integers("perm")),
    "Concat": lambda call: np.concatenate(call.all, axis=call.node.integer("axis", 0)),
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
    "ConstantOfShape": _filled,
    "Expand": _expand,
    "Tile": _tile,
    "Range": _range,
    "NonZero": _non_zero,
}

ARITHMETIC = frozenset(_RULES)
"""The operators whose results can be calculated from numbers."""
