"""A model as onnx's inference can read it: without what makes its C++ crash, count without end or say what is wrong.

| in onnx 1.23 | what happens | here |
|---|---|---|
| an attribute that counts or indexes before it is compared with the shapes | crash, or 16 GB | another number |
| a size below 0 where Slice clamps or GatherND counts | crash | guard before the node |
| `keepdims=0` of a SplitToSequence that may be given one number | a wrong rank | no `split`, or no rank |
| an STFT that leaves out `onesided`, which is 1 by default | sizes for 0 | `onesided=1` |

A size is below 0 where a file declares it, and where an input is smaller than a window without padding.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence

import onnx
from onnx.helper import make_attribute, make_node, make_tensor

from onnxviz.errors import ModelError, RunError
from onnxviz.graph.constants import Stored, array_of, constant_of, dims_of
from onnxviz.graph.topology import FunctionKey, bodies, every_node, function_key
from onnxviz.words import quoted

_MOST = 1 << 16
_BOUNDS: Mapping[str, range] = {
    "axis": range(-_MOST, _MOST),
    "batch_dims": range(_MOST),
    "num_outputs": range(_MOST),
}
MEASURING = {"Slice": 0, "GatherND": 1}
"""Operators whose inference a size below 0 ends, each with the input that it measures."""

_GUARDED = frozenset(MEASURING) | {"SplitToSequence", "STFT"}
_MOST_AXES = 64
_DEEPEST_CALLS = 64
_ADDED = "\0guard "  # how the names of added values begin

_Holder = onnx.GraphProto | onnx.FunctionProto
_Constants = Mapping[str, Sequence[Stored | None]]
"""All constants of a name; None for one that is not known here."""


def guarded(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model for inference, the same object where it needs no guard.

    1. An attribute out of bounds becomes one that inference refuses: it then knows the node's types and no shapes.
    2. An attribute of a function has the bounds of every attribute that it is handed on to.
    3. `Slice(x, …, axes)` and `GatherND(…, x)` read `x` through `Concat(x, TopK(x, 0))` along each axis that they
       measure: `x` again, but inference takes nothing of a size below 0, and knows no shape from there on.
    4. A `SplitToSequence(x, 1)` that does not keep the axis becomes one without `split`, which means the same:
       inference keeps the axis wherever `split` is given, onnxruntime where it is a list. Where it is computed, `x`
       goes through a Reshape of which inference knows no rank.
    """
    bounds = _bounds(proto.functions)
    nodes = list(itertools.chain(*(every_node(holder.node) for holder in _holders(proto))))
    defaults = [attribute for function in proto.functions for attribute in function.attribute_proto]
    given = itertools.chain(defaults, *(node.attribute for node in nodes))
    any_out = any(_is_out(attribute, bounds) for attribute in given)
    if not any_out and not any(node.op_type in _GUARDED for node in nodes):
        return proto
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    for attribute in _attributes(result) if any_out else ():
        if _is_out(attribute, bounds):
            attribute.i = _MOST
    numbers = itertools.count()
    constants = _Known(result)
    for holder, known in [(holder, constants.of(holder)) for holder in _holders(result)]:
        _guard(holder.node, known, numbers)
    return result


def check_bounds(proto: onnx.ModelProto) -> None:
    """Refuse to run a model with an attribute out of bounds: onnxruntime reads such nodes as onnx's inference does.

    Raises:
        RunError: A node has one.
    """
    bounds = _bounds(proto.functions)
    nodes = [node for holder in _holders(proto) for node in every_node(holder.node)]
    damaged = ((node, each) for node in nodes for each in node.attribute if _is_out(each, bounds))
    node, attribute = next(damaged, (None, None))
    if node is not None and attribute is not None:
        name = quoted(node.name or next(iter(node.output), node.op_type))
        raise RunError(f"the model is damaged: {attribute.name} of the {node.op_type} {name} is {attribute.i}")


def with_default(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a node with the attribute written out of which onnx's inference mistakes the default, else as it is."""
    if node.op_type != "STFT" or any(attribute.name == "onesided" for attribute in node.attribute):
        return node
    result = onnx.NodeProto()
    result.CopyFrom(node)
    result.attribute.append(make_attribute("onesided", 1))
    return result


def is_sound(node: onnx.NodeProto) -> bool:
    """Return whether no attribute of a node is out of bounds: inferred by itself, it then needs no guard."""
    return not any(_is_out(attribute, _BOUNDS) for attribute in node.attribute)


def is_added(value: str) -> bool:
    """Return whether `guarded` added a value of this name."""
    return value.startswith(_ADDED)


def _bounds(functions: Iterable[onnx.FunctionProto]) -> Mapping[str, range]:
    """Return the bounds of attributes by name, functions' own included, through any number of calls."""
    bounds = dict(_BOUNDS)
    nodes = [node for function in functions for node in every_node(function.node)]
    handed = {(each.name, each.ref_attr_name) for node in nodes for each in node.attribute if each.ref_attr_name}
    before: Mapping[str, range] = {}
    while bounds != before:
        before = dict(bounds)
        for name, source in handed:
            if name in before:
                inner, outer = before[name], bounds.get(source, before[name])
                bounds[source] = range(max(inner.start, outer.start), min(inner.stop, outer.stop))
    return bounds


def _is_out(attribute: onnx.AttributeProto, bounds: Mapping[str, range]) -> bool:
    """Return whether an attribute is out of bounds; what a function hands on is looked at in its calls."""
    return attribute.name in bounds and attribute.i not in bounds[attribute.name] and not attribute.ref_attr_name


def _guard(nodes: MutableSequence[onnx.NodeProto], constants: _Constants, numbers: Iterator[int]) -> None:
    """Put guards before the nodes that need them, in bodies too; leave out those that cannot be guarded."""
    zero = f"{_ADDED}{next(numbers)}"
    guarded_nodes = [make_node("Constant", [], [zero], value=make_tensor("", onnx.TensorProto.INT64, [1], [0]))]
    for node in map(with_default, nodes):
        for _, body in bodies(node):
            _guard(body.node, constants, numbers)
        if _drops_axis(node):
            given = constants.get(node.input[1], [None])
            ranks = {None if stored is None else len(dims_of(stored)) for stored in given}
            if ranks == {0}:
                del node.input[1]
            elif ranks != {1}:
                unranked = f"{_ADDED}{next(numbers)}"
                guarded_nodes.append(make_node("Reshape", node.input[:2], [unranked]))
                node.input[0] = unranked
        axes = _measured_axes(node, constants)
        if axes is None:
            continue
        source = MEASURING.get(node.op_type, 0)
        for axis in axes:
            none, places, same = (f"{_ADDED}{next(numbers)}" for _ in range(3))
            guarded_nodes.append(make_node("TopK", [node.input[source], zero], [none, places], axis=axis))
            guarded_nodes.append(make_node("Concat", [node.input[source], none], [same], axis=axis))
            node.input[source] = same
        guarded_nodes.append(node)
    _replace(nodes, guarded_nodes)


def _drops_axis(node: onnx.NodeProto) -> bool:
    """Return whether a node splits off an axis and may drop it, which onnx's inference does not do."""
    is_split = node.op_type == "SplitToSequence" and len(node.input) > 1
    return is_split and any(attribute.name == "keepdims" and attribute.i == 0 for attribute in node.attribute)


def _measured_axes(node: onnx.NodeProto, constants: _Constants) -> Sequence[int] | None:
    """Return the axes of which a node's inference reads the size, None where that cannot be told."""
    if node.op_type == "GatherND":
        return [-1] if len(node.input) > 1 else []
    if node.op_type != "Slice" or len(node.input) < 3:
        return []
    given = node.input[3] if len(node.input) > 3 else ""
    numbers = [_integers(stored) for stored in constants.get(given or node.input[1], ())]
    if None in numbers:
        return None
    # None where they are not constant: inference only keeps the rank.
    known = [found for found in numbers if found is not None]
    return sorted({axis for found in known for axis in found}) if given else range(max(map(len, known), default=0))


def _integers(stored: Stored | None) -> Sequence[int] | None:
    try:
        array = None if stored is None else array_of(stored)
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    if array is None or array.dtype.kind != "i" or array.size > _MOST_AXES:
        return None
    return [int(number) for number in array.reshape(-1)]


class _Known:
    """What may be constant in a model's graph and in its functions, whose inputs are what their calls are given."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._calls: defaultdict[FunctionKey, list[tuple[_Holder, onnx.NodeProto]]] = defaultdict(list)
        self._found: dict[FunctionKey | None, _Constants] = {}
        self._depth = 0
        keys = {function_key(function) for function in model.functions}
        for holder in _holders(model) if keys else ():
            for node in every_node(holder.node):
                if function_key(node) in keys:
                    self._calls[function_key(node)].append((holder, node))

    def of(self, holder: _Holder) -> _Constants:
        """Return the constants of a graph or function."""
        key = None if isinstance(holder, onnx.GraphProto) else function_key(holder)
        if key not in self._found:
            # A function that calls itself, which only a damaged file has, is given what is not known.
            inputs = () if isinstance(holder, onnx.GraphProto) else holder.input
            self._found[key] = {name: [None] for name in inputs}
            if self._depth < _DEEPEST_CALLS:
                self._depth += 1
                self._found[key] = self._constants(holder)
                self._depth -= 1
        return self._found[key]

    def _constants(self, holder: _Holder) -> _Constants:
        found: defaultdict[str, list[Stored | None]] = defaultdict(list)
        nodes = list(every_node(holder.node))
        graphs = [body for node in nodes for _, body in bodies(node)]
        if isinstance(holder, onnx.GraphProto):
            graphs.append(holder)
        else:
            for place, name in enumerate(holder.input):
                for caller, call in self._calls[function_key(holder)]:
                    is_given = place < len(call.input) and call.input[place]
                    found[name].extend(self.of(caller).get(call.input[place], ()) if is_given else [None])
        for graph in graphs:
            for tensor in graph.initializer:
                found[tensor.name].append(tensor)
        for node in nodes:
            if node.op_type == "Constant" and node.output:
                found[node.output[0]].append(_held(node))
        return found


def _held(node: onnx.NodeProto) -> Stored | None:
    try:
        return constant_of(node)
    except ModelError:
        return None


def _attributes(model: onnx.ModelProto) -> Iterator[onnx.AttributeProto]:
    """Yield every attribute of a node, in functions and bodies too, and every default of a function."""
    for function in model.functions:
        yield from function.attribute_proto
    for holder in _holders(model):
        for node in every_node(holder.node):
            yield from node.attribute


def _holders(model: onnx.ModelProto) -> list[_Holder]:
    return [model.graph, *model.functions]


def _replace(nodes: MutableSequence[onnx.NodeProto], others: Sequence[onnx.NodeProto]) -> None:
    del nodes[:]
    nodes.extend(others)
