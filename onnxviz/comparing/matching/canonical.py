"""A model in canonical form: its operations, with all that only writes the same network in another way taken away.

1. Constants, and what is computed from sizes alone, are not data, nor are scales that a run finds.
2. What only hands a value on is passed (passing.py).
3. Norms and nonlinearities of several nodes are one (graph/layers/patterns.py, norms.py).
4. An operation takes what a layer absorbs (graph/layers/absorption.py), also behind what 2. names.
5. Fused kernels are spelled out: `FusedConv(x, w, b, z)` is a Conv that puts out nothing, an Add of z, and the
   nonlinearity; a SkipLayerNormalization is an Add and a LayerNormalization.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from onnxviz.comparing.matching.operation import Operation, Source, Stage
from onnxviz.comparing.matching.passing import Passing
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.absorption import MAY_FOLLOW, may_follow
from onnxviz.graph.layers.families import Families
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.layers.names import weight_module
from onnxviz.graph.layers.patterns import Pattern
from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads.rule import nothing
from onnxviz.graph.operators.table import COMPUTED_DOMAIN, operator_of, plain_operator
from onnxviz.model import Model

_RESHAPING = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_SETTINGS = ("strides", "dilations", "group", "perm")


@dataclass(frozen=True, slots=True)
class Canonical:
    """A model as operations, in graph order.

    Attributes:
        operations: all of them.
        inputs: the names of the model's inputs; the n-th is the source (-1 - n, 0).
        sources: where each value that holds data comes from.
        readers: the numbers of the operations that read an operation.
    """

    operations: tuple[Operation, ...]
    inputs: tuple[str, ...]
    sources: Mapping[str, Source]
    readers: Mapping[Source, tuple[int, ...]]


def canonical(model: Model) -> Canonical:
    """Return a model in canonical form; its weights are not read."""
    walk = _Spelling(model.flat, model.families, {layer.output: layer for layer in model.every_layer})
    walk.run()
    operations = tuple(
        draft.operation(number, tuple(_settings(model.flat, draft.node))) for number, draft in enumerate(walk.drafts)
    )
    readers: dict[Source, list[int]] = {}
    for operation in operations:
        for source in dict.fromkeys(operation.inputs):
            readers.setdefault(source, []).append(operation.number)
    inputs = tuple(spec.name for spec in model.flat.inputs)
    return Canonical(operations, inputs, walk.sources, {source: tuple(found) for source, found in readers.items()})


@dataclass(slots=True)
class _Draft:
    """An operation while the walk goes on."""

    node: Node
    operator: str
    kind: str
    inputs: list[Source]
    reads: list[str]
    stages: list[Stage]
    layer: Layer
    name: str
    scope: str
    may: frozenset[str]
    names: list[str] = field(default_factory=list)
    scaling: list[Node] = field(default_factory=list)

    def operation(self, number: int, settings: tuple[tuple[str, object], ...]) -> Operation:
        names = tuple(dict.fromkeys(filter(None, self.names)))
        return Operation(
            number=number,
            operator=self.operator,
            kind=self.kind,
            settings=settings,
            inputs=tuple(self.inputs),
            reads=tuple(self.reads),
            stages=tuple(self.stages),
            layer=self.layer,
            name=self.name,
            names=names,
            scope=self.scope,
            node=self.node,
            scaling=tuple(self.scaling),
        )


class _Spelling:
    """Goes through a graph in order, and makes operations of its nodes."""

    def __init__(self, graph: Graph, families: Families, layers: Mapping[str, Layer]) -> None:
        self._graph = graph
        self._families = families
        self._layers = layers
        self.sources: dict[str, Source] = {spec.name: (-1 - n, 0) for n, spec in enumerate(graph.inputs)}
        self.drafts: list[_Draft] = []
        patterns = {**families.norms, **families.gates}
        self._patterns = {
            index: pattern
            for index, pattern in patterns.items()
            if index not in families.attention and self._is_closed(pattern)
        }
        self._inner = frozenset().union(*(pattern.members - {index} for index, pattern in self._patterns.items()))
        self._passing = Passing(graph, families)

    def run(self) -> None:
        for node in self._graph.nodes:
            if node.index not in self._inner and node.domain != COMPUTED_DOMAIN and any(node.outputs):
                self._take(node)

    def _take(self, node: Node) -> None:
        pattern = self._patterns.get(node.index)
        read = (*node.inputs, *node.captured) if pattern is None else (pattern.root,)
        reads = [value for value in read if value in self.sources]
        if not reads or operator_of(node).reads is nothing:
            return
        if pattern is None and self._passing.passes(node):
            self._pass(node, reads[0])
            return
        owner = self._owner(node, reads)
        if owner is None:
            self._add(node, reads)
        else:
            self._follow(owner, node, self.sources[reads[0]])

    def _pass(self, node: Node, value: str) -> None:
        """Let the first output stand for what the node reads; scales that a quantiser finds are not data."""
        source = self.sources[value]
        self.sources[node.outputs[0]] = source
        if source[0] < 0 or source[1]:
            return
        draft = self.drafts[source[0]]
        draft.names.append(node.outputs[0])
        end = draft.stages[-1]
        if self._passing.shows_better(node, value, end.value):
            draft.stages[-1] = Stage(end.steps, node.outputs[0])

    def _owner(self, node: Node, reads: Sequence[str]) -> _Draft | None:
        """Return the operation that a node is a part of, as the norm or nonlinearity that alone follows it."""
        sources = {self.sources[value] for value in reads}
        number, place = next(iter(sources))
        if len(sources) > 1 or number < 0 or place:
            return None
        draft = self.drafts[number]
        role = self._role(node)
        return draft if role in draft.may and self._follows_alone(draft, node) else None

    def _role(self, node: Node) -> str:
        return "affine" if node.index in self._families.affine else self._families.kinds[node.index]

    def _follows_alone(self, draft: _Draft, node: Node) -> bool:
        members = self._patterns[node.index].members if node.index in self._patterns else {node.index}
        return all(reader.index in members for reader in self._readers(draft.stages[-1].value))

    def _readers(self, value: str) -> Iterator[Node]:
        """Give what reads a value, behind what passes it on."""
        waiting = [value]
        while waiting:
            for reader in self._graph.consumers.get(waiting.pop(), ()):
                if self._passing.passes(reader) and any(reader.outputs):
                    waiting.append(reader.outputs[0])
                else:
                    yield reader

    def _follow(self, draft: _Draft, node: Node, source: Source) -> None:
        role, output = self._role(node), node.outputs[0]
        steps = draft.stages[-1].steps
        name = self._operator(node)
        if role == "affine" or (name == "BatchNormalization" and draft.kind in ("conv", "dense")):
            draft.scaling.append(node)
        else:
            steps = (*steps, name)
        draft.stages.append(Stage(steps, output))
        draft.may = draft.may if role == "affine" else MAY_FOLLOW[role]
        draft.names += [node.name, output]
        self.sources[output] = source

    def _add(self, node: Node, reads: Sequence[str]) -> None:
        added = self._summand(node)
        if added:
            self._add_fused_sum(node, reads, added)
            return
        draft = self._draft(node, self._operator(node), reads)
        self._put(draft, node, node.outputs)

    def _add_fused_sum(self, node: Node, reads: Sequence[str], added: str) -> None:
        """Spell out a kernel that adds what it reads last, or that adds before it normalises."""
        if self._families.kinds[node.index] == "norm":
            total = self._draft(node, "Add", reads[:2], kind="add")
            total.stages = [Stage((), node.outputs[3] if len(node.outputs) > 3 else "")]
            last = self._draft(node, self._operator(node), ())
        else:
            total = self._draft(node, self._operator(node), reads[:-1])
            total.stages = [Stage((), "")]
            last = self._draft(node, "Add", [added], kind="add")
        total.name, total.names = f"{total.name} ({total.operator})", []
        self._put(total, node, ())
        last.inputs.insert(0, (len(self.drafts) - 1, 0))
        last.reads.insert(0, "")
        self._put(last, node, node.outputs[:1])
        if len(node.outputs) > 3 and node.outputs[3]:
            self.sources[node.outputs[3]] = (len(self.drafts) - 2, 0)

    def _draft(self, node: Node, operator: str, reads: Sequence[str], kind: str = "") -> _Draft:
        layer = self._layers[next(filter(None, node.outputs))]
        kind = kind or self._families.kinds[node.index]
        return _Draft(
            node=node,
            operator=operator,
            kind=kind,
            inputs=[self.sources[value] for value in reads],
            reads=list(reads),
            stages=[Stage((), layer.output)],
            layer=layer,
            name=layer.name,
            scope=layer.scope or weight_module(self._graph, node),
            may=may_follow(node, kind),
            names=[layer.name, node.name, *node.outputs],
        )

    def _put(self, draft: _Draft, node: Node, outputs: Sequence[str]) -> None:
        activation = str(node.attribute("activation", ""))
        if outputs and activation not in ("", "Identity"):
            draft.stages = [Stage((), ""), Stage((activation,), draft.stages[-1].value)]
        self.sources.update({output: (len(self.drafts), place) for place, output in enumerate(outputs) if output})
        self.drafts.append(draft)

    def _summand(self, node: Node) -> str:
        """Return what a fused kernel adds to its result, or to what it normalises; empty where there is nothing."""
        operator = plain_operator(node)
        if node.op.startswith("Skip") and operator.endswith("LayerNormalization"):
            return node.inputs[1]
        is_fused = operator == "Conv" and node.op in ("FusedConv", "Conv", "NhwcFusedConv") and node.domain
        return node.inputs[3] if is_fused and len(node.inputs) > 3 and node.inputs[3] in self.sources else ""

    def _operator(self, node: Node) -> str:
        kind, operator = self._families.kinds[node.index], plain_operator(node)
        if node.index in self._families.gates:
            return _gate_name({self._graph.nodes[index].op for index in self._families.gates[node.index].members})
        if node.index in self._families.norms:
            return "LayerNormalization"
        if kind == "dense":
            return "Dense"
        if kind == "pool" and operator.startswith("Reduce"):
            return f"Global{operator.removeprefix('Reduce').replace('Mean', 'Average')}Pool"
        if operator == "InstanceNormalization" and node.index in self._families.ends:
            return "GroupNormalization"
        return "Reshape" if operator in _RESHAPING else operator

    def _is_closed(self, pattern: Pattern) -> bool:
        """Return whether nothing else reads what lies inside a pattern."""
        inside = pattern.members - {pattern.final.index}
        values = (output for index in inside for output in self._graph.nodes[index].outputs)
        return all(
            reader.index in pattern.members for value in values for reader in self._graph.consumers.get(value, ())
        )


def _settings(graph: Graph, node: Node) -> Iterator[tuple[str, object]]:
    weights = graph.dims(node.inputs[1]) if len(node.inputs) > 1 else None
    for name in _SETTINGS:
        value = node.attribute(name)
        if name == "group" and weights and value == weights[0]:
            value = "each channel"  # of which a blocked layout has more than there are
        if value is not None and set(value if isinstance(value, tuple) else (value,)) != {1}:
            yield name, value


def _gate_name(operators: set[str]) -> str:
    """Return the nonlinearity that several nodes write, by the operators among them.

    >>> _gate_name({"Mul", "Sigmoid"}), _gate_name({"Mul", "HardSigmoid"}), _gate_name({"Mul", "Add", "Erf", "Div"})
    ('Swish', 'HardSwish', 'Gelu')
    """
    by_operator = {"Erf": "Gelu", "Softplus": "Mish", "Tanh": "Gelu", "Sigmoid": "Swish"}
    return next((name for operator, name in by_operator.items() if operator in operators), "HardSwish")
