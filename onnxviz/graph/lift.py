"""Make values inside functions, If, Loop and Scan outputs of the model, by one more output of each holder on the way.

Before: `x -> If { then: c = Conv(x), t = Relu(c); else: e = Neg(x) } -> y`, outputs `y`.
After: `x -> If { then: c, t; else: e, an empty constant } -> y, If/then_branch/c`, outputs `y, If/then_branch/c`.

A holder is a node that holds other nodes. It hands a value out as follows; all else of the model stays as it was.

| holder | one more output | when the value was not computed |
|---|---|---|
| function | of a copy of the function, for this call; calls that hand out the same share it | |
| If | a scalar as `(1,)` | the other branch gives a constant of the same type and rank with sizes 0 |
| Loop | the steps stacked, a leading axis | no steps |
| Scan | the steps stacked, a leading axis (two before opset 9: items and steps) | onnxruntime refuses no steps |
| SequenceMap | a sequence, an item for each element | no items |

1. Where the sizes of a value may differ from step to step of a Loop, or only some steps are kept, a sequence is carried
   through all that lies between the outermost Loop and the value (see `accumulator`): a Loop carries it, a branch
   that does not compute the value passes it on, a function takes and returns it.
2. A copy of a function takes the place and the name of the original where no call is left to that one.
3. A value that is an output of its body already gets a second name, since no two outputs may have one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx

from onnxviz.errors import UnsupportedError
from onnxviz.graph.accumulator import Accumulator, begin, collect
from onnxviz.graph.function_copies import FunctionCopies
from onnxviz.graph.graph import Graph
from onnxviz.graph.inner_value import InnerValue
from onnxviz.graph.obstacles import CALL, Wanted, holders, obstacles, opset_of, varies
from onnxviz.graph.places import Step
from onnxviz.graph.scope import Scope, insert_items
from onnxviz.graph.topology import FunctionKey, bodies, function_key

_SCAN_WITHOUT_BATCH = 9


def lift(graph: Graph, wanted: Sequence[Wanted], keep: range | None = None) -> Graph:
    """Return the graph with values from inside its holders as outputs behind its own, in this order.

    Args:
        graph: the model.
        wanted: the values.
        keep: which steps of Loops to keep, counted in the order in which they are computed, from 0; all by default.
            Each value of a Loop is a sequence then, followed by an output of how many steps there were (`count_name`).

    Raises:
        UnsupportedError: A holder cannot hand a value out; the text names both and says why.
    """
    if not wanted:
        return graph
    for name, reason in obstacles(graph, wanted, keep).items():
        raise UnsupportedError(f"{name!r} cannot be handed out: {reason}")
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    ways = {path: tuple(holder.operator for holder in way) for path, way in holders(graph, wanted).items()}
    tasks = [_Task(want, want.address.path, ways[want.address.path]) for want in wanted]
    _Lift(model, graph.opset, keep).hand_out(tasks)
    return Graph.from_checked(model)


def count_name(value: str) -> str:
    """Return the name of the output that says how many steps of a value there were."""
    return f"{value}/count"


@dataclass(frozen=True, slots=True)
class _Task:
    """What one scope is to make available: a value some holders below it, or in itself where the path is empty.

    `operators` are those of the holders on the path; `accumulator` is what to collect it in.
    """

    wanted: Wanted
    path: tuple[Step, ...]
    operators: tuple[str, ...]
    accumulator: Accumulator | None = None

    @property
    def name(self) -> str:
        return self.wanted.info.name

    @property
    def is_called(self) -> bool:
        """Whether there are only functions in the way beyond the first holder, so that no type is declared there."""
        return all(operator == CALL for operator in self.operators[1:])

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes two calls of a function alike: types count where a body on the way has to declare them."""
        kind = self.wanted.info.type.SerializeToString(deterministic=True) if not self.is_called else b""
        return self.path[1:], self.wanted.address.value, kind, self.wanted.steady, self.accumulator is not None

    def inner(self) -> _Task:
        """Return what is asked of the scope below the first holder."""
        return replace(self, path=self.path[1:], operators=self.operators[1:])

    def entering(self, scope: Scope) -> _Task:
        """Return the same where what was collected gets names that a scope below sees."""
        if self.accumulator is None:
            return self.inner()
        names = [scope.fresh(f"{self.wanted.address.value}/so_far") for _ in self.accumulator.values]
        return replace(self.inner(), accumulator=self.accumulator.renamed(names))


class _Lift:
    def __init__(self, model: onnx.ModelProto, opset: int, keep: range | None) -> None:
        self._model, self._opset, self._keep = model, opset, keep
        self._copies = FunctionCopies(model)
        self._shared: dict[tuple[object, ...], tuple[onnx.FunctionProto, list[InnerValue]]] = {}

    def hand_out(self, tasks: Sequence[_Task]) -> None:
        graph = self._model.graph
        scope = Scope.outermost(graph, self._opset)
        scope.names.update(task.name for task in tasks)
        for value in self._visit(scope, tasks):
            graph.output.extend(value.declared())
        scope.close()
        self._copies.settle()

    def _visit(self, scope: Scope, tasks: Sequence[_Task]) -> list[InnerValue]:
        """Make values available in a scope: widen each holder among its nodes once, for all that it is to hand out."""
        found: dict[int, InnerValue] = {}
        groups: dict[int, list[int]] = defaultdict(list)
        for place, task in enumerate(tasks):
            if task.path:
                groups[task.path[0].index].append(place)
            else:
                own, kind = task.wanted.address.value, task.wanted.info.type
                found[place] = self._collected(scope, task, InnerValue(task.name, (own,), (kind,), own))
        for index, places in groups.items():
            handed = self._widen(scope, index, [tasks[place] for place in places])
            found.update(zip(places, handed, strict=True))
        return [found[place] for place in range(len(tasks))]

    def _collected(self, scope: Scope, task: _Task, value: InnerValue) -> InnerValue:
        """Return a value, collected where it is to be."""
        if task.accumulator is None:
            return value
        longer = collect(scope, task.accumulator, value.values[0], self._keep)
        return replace(value, values=longer.values, kinds=longer.kinds)

    def _widen(self, scope: Scope, index: int, tasks: Sequence[_Task]) -> list[InnerValue]:
        node = scope.holder.node[index]
        called = node.name or next(filter(None, node.output), f"#{index}")
        if tasks[0].path[0].body is None:
            return self._call(scope, node, called, tasks)
        if node.op_type == "If":
            return self._branch(scope, node, called, tasks)
        if node.op_type == "Loop":
            return self._loop(scope, node, called, [self._begun(scope, index, called, each) for each in tasks])
        return self._stack(scope, node, called, tasks)

    def _call(self, scope: Scope, node: onnx.NodeProto, called: str, tasks: Sequence[_Task]) -> list[InnerValue]:
        key = function_key(node)
        identity = (key, *(task.identity for task in tasks))
        if identity not in self._shared:
            self._shared[identity] = self._copy(key, tasks)
        function, results = self._shared[identity]
        node.op_type = function.name
        given = [value for task in tasks if task.accumulator for value in task.accumulator.values]
        node.input.extend([""] * (len(function.input) - len(given) - len(node.input)))
        node.input.extend(given)
        new = sum(len(result.values) for result in results)
        node.output.extend([""] * (len(function.output) - new - len(node.output)))
        handed = []
        for task, value in zip(tasks, results, strict=True):
            kinds = (task.wanted.info.type,) if task.is_called and task.accumulator is None else value.kinds
            handed.append(self._out(scope, node, replace(value, wanted=task.name, kinds=kinds), called))
        return handed

    def _copy(self, key: FunctionKey, tasks: Sequence[_Task]) -> tuple[onnx.FunctionProto, list[InnerValue]]:
        """Add a copy of a function that hands out values of its own."""
        function = self._copies.copy(key)
        opset = opset_of(function.opset_import)
        if not opset:
            function.opset_import.append(onnx.helper.make_opsetid("", self._opset))
        scope = Scope.outermost(function, opset or self._opset)
        inner = [task.entering(scope) for task in tasks]
        for task in inner:
            function.input.extend(task.accumulator.values if task.accumulator else ())
        taken = {*function.input, *function.output}
        results = [value.distinct(scope, taken) for value in self._visit(scope, inner)]
        function.output.extend(name for value in results for name in value.values)
        scope.close()
        return function, results

    def _branch(self, scope: Scope, node: onnx.NodeProto, called: str, tasks: Sequence[_Task]) -> list[InnerValue]:
        branches = dict(bodies(node))
        scopes = {name: scope.inner(branch) for name, branch in branches.items()}
        taken = {name: {info.name for info in branch.output} for name, branch in branches.items()}
        found: dict[int, InnerValue] = {}
        for name, inside in scopes.items():
            places = [place for place, task in enumerate(tasks) if task.path[0].body == name]
            found.update(zip(places, self._visit(inside, [tasks[each].inner() for each in places]), strict=True))
        handed = []
        for place, task in enumerate(tasks):
            own = task.path[0].body or ""
            value = found[place] if task.accumulator else found[place].emptiable(scopes[own])
            value = value.distinct(scopes[own], taken[own])
            for name, branch in branches.items():
                branch.output.extend(value.declared() if name == own else _instead(scopes[name], task, value))
            handed.append(self._out(scope, node, value, f"{called}/{own}"))
        for inside in scopes.values():
            inside.close()
        return handed

    def _loop(self, scope: Scope, node: onnx.NodeProto, called: str, tasks: Sequence[_Task]) -> list[InnerValue]:
        name, body = bodies(node)[0]
        node.input.extend([""] * (2 - len(node.input)))
        node.output.extend([""] * (len(body.output) - 1 - len(node.output)))
        states = len(node.input) - 2
        inside = scope.inner(body)
        inner = [task.entering(inside) for task in tasks]
        for outer, task in zip(tasks, inner, strict=True):
            node.input.extend(outer.accumulator.values if outer.accumulator else ())
            body.input.extend(task.accumulator.declared() if task.accumulator else ())
        taken = _taken(body)
        handed = []
        for task, value in zip(tasks, self._visit(inside, inner), strict=True):
            value = value.distinct(inside, taken)
            if task.accumulator is None:
                body.output.extend(value.declared())
                handed.append(self._out(scope, node, value.stacked(), f"{called}/{name}"))
            else:  # what is carried stands before what is stacked
                insert_items(body.output, 1 + states, value.declared())
                handed.append(self._out(scope, node, value, f"{called}/{name}", states))
                states += len(value.values)
        inside.close()
        return handed

    def _begun(self, scope: Scope, index: int, called: str, task: _Task) -> _Task:
        """Begin to collect at the outermost Loop, where the steps cannot be stacked."""
        stacks = task.wanted.steady and not varies(task.operators) and self._keep is None
        if task.accumulator is not None or stacks:
            return task
        element = task.wanted.info.type.tensor_type.elem_type
        return replace(task, accumulator=begin(scope, index, element, called, self._keep))

    def _stack(self, scope: Scope, node: onnx.NodeProto, called: str, tasks: Sequence[_Task]) -> list[InnerValue]:
        """Hand out of a Scan or SequenceMap, which carry no sequences: what is to be collected, is so behind them."""
        name, body = bodies(node)[0]
        inside = scope.inner(body)
        taken = _taken(body)
        inner = self._visit(inside, [replace(task.inner(), accumulator=None) for task in tasks])
        handed = []
        for task, value in zip(tasks, inner, strict=True):
            value = value.distinct(inside, taken)
            body.output.extend(value.declared())
            axes = 1 if scope.opset >= _SCAN_WITHOUT_BATCH else 2
            value = value.stacked(axes) if node.op_type == "Scan" else value.in_sequence()
            _complete_axes(node)
            handed.append(self._collected(scope, task, self._out(scope, node, value, f"{called}/{name}")))
        inside.close()
        return handed

    def _out(
        self, scope: Scope, node: onnx.NodeProto, inner: InnerValue, within: str, place: int | None = None
    ) -> InnerValue:
        """Name what a holder gives and add it to its outputs, at the end or at a place."""
        is_top = scope.holder is self._model.graph
        label = inner.wanted if is_top else f"{within}/{inner.label}"
        names = [label if is_top else scope.fresh(label)]
        names.extend(scope.fresh(count_name(label)) for _ in inner.values[1:])
        if place is None:
            node.output.extend(names)
        else:
            insert_items(node.output, place, names)
        return inner.renamed(names, label)


def _instead(scope: Scope, task: _Task, value: InnerValue) -> list[onnx.ValueInfoProto]:
    """Return what a branch gives that does not compute a value: what was collected so far, or an empty value."""
    if task.accumulator is not None:
        return task.accumulator.copied(scope, value.label).declared()
    (kind,) = value.kinds
    return [onnx.ValueInfoProto(name=scope.filler(kind, f"{task.wanted.address.value}/none"), type=kind)]


def _taken(body: onnx.GraphProto) -> set[str]:
    """Return the names that no more outputs of a body may have."""
    weights = {*(tensor.name for tensor in body.initializer), *(item.values.name for item in body.sparse_initializer)}
    return {info.name for info in (*body.output, *body.input)} | weights


def _complete_axes(node: onnx.NodeProto) -> None:
    """Say for one more output of a Scan what is said for each, where it is said."""
    for attribute in node.attribute:
        if attribute.name in ("scan_output_axes", "scan_output_directions") and attribute.ints:
            attribute.ints.append(0)
