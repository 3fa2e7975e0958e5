"""Functions of one number, and of two that are broadcast.

Where a function can be differentiated from its output, the output is saved: a Conv with its Relu stays one kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import RULES, Adjoint, Gradients, rule

_OF_INPUT: Mapping[str, Callable[[Signal], Signal]] = {
    "Abs": lambda x: x.map("Sign"),
    "Acos": lambda x: -(1.0 / (1.0 - x * x).map("Sqrt")),
    "Acosh": lambda x: 1.0 / (x * x - 1.0).map("Sqrt"),
    "Asin": lambda x: 1.0 / (1.0 - x * x).map("Sqrt"),
    "Asinh": lambda x: 1.0 / (1.0 + x * x).map("Sqrt"),
    "Atan": lambda x: 1.0 / (1.0 + x * x),
    "Atanh": lambda x: 1.0 / (1.0 - x * x),
    "Cos": lambda x: -x.map("Sin"),
    "Cosh": lambda x: x.map("Sinh"),
    "Erf": lambda x: (-(x * x)).map("Exp") * (2.0 / math.sqrt(math.pi)),
    "Log": lambda x: 1.0 / x,
    "Sin": lambda x: x.map("Cos"),
    "Sinh": lambda x: x.map("Cosh"),
    "Softplus": lambda x: x.map("Sigmoid"),
    "Softsign": lambda x: 1.0 / ((1.0 + x.map("Abs")) * (1.0 + x.map("Abs"))),
    "Mish": lambda x: _mish(x),
}
"""The derivative of each function, from its input."""

_OF_OUTPUT: Mapping[str, Callable[[Signal], Signal]] = {
    "Exp": lambda y: y,
    "Reciprocal": lambda y: -(y * y),
    "Sigmoid": lambda y: y * (1.0 - y),
    "Sqrt": lambda y: 0.5 / y,
    "Tan": lambda y: 1.0 + y * y,
    "Tanh": lambda y: 1.0 - y * y,
}
"""The derivative of each function, from its output."""


def _from_input(derivative: Callable[[Signal], Signal]) -> Callable[[Adjoint], Gradients]:
    return lambda at: at.g * derivative(at.x())


def _from_output(derivative: Callable[[Signal], Signal]) -> Callable[[Adjoint], Gradients]:
    return lambda at: at.g * derivative(at.y())


RULES.update({name: _from_input(derivative) for name, derivative in _OF_INPUT.items()})
RULES.update({name: _from_output(derivative) for name, derivative in _OF_OUTPUT.items()})


def _mish(x: Signal) -> Signal:
    tanh = x.map("Softplus").map("Tanh")
    return tanh + x * x.map("Sigmoid") * (1.0 - tanh * tanh)


@rule("Relu")
def _relu(at: Adjoint) -> Gradients:
    return at.g.where(at.y() > 0.0)


@rule("Clip")
def _clip(at: Adjoint) -> Gradients:
    if at.opset >= 11:
        low, high = (at.x(place) if at.has(place) else None for place in (1, 2))
    else:
        given = (at.node.attribute(name) for name in ("min", "max"))
        low, high = (None if number is None else at.emit.constant(number) for number in given)
    inside = [at.y() > low] if low is not None else []
    inside += [at.y() < high] if high is not None else []
    return at.g.where(inside[0] if len(inside) == 1 else inside[0] & inside[1]) if inside else at.g


@rule("LeakyRelu")
def _leaky_relu(at: Adjoint) -> Gradients:
    alpha = float(at.node.attribute("alpha", 0.01))
    above = (at.y() if alpha > 0 else at.x()) > 0.0
    if 0 <= alpha <= 1:
        return at.g * at.emit.op("Max", above.number(), alpha)
    return at.emit.op("Where", above, at.g, at.g * alpha)


@rule("PRelu")
def _p_relu(at: Adjoint) -> Gradients:
    above = at.x() > 0.0
    slope = at.emit.op("Where", above, at.g, at.g * at.x(1)) if at.wants(0) else None
    return [slope, at.fitted(at.emit.op("Where", above, 0.0, at.g * at.x()), 1) if at.wants(1) else None]


@rule("ThresholdedRelu")
def _thresholded_relu(at: Adjoint) -> Gradients:
    return at.g.where(at.x() > float(at.node.attribute("alpha", 1.0)))


@rule("Elu")
def _elu(at: Adjoint) -> Gradients:
    x, alpha = at.x(), float(at.node.attribute("alpha", 1.0))
    return at.g * at.emit.op("Where", x > 0.0, 1.0, _below(x).map("Exp") * alpha)


@rule("Celu")
def _celu(at: Adjoint) -> Gradients:
    x, alpha = at.x(), float(at.node.attribute("alpha", 1.0))
    return at.g * at.emit.op("Where", x > 0.0, 1.0, (_below(x) / alpha).map("Exp"))


@rule("Selu")
def _selu(at: Adjoint) -> Gradients:
    x = at.x()
    alpha = float(at.node.attribute("alpha", 1.67326319217681884765625))
    gamma = float(at.node.attribute("gamma", 1.05070102214813232421875))
    return at.g * at.emit.op("Where", x > 0.0, gamma, _below(x).map("Exp") * (alpha * gamma))


def _below(x: Signal) -> Signal:
    """Return x where it is below 0: of what is not taken, Exp must not overflow either."""
    return x.emit.op("Min", x, 0.0)


@rule("HardSigmoid")
def _hard_sigmoid(at: Adjoint) -> Gradients:
    return (at.g * float(at.node.attribute("alpha", 0.2))).where((at.y() > 0.0) & (at.y() < 1.0))


@rule("HardSwish")
def _hard_swish(at: Adjoint) -> Gradients:
    x = at.x()
    above = at.emit.op("Where", x > 3.0, 1.0, x * (1 / 3) + 0.5)
    return at.g * at.emit.op("Where", x < -3.0, 0.0, above)


@rule("Swish QuickGelu")
def _swish(at: Adjoint) -> Gradients:
    alpha = float(at.node.attribute("alpha", 1.0 if at.node.op == "Swish" else 1.702))
    scaled = at.x() * alpha
    gate = scaled.map("Sigmoid")
    return at.g * (gate + scaled * gate * (1.0 - gate))


@rule("Shrink")
def _shrink(at: Adjoint) -> Gradients:
    return at.g.where(at.x().map("Abs") > float(at.node.attribute("lambd", 0.5)))


@rule("Gelu")
def _gelu(at: Adjoint) -> Gradients:
    return at.g * (gelu_by_tanh if at.node.text("approximate", "none") == "tanh" else gelu_by_erf)(at.x())


@rule("FastGelu BiasGelu")
def _biased_gelu(at: Adjoint) -> Gradients:
    """Gelu of x + bias, by tanh in FastGelu."""
    x = at.x() + at.x(1) if at.has(1) else at.x()
    gradient = at.g * (gelu_by_tanh if at.node.op == "FastGelu" else gelu_by_erf)(x)
    return [at.fitted(gradient, 0), at.fitted(gradient, 1)]


@rule("BiasAdd")
def _bias_add(at: Adjoint) -> Gradients:
    return [at.fitted(at.g, place) for place in range(3)]


def gelu_by_erf(x: Signal) -> Signal:
    """Return the derivative of x * cdf(x): cdf(x) + x * pdf(x)."""
    below = ((x * math.sqrt(0.5)).map("Erf") + 1.0) * 0.5
    return below + x * ((x * x * -0.5).map("Exp") * (1 / math.sqrt(2 * math.pi)))


def gelu_by_tanh(x: Signal) -> Signal:
    """Return the derivative of x / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) * (x + 0.044715 x^3)."""
    root, square = math.sqrt(2 / math.pi), x * x
    tanh = (x * (square * (root * 0.044715) + root)).map("Tanh")
    inner = square * (3 * root * 0.044715) + root
    return (tanh + 1.0 + x * inner * (1.0 - tanh * tanh)) * 0.5


@rule("Neg")
def _neg(at: Adjoint) -> Gradients:
    return -at.g


@rule("Identity Cast CastLike")
def _same(at: Adjoint) -> Gradients:
    return at.g


@rule("Dropout")
def _dropout(at: Adjoint) -> Gradients:
    training = at.numbers(2) if at.has(2) else [0]
    if training is None or any(training) or (at.opset < 7 and not at.node.integer("is_test", 0)):
        at.refuse("it is in training mode")
    return at.g


@rule("Floor Ceil Round Sign")
def _step(at: Adjoint) -> Gradients:
    """The gradient of steps is 0: nothing goes on from here."""
    return None


@rule("Add")
def _add(at: Adjoint) -> Gradients:
    _check_broadcast(at)
    return [at.fitted(at.g, 0), at.fitted(at.g, 1)]


@rule("Sub")
def _sub(at: Adjoint) -> Gradients:
    _check_broadcast(at)
    return [at.fitted(at.g, 0), at.fitted(-at.g, 1) if at.wants(1) else None]


@rule("Mul")
def _mul(at: Adjoint) -> Gradients:
    _check_broadcast(at)
    if at.node.inputs[0] == at.node.inputs[1]:
        return at.g * at.x() * 2.0
    return [at.fitted(at.g * at.x(1 - place), place) if at.wants(place) else None for place in (0, 1)]


@rule("Div")
def _div(at: Adjoint) -> Gradients:
    _check_broadcast(at)
    upper = at.g / at.x(1)
    return [at.fitted(upper, 0), at.fitted(-(upper * at.y()), 1) if at.wants(1) else None]


def _check_broadcast(at: Adjoint) -> None:
    if at.opset < 7 and at.node.integer("broadcast", 0) and at.node.attribute("axis") is not None:
        at.refuse("operators before opset 7 broadcast along an axis of their own")


@rule("Pow")
def _pow(at: Adjoint) -> Gradients:
    base = exponent = None
    if at.wants(0):
        base = at.fitted(at.g * _slope_of_power(at), 0)
    if at.wants(1):
        positive = at.x() > 0.0
        log = at.emit.op("Where", positive, at.x(), 1.0).map("Log")
        exponent = at.fitted(at.g * at.y() * log, 1)
    return [base, exponent]


def _slope_of_power(at: Adjoint) -> Signal:
    known = at.forward.numbers(at.node.inputs[1])
    if known is None or known.size != 1:
        exponent = at.x(1).number()
        return exponent * at.emit.op("Pow", at.x(), exponent - 1.0)
    power = float(known.reshape(()))
    lowered = 1.0 if power == 1 else at.x() if power == 2 else at.emit.op("Pow", at.x(), power - 1.0)
    return power * lowered if isinstance(lowered, Signal) else at.emit.constant(power)


@rule("Mod")
def _mod(at: Adjoint) -> Gradients:
    """x - y * whole quotient: 1 for x, minus that quotient for y."""
    quotient = ((at.x() - at.y()) / at.x(1)).map("Round") if at.wants(1) else None
    return [at.fitted(at.g, 0), None if quotient is None else at.fitted(-(at.g * quotient), 1)]


@rule("Sum")
def _sum(at: Adjoint) -> Gradients:
    return [at.fitted(at.g, place) for place in range(len(at.node.inputs))]


@rule("Mean")
def _mean(at: Adjoint) -> Gradients:
    share = at.g * (1 / len(at.node.inputs))
    return [at.fitted(share, place) for place in range(len(at.node.inputs))]


@rule("Max Min")
def _extreme(at: Adjoint) -> Gradients:
    """Those that are the extreme share the gradient evenly."""
    places = range(len(at.node.inputs))
    same = [at.x(place).equals(at.y()).number() for place in places]
    share = at.g / at.emit.op("Sum", *same) if len(same) > 1 else at.g
    return [at.fitted(share * same[place], place) if at.wants(place) else None for place in places]


@rule("Where")
def _where(at: Adjoint) -> Gradients:
    """By Where itself: what is not taken may be infinite."""
    condition = at.x()
    first = at.fitted(at.emit.op("Where", condition, at.g, 0.0), 1) if at.wants(1) else None
    second = at.fitted(at.emit.op("Where", condition, 0.0, at.g), 2) if at.wants(2) else None
    return [None, first, second]
