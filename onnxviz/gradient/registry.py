"""The registry of rules, and `Adjoint`: what a rule sees of its node.

A rule gets the gradients of a node's outputs and writes those of its inputs: `Relu` passes a gradient where its output
is above 0. A rule of one input returns a Signal, one of several a list with None for what needs no gradient.

    @rule("Relu")
    def _relu(at: Adjoint) -> Signal:
        return at.g.where(at.y() > 0.0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from onnxviz.errors import UnsupportedError
from onnxviz.gradient.emit import Emitter, Signal
from onnxviz.gradient.forward import Forward
from onnxviz.gradient.reasons import DOMAIN_REASONS, REASONS
from onnxviz.graph.node import STANDARD_DOMAINS, Node
from onnxviz.layout import Dimension
from onnxviz.words import quoted

Gradients: TypeAlias = "Signal | Sequence[Signal | None] | None"
"""The gradients of a node's inputs, in their order; those left out at the end are None."""


@dataclass(frozen=True, slots=True)
class Adjoint:
    """A node on the way back.

    Attributes:
        node: the node.
        emit: the backward graph that is written.
        gradients: of its outputs; None where the target does not depend on one.
        wanted: for each input whether its gradient is needed.
        kept: values whose gradient is asked for: of these every bit counts, masked below or not.
    """

    node: Node
    emit: Emitter
    gradients: tuple[Signal | None, ...]
    wanted: tuple[bool, ...]
    kept: frozenset[str] = frozenset()

    @property
    def g(self) -> Signal:
        """The gradient of the first output."""
        found = self.gradients[0]
        if found is None:
            self.refuse("only another output than the first matters to the target")
        return found

    @property
    def forward(self) -> Forward:
        """The graph that is differentiated."""
        return self.emit.forward

    @property
    def opset(self) -> int:
        """The version of its operators."""
        return self.forward.opset

    def has(self, place: int) -> bool:
        """Return whether the node has an input at a place."""
        return place < len(self.node.inputs) and bool(self.node.inputs[place])

    def wants(self, place: int) -> bool:
        """Return whether the gradient of an input is needed."""
        return place < len(self.wanted) and self.wanted[place]

    def x(self, place: int = 0) -> Signal:
        """Return an input."""
        return self.emit.value(self.node.inputs[place])

    def y(self, place: int = 0) -> Signal:
        """Return an output."""
        return self.emit.value(self.node.outputs[place])

    def shape(self, place: int = 0) -> tuple[Dimension, ...]:
        """Return the sizes of an input, whose number has to be known."""
        return self.forward.ranked(self.node.inputs[place])

    def rank(self, place: int = 0) -> int:
        """Return how many axes an input has."""
        return len(self.shape(place))

    def sizes(self, place: int = 0) -> Signal:
        """Return the sizes of an input in the backward graph."""
        return self.emit.shape(self.node.inputs[place])

    def like(self, signal: Signal, place: int = 0) -> Signal:
        """Return a signal reshaped as an input."""
        return self.emit.like(signal, self.node.inputs[place])

    def dim(self, axis: int, place: int = 0) -> Signal:
        """Return one size of an input, `(1,)`."""
        return self.emit.dim(self.node.inputs[place], axis)

    def fitted(self, gradient: Signal, place: int) -> Signal | None:
        """Return a gradient summed to the sizes of an operand that was broadcast; None where it is not needed."""
        if not self.wants(place):
            return None
        return self.emit.unbroadcast(gradient, self.node.outputs[0], self.node.inputs[place])

    def numbers(self, place: int, attribute: str = "") -> list[int] | None:
        """Return whole numbers of an input, in older opsets of an attribute; None where left out or computed."""
        if self.has(place):
            found = self.forward.numbers(self.node.inputs[place])
            return None if found is None else [int(number) for number in found.reshape(-1)]
        given = self.node.attribute(attribute) if attribute else None
        return None if given is None else [given] if isinstance(given, int) else list(given)

    def known(self, place: int, attribute: str = "") -> list[int] | None:
        """Return `numbers`, refusing those that only a run computes."""
        found = self.numbers(place, attribute)
        if found is None and self.has(place):
            self.refuse(f"its {attribute or 'operand'} is computed in the run")
        return found

    def axis(self, default: int, place: int = 0) -> int:
        """Return the attribute `axis` counted from the front."""
        return self.counted(self.node.integer("axis", default), place)

    def counted(self, axis: int, place: int = 0) -> int:
        """Return an axis of an input counted from the front."""
        rank = self.rank(place)
        if not -rank <= axis < max(rank, 1):
            raise IndexError(f"there is no axis {axis} of {rank}")
        return axis % max(rank, 1)

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the node.

        Raises:
            UnsupportedError: Always.
        """
        raise refusal(self.node, reason)


GradientRule: TypeAlias = "Callable[[Adjoint], Gradients]"

RULES: dict[str, GradientRule] = {}
"""The rule of each operator of ONNX and onnxruntime, by its name."""

MANY_OUTPUTS: set[str] = set()
"""The operators whose rules take the gradients of all outputs; of others only the first may matter."""


def rule(names: str, *, outputs: bool = False) -> Callable[[GradientRule], GradientRule]:
    """Register a rule for operators, named in one text; with `outputs` it takes the gradients of all outputs."""

    def registered(function: GradientRule) -> GradientRule:
        for name in names.split():
            assert name not in RULES, name
            RULES[name] = function
        if outputs:
            MANY_OUTPUTS.update(names.split())
        return function

    return registered


def rule_of(node: Node, rules: Mapping[str, GradientRule]) -> GradientRule:
    """Return the rule of a node's operator.

    Raises:
        UnsupportedError: There is none.
    """
    found = rules.get(node.op) if node.domain in STANDARD_DOMAINS else None
    if found is None:
        raise refusal(
            node, DOMAIN_REASONS.get(node.domain) or REASONS.get(node.op, "there is no rule for this operator")
        )
    return found


def apply(at: Adjoint, rules: Mapping[str, GradientRule]) -> Sequence[Signal | None]:
    """Write the gradients of a node's inputs.

    Raises:
        UnsupportedError: The node has no rule, or the rule does not cover it; the text names it.
    """
    node = at.node
    function = rule_of(node, rules)
    others = [name for name, found in zip(node.outputs[1:], at.gradients[1:], strict=True) if found is not None]
    if others and node.op not in MANY_OUTPUTS:
        at.refuse(f"its output {quoted(others[0])} matters to the target, and the rule covers the first output alone")
    try:
        made = function(at)
    except (LookupError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        raise refusal(node, f"the node breaks its operator's definition ({error})") from None
    return [made] if made is None or isinstance(made, Signal) else made


def refusal(node: Node, reason: str) -> UnsupportedError:
    """Return the error that names a node."""
    name = f"{node.domain}:{node.op}" if node.domain not in ("", "ai.onnx") else node.op
    return UnsupportedError(f"there is no gradient through {name} {quoted(node.key)}: {reason}")
