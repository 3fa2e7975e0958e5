"""Reductions over axes, and running sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import RULES, Adjoint, Gradients, rule


class _ReductionBack:
    """A reduction on the way back: its gradient and its output with all axes kept.

    Attributes:
        axes: those that are reduced.
        g: the gradient, of size 1 along them.
    """

    def __init__(self, at: Adjoint, axes: list[int]) -> None:
        self.at = at
        self.axes = axes
        self._gone = [] if at.node.integer("keepdims", 1) else axes
        self.g = at.g.unsqueeze(self._gone)

    @property
    def x(self) -> Signal:
        """What is reduced."""
        return self.at.x()

    @property
    def y(self) -> Signal:
        """What it becomes, of size 1 along the axes."""
        return self.at.y().unsqueeze(self._gone)

    @property
    def count(self) -> Signal | float:
        """How many numbers become one."""
        return self.at.emit.count(self.at.node.inputs[0], self.axes)

    def spread(self, gradient: Signal) -> Signal:
        """Return a gradient repeated along the axes."""
        return self.at.emit.op("Expand", gradient, self.at.sizes())

    def shared(self) -> Signal:
        """Return the gradient for those that are the result, who share it evenly."""
        same = self.x.equals(self.y).number()
        return same * (self.g / same.total(self.axes))


def _l2(of: _ReductionBack) -> Signal:
    """x / y, 0 where y is 0."""
    positive = of.y > 0.0
    safe = of.at.emit.op("Where", positive, of.y, 1.0)
    return of.x * (of.g / safe).where(positive)


_REDUCTIONS: Mapping[str, Callable[[_ReductionBack], Signal]] = {
    "ReduceSum": lambda of: of.spread(of.g),
    "ReduceMean": lambda of: of.spread(of.g / of.count),
    "ReduceMax": _ReductionBack.shared,
    "ReduceMin": _ReductionBack.shared,
    "ReduceSumSquare": lambda of: of.g * 2.0 * of.x,
    "ReduceL1": lambda of: of.x.map("Sign") * of.g,
    "ReduceL2": _l2,
    "ReduceLogSum": lambda of: of.spread(of.g / of.y.map("Exp")),
    "ReduceLogSumExp": lambda of: of.g * (of.x - of.y).map("Exp"),
    "ReduceProd": lambda of: of.g * _other_factors(of),
}


def _other_factors(of: _ReductionBack) -> Signal:
    """Return for each number the product of the others: y / x, and with one zero among them y without it there."""
    zero = of.x.equals(0.0)
    zeros = zero.number().total(of.axes)
    filled = of.at.emit.op("Where", zero, 1.0, of.x)
    product = filled.reduce("Prod", of.axes)
    at_zero = (product * zeros.equals(1.0).number()) * zero.number()
    return (product / filled) * zeros.equals(0.0).number() + at_zero


def _reduced(function: Callable[[_ReductionBack], Signal]) -> Callable[[Adjoint], Gradients]:
    def write(at: Adjoint) -> Gradients:
        axes = at.known(1, "axes")
        if not axes and at.node.integer("noop_with_empty_axes", 0):
            axes = []
            if at.node.op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
                return at.g
        else:
            axes = sorted({at.counted(axis) for axis in axes or range(at.rank())})
        return function(_ReductionBack(at, axes))

    return write


RULES.update({name: _reduced(function) for name, function in _REDUCTIONS.items()})


@rule("CumSum")
def _cum_sum(at: Adjoint) -> Gradients:
    """The running sum from the other end."""
    reverse, exclusive = at.node.integer("reverse", 0), at.node.integer("exclusive", 0)
    return at.emit.op("CumSum", at.g, at.x(1), exclusive=exclusive, reverse=1 - reverse)


@rule("CumProd")
def _cum_prod(at: Adjoint) -> Gradients:
    """The running sum of g y from the other end, over x; not where x is 0."""
    reverse, exclusive = at.node.integer("reverse", 0), at.node.integer("exclusive", 0)
    total = at.emit.op("CumSum", at.g * at.y(), at.x(1), exclusive=exclusive, reverse=1 - reverse)
    return total / at.x()
