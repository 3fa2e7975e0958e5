"""Deletion and insertion: what becomes of an answer while a picture is covered, or uncovered, brightest places first.

Petsiuk, Das and Saenko (RISE, 2018, arXiv:1806.07421, section 4.1): of a map that shows what the answer needs, covering
its brightest places first lowers the answer soon, and a blurred picture gets the answer back soon where they are
uncovered first. The area under the curve says it in one number: small for deletion, large for insertion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnxviz.draw.heat import blurred
from onnxviz.explaining.network import Network
from onnxviz.explaining.target import Target, numbers_of
from onnxviz.layout import Array

STEPS = 16
"""In how many equal parts a picture is covered."""

_RANDOM_ORDERS = 3
_SQUARES = 7
_BLUR = 1 / 16


@dataclass(frozen=True, slots=True)
class CoveringCurves:
    """The number of a target at each step, STEPS + 1 of them, from none covered to all, or from none uncovered to all.

    Attributes:
        deletion: while the input is covered with its own mean.
        insertion: while the blurred input is uncovered.
    """

    deletion: tuple[float, ...]
    insertion: tuple[float, ...]

    @property
    def deletion_area(self) -> float:
        """The area under the first, of a width of 1."""
        return float(np.trapezoid(self.deletion)) / STEPS

    @property
    def insertion_area(self) -> float:
        """The area under the second, of a width of 1."""
        return float(np.trapezoid(self.insertion)) / STEPS


def curves_of(network: Network, target: Target, axes: tuple[int, int], heat: Array, seed: int) -> CoveringCurves:
    """Return what becomes of a target where the brightest places of a map, (H, W), are covered or uncovered first.

    Places of equal heat, such as all that have none, come in random order.
    """
    random = np.random.default_rng(seed).random(heat.size)
    order = np.lexsort((random, -heat.reshape(-1)))
    return _curves(network, [target], axes, order)[0]


def random_curves(
    network: Network, targets: Sequence[Target], axes: tuple[int, int], seed: int
) -> list[CoveringCurves]:
    """Return for each target the same for squares of the picture in random order: the mean of three orders.

    Squares, 7 x 7 of them, since a map is smooth as well: pixels strewn over a picture undo it much sooner.
    """
    height, width = (network.array.shape[axis] for axis in axes)
    draw = np.random.default_rng(seed)
    rows, columns = np.arange(height) * _SQUARES // height, np.arange(width) * _SQUARES // width
    squares = (rows[:, None] * _SQUARES + columns).reshape(-1)
    orders = [np.argsort(draw.permutation(_SQUARES**2)[squares], kind="stable") for _ in range(_RANDOM_ORDERS)]
    found = [_curves(network, targets, axes, order) for order in orders]
    return [
        CoveringCurves(
            tuple(np.mean([one.deletion for one in some], axis=0).tolist()),
            tuple(np.mean([one.insertion for one in some], axis=0).tolist()),
        )
        for some in zip(*found, strict=True)
    ]


def _curves(network: Network, targets: Sequence[Target], axes: tuple[int, int], order: Array) -> list[CoveringCurves]:
    array = network.array
    mean = np.broadcast_to(array.mean(axes, keepdims=True, dtype=np.float64), array.shape).astype(array.dtype)
    shape = [array.shape[axis] if axis in axes else 1 for axis in range(array.ndim)]
    both = (
        numbers_of(network, targets, _steps(first, then, order, shape))
        for first, then in ((array, mean), (_blurred(array, axes), array))
    )
    deletion, insertion = both
    return [
        CoveringCurves(tuple(down.tolist()), tuple(up.tolist())) for down, up in zip(deletion, insertion, strict=True)
    ]


def _steps(first: Array, then: Array, order: Array, shape: Sequence[int]) -> Iterator[Array]:
    """Yield one array while it becomes another, place by place in an order."""
    for step in range(STEPS + 1):
        reached = np.zeros(order.size, bool)
        reached[order[: round(step / STEPS * order.size)]] = True
        yield np.where(reached.reshape(shape), then, first)


def _blurred(array: Array, axes: tuple[int, int]) -> Array:
    deviation = min(array.shape[axis] for axis in axes) * _BLUR
    smooth: Array = blurred(array.astype(np.float64), deviation, axes).astype(array.dtype)
    return smooth
