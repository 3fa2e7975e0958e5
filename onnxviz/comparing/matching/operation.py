"""An operation: what one layer computes, said in one way whatever exporter, optimiser or quantiser wrote it."""

from __future__ import annotations

from dataclasses import dataclass

from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.node import Node

Source = tuple[int, int]
"""Where a value comes from: an operation's number and which of its outputs; -1, -2 are the model's inputs."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A value of an operation: its own result, or what the norms and nonlinearities that alone follow make of it.

    Attributes:
        steps: the norms and nonlinearities up to here; what can be folded into weights is left out.
        value: what the value is called; empty where a fused kernel computes it and puts it out nowhere.
    """

    steps: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a model in canonical form.

    Attributes:
        number: its place among the operations.
        operator: what it computes, fused and quantised forms called as the plain one.
        kind: as of a layer.
        settings: strides and groups, where they are not 1, and the like.
        inputs: where its data come from.
        reads: the values that bring them, as the node reads them.
        stages: its values, at least one.
        layer: the layer of its node.
        name: by which it is shown.
        names: what it and its values are called.
        scope: the module that holds it.
        node: the node that computes it.
        scaling: nodes that scale its result, channel by channel.
    """

    number: int
    operator: str
    kind: str
    settings: tuple[tuple[str, object], ...]
    inputs: tuple[Source, ...]
    reads: tuple[str, ...]
    stages: tuple[Stage, ...]
    layer: Layer
    name: str
    names: tuple[str, ...]
    scope: str
    node: Node
    scaling: tuple[Node, ...] = ()

    @property
    def end(self) -> Stage:
        """The last of its values, which other operations read."""
        return self.stages[-1]
