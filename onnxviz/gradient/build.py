"""`backward`: the graph of a gradient, written from the last node to the first.

Forward: `x -> Conv(w) -> c -> Relu -> r -> Gemm(v) -> y`. For the target `y` with respect to `x` the walk meets the
nodes from `y` on and writes, from `seed`, which stands for the gradient of `y`:

    Gemm   gradient/Gemm_1 = Gemm(seed, v)                   reads the weight v where it lies
    Relu   gradient/Mul_3  = gradient/Gemm_1 * (r > 0)       reads r, which the forward model puts out
    Conv   gradient/Conv_4 = Conv(gradient/Mul_3, w turned)  is the gradient of x

1. A node is passed if it lies on a way from what is asked for (`wrt`) to the target; others need none.
2. Where a value is read several times, its gradients are added.
3. What the backward model reads of the forward one is put out there (`saved`), or only its sizes (`shapes`). Both
   models are cut to what is needed; weights are references into the file.
4. Calls of functions and branches of Ifs are opened first, Loops and Scans laid out step by step (holder_opening.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from onnxviz.errors import UnsupportedError
from onnxviz.gradient.emit import OPSET, Emitter, Signal
from onnxviz.gradient.forward import FLOATS, Forward, Probe
from onnxviz.gradient.holder_opening import Asking, laid_out
from onnxviz.gradient.registry import Adjoint, GradientRule, apply
from onnxviz.gradient.rules.all_families import RULES
from onnxviz.graph.cut import check_values, cut, needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.specialise import Decide
from onnxviz.graph.topology import captured_values
from onnxviz.layout import Dimension, TensorSpec
from onnxviz.words import listed, quoted

_IR_VERSION = 9


@dataclass(frozen=True, slots=True)
class GradientOptions:
    """What a gradient is made with.

    Attributes:
        rules: rules that stand in place of the usual ones, such as those of guided backpropagation.
        types: type and shape of each value of the graph, where they were inferred already.
        probe: asked where inference does not say how many axes a value has, or how many steps a Loop takes.
        decide: finds the conditions of Ifs.
        partial: leave out of `wrt` what no gradient reaches, unless that is all of it.
    """

    rules: Mapping[str, GradientRule] = field(default_factory=dict)
    types: Mapping[str, TensorSpec] | None = None
    probe: Probe | None = None
    decide: Decide | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Backward:
    """Two models that together compute a gradient; weights in both are references into the model's file.

    Attributes:
        forward: puts out the target, `saved` and `shapes`; its inputs are the model's.
        backward: reads what the forward model puts out, inputs of the model that are in `saved`, and `seed`. It puts
            out `outputs`, all in float32; in float64 where everything on the way is.
        target: the value that is differentiated.
        wrt: with respect to what.
        seed: the name of the input that brings the gradient of the target, of its sizes: 1 for a class, 0 for others.
        outputs: for each value of `wrt` the output that is its gradient, of its sizes.
        saved: by the input of the backward model the value of the forward graph that it is.
        shapes: by the input of the backward model the value whose sizes, int64, it is.
        gradients: for each value on the way the name of its gradient in the backward model.
        source: the graph that was differentiated: the model with its calls, Ifs and Loops opened.
        conditions: what the conditions of the Ifs were, and of the Loops' steps; for another input they may be others.
    """

    forward: Graph
    backward: Graph
    target: str
    wrt: tuple[str, ...]
    seed: str
    outputs: Mapping[str, str]
    saved: Mapping[str, str]
    shapes: Mapping[str, str]
    gradients: Mapping[str, str]
    source: Graph
    conditions: Mapping[str, bool] = field(default_factory=dict)


def backward(graph: Graph, target: str, wrt: Sequence[str], options: GradientOptions | None = None) -> Backward:
    """Return the forward and the backward model of a gradient.

    Args:
        graph: the model.
        target: a float value, at the top or inside functions and branches, by its name in the flat graph.
        wrt: the values with respect to which it is differentiated.
        options: what it is made with.

    Raises:
        NoMatchError: A name is not a value of the graph.
        NeedsRunError: The number of axes of a value, which branch an If takes, or how many steps a Loop, is not known
            before a run.
        UnsupportedError: The target does not depend on a value through numbers, or an operator on the way has no rule.
    """
    options = options or GradientOptions()
    wrt = tuple(dict.fromkeys(wrt))
    flat = laid_out(graph, target, wrt, Asking(options.decide, options.probe))
    check_values(flat.graph, [target, *wrt])
    types = options.types if options.types is not None and flat.graph is graph else infer_types(flat.graph)
    forward = _probed(Forward(flat.graph, types), target, wrt, options.probe)
    made = _WayBack(forward, target, wrt, options).backward()
    return replace(made, conditions=flat.conditions) if flat.conditions else made


def _probed(forward: Forward, target: str, wrt: Sequence[str], probe: Probe | None) -> Forward:
    """Return the graph with what one run says of values whose rank is not known; sizes may be others in the next."""
    if probe is None:
        return forward
    unknown = forward.unknown(target, forward.active(wrt))
    if not unknown:
        return forward
    found = probe(forward.graph, unknown)
    ranked = {
        name: replace(spec, shape=None if spec.shape is None else (None,) * len(spec.shape))
        for name, spec in found.items()
    }
    return Forward(forward.graph, infer_types(forward.graph, {**ranked}))


class _WayBack:
    """The walk from the target back to what is asked for."""

    def __init__(self, forward: Forward, target: str, wrt: tuple[str, ...], options: GradientOptions) -> None:
        self._forward, self._target, self._wrt = forward, target, wrt
        self._rules, self._partial = {**RULES, **options.rules}, options.partial
        self._active = forward.active(wrt)
        self._check()
        self._needed = self._on_the_way()
        is_wide = all(forward.dtype(value) == "float64" for value in self._needed)
        self._emit = Emitter(forward, "float64" if is_wide else "float32")
        self._seed = Signal(self._emit, self._emit.named("seed", target))
        self._gradients: dict[str, list[Signal]] = {target: [self._seed]}

    def backward(self) -> Backward:
        """Walk, and return the two models."""
        needed = self._needed
        for node in reversed(needed_nodes(self._forward.graph, [self._target])):
            if any(value in needed for value in node.inputs) and any(o in self._gradients for o in node.outputs):
                self._pass(node, needed)
        missing = [value for value in self._wrt if value not in self._gradients]
        if missing and not (self._partial and len(missing) < len(self._wrt)):
            raise UnsupportedError(
                f"no gradient of {quoted(self._target)} reaches {listed(map(quoted, missing))}: "
                "it goes through whole numbers or steps, whose gradient is 0 everywhere"
            )
        self._wrt = tuple(value for value in self._wrt if value not in missing)
        return self._result()

    def _check(self) -> None:
        dtype = self._forward.dtype(self._target)
        if dtype is not None and dtype not in FLOATS:
            raise UnsupportedError(f"{quoted(self._target)} is {dtype}: only floating-point values have a gradient")
        for value in self._wrt:
            own = self._forward.dtype(value)
            if own is not None and own not in FLOATS:
                raise UnsupportedError(
                    f"{quoted(value)} is {own}: only with respect to floating-point values is there a gradient"
                )
        if self._target not in self._active:
            raise UnsupportedError(
                f"{quoted(self._target)} does not depend on {listed(map(quoted, self._wrt))} "
                "through floating-point values"
            )

    def _on_the_way(self) -> frozenset[str]:
        """Return the active values that the target depends on, itself included."""
        found = {self._target}
        for node in reversed(needed_nodes(self._forward.graph, [self._target])):
            if not found.isdisjoint(node.outputs):
                found.update(value for value in node.reads if value in self._active)
        return frozenset(found)

    def _pass(self, node: Node, needed: frozenset[str]) -> None:
        sums = tuple(self._sum(output) for output in node.outputs)
        wanted = tuple(bool(value) and value in needed for value in node.inputs)
        at = Adjoint(node, self._emit, sums, wanted, frozenset(self._wrt))
        for value, gradient in zip(node.inputs, apply(at, self._rules), strict=False):
            if gradient is not None and value in needed:
                self._gradients.setdefault(value, []).append(gradient)

    def _sum(self, value: str) -> Signal | None:
        """Return the gradient of a value, all parts of it added."""
        parts = self._gradients.get(value) if value else None
        if parts is None:
            return None
        if len(parts) > 1:
            parts[:] = [self._emit.op("Add" if len(parts) == 2 else "Sum", *parts)]
        return parts[0]

    def _result(self) -> Backward:
        emit = self._emit
        outputs = {value: emit.named("of", value) for value in self._wrt}
        sums = {value: self._sum(value) or self._seed for value in self._wrt}
        ends = [make_node("Identity", [sums[value].name], [name], name=name) for value, name in outputs.items()]
        nodes = _needed([*emit.nodes, *ends], outputs.values())
        read = {value for node in nodes for value in (*node.input, *captured_values(node))}
        saved = {name: value for name, value in emit.saved.items() if name in read}
        shapes = {name: value for name, value in emit.shapes.items() if name in read}
        return Backward(
            forward=self._forward_graph(saved, shapes),
            backward=self._backward_graph(nodes, read, saved, shapes),
            target=self._target,
            wrt=self._wrt,
            seed=self._seed.name,
            outputs=outputs,
            saved=saved,
            shapes=shapes,
            gradients={value: parts[0].name for value, parts in self._gradients.items() if len(parts) == 1},
            source=self._forward.graph,
        )

    def _forward_graph(self, saved: Mapping[str, str], shapes: Mapping[str, str]) -> Graph:
        """Return the model with what is saved put out."""
        graph = self._forward.graph
        given = {spec.name for spec in graph.inputs}
        sizes = [make_node("Shape", [value], [name], name=name) for name, value in shapes.items()]
        casts = [
            make_node("Cast", [value], [name], name=name, to=TensorProto.FLOAT)
            for name, value in saved.items()
            if name != value
        ]
        if sizes or casts:
            graph = graph.with_nodes([*(node.proto for node in graph.nodes), *sizes, *casts])
        types = {**self._forward.types, **{name: TensorSpec(name, "int64", (None,)) for name in shapes}}
        types |= {
            name: replace(types[value], name=name, dtype="float32") for name, value in saved.items() if name != value
        }
        return cut(
            graph, [self._target, *(name for name in saved if name not in given), *shapes], _with_open_sizes(types)
        )

    def _backward_graph(
        self, nodes: Sequence[NodeProto], read: set[str], saved: Mapping[str, str], shapes: Mapping[str, str]
    ) -> Graph:
        own = self._emit.element_type
        inputs = [
            self._declared(name, value, None if name == value else TensorProto.FLOAT) for name, value in saved.items()
        ]
        inputs += [make_tensor_value_info(name, TensorProto.INT64, [None]) for name in shapes]
        inputs.append(self._declared(self._seed.name, self._target, own))
        outputs = [self._declared(self._emit.named("of", value), value, own) for value in self._wrt]
        kept = [tensor for tensor in self._emit.initializers if tensor.name in read]
        graph = make_graph(nodes, "backward", inputs, outputs, kept)
        opsets = [make_opsetid("", OPSET)]
        return Graph.from_proto(
            make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="onnxviz")
        )

    def _declared(self, name: str, value: str, element_type: int | None) -> ValueInfoProto:
        """Declare a value with the sizes that are numbers."""
        shape, dtype = self._forward.shape(value), self._forward.dtype(value) or "float32"
        kind = element_type or onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return make_tensor_value_info(name, kind, None if shape is None else _numbers_alone(shape))


def _numbers_alone(shape: Sequence[Dimension]) -> list[int | None]:
    return [size if isinstance(size, int) else None for size in shape]


def _with_open_sizes(types: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """Return types with the sizes that are numbers: symbols of the inference say nothing at a run."""
    return {
        name: replace(spec, shape=None if spec.shape is None else tuple(_numbers_alone(spec.shape)))
        for name, spec in types.items()
    }


def _needed(nodes: Sequence[NodeProto], outputs: Iterable[str]) -> list[NodeProto]:
    """Return the nodes on which the outputs depend, in order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            kept.append(node)
            wanted.update((*node.input, *captured_values(node)))
    return kept[::-1]
