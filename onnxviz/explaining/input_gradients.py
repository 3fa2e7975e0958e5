"""Explanations by the gradient of a target with respect to the input; each is of the input's shape, without its batch.

What the numbers mean and where each was described stands with each function.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from onnxviz.errors import UnsupportedError
from onnxviz.explaining.network import Network
from onnxviz.explaining.target import Target, numbers_of
from onnxviz.feed.feed import Feed
from onnxviz.layout import Array

if TYPE_CHECKING:
    from onnxviz.gradient.registry import GradientRule

MOST_STEPS = 256


@dataclass(frozen=True, slots=True)
class Integrated:
    """Integrated gradients: the array, the steps that were taken, and how far their sum is from what it must be."""

    array: Array
    steps: int
    gap: float


def gradient(
    network: Network,
    targets: Sequence[Target],
    rules: Mapping[str, GradientRule] | None = None,
    name: str = "",
) -> list[Array]:
    """Return the gradient of each target with respect to the input (Simonyan et al. 2013, arXiv:1312.6034).

    `rules` stand in place of the usual ones, as those of guided backpropagation do, and are known by `name`.

    Raises:
        UnsupportedError: One is 0 everywhere, or an operator on the way has none.
    """
    found = [one[0] for one in next(gradients(network, targets, [network.array], rules, name))]
    for target, one in zip(targets, found, strict=True):
        if not one.any():
            raise UnsupportedError(
                f"the gradient of {target.name} is 0 everywhere: what it depends on lies at an end of a nonlinearity, "
                "such as below 0 before a ReLU"
            )
    return found


def gradients(
    network: Network,
    targets: Sequence[Target],
    variants: Iterable[Array],
    rules: Mapping[str, GradientRule] | None = None,
    name: str = "",
) -> Iterator[list[Array]]:
    """Yield for each variant of the input the gradients of the targets, (1, ...); one forward pass serves all."""
    made = {value: network.gradient(value, (network.input,), rules, name) for value in {t.value for t in targets}}

    def work(feed: Feed) -> list[Array]:
        runs = {value: one.forward(feed) for value, one in made.items()}
        found = ((runs[target.value], target) for target in targets)
        return [run.backward(target.seed(run.target))[network.input][:1] for run, target in found]

    yield from network.each(variants, work)


def smoothgrad(network: Network, targets: Sequence[Target], samples: int, noise: float, seed: int) -> list[Array]:
    """Return the root of the mean square of gradients under noise (Smilkov et al. 2017, arXiv:1706.03825; squared as
    in Hooker et al. 2019, arXiv:1806.10758). The noise is normal, `noise` times the input's range."""
    array = network.array
    draw = np.random.default_rng(seed)
    spread = noise * float(array.max() - array.min())
    totals = np.zeros((len(targets), *array.shape[1:]), np.float64)
    moved = (array + (draw.standard_normal(array.shape) * spread).astype(array.dtype) for _ in range(samples))
    for found in gradients(network, targets, moved):
        for total, one in zip(totals, found, strict=True):
            total += one[0].astype(np.float64) ** 2
    return [np.sqrt(total / samples).astype(np.float32) for total in totals]


def integrated_gradients(
    network: Network, targets: Sequence[Target], axes: tuple[int, ...], tolerance: float
) -> list[Integrated]:
    """Return for each target the integral of its gradient along the way from the input's mean over `axes` to the input,
    times the way (Sundararajan, Taly and Yan 2017, arXiv:1703.01365, equation 1; trapezoids).

    Its sum must be the difference of the target at both ends. Steps are doubled, from 32 on, until all gaps are below
    `tolerance` of that difference, or MOST_STEPS are taken; places that were passed before are not passed again.
    """
    array = network.array
    start = np.broadcast_to(array.mean(axes, keepdims=True), array.shape).astype(array.dtype)
    way = (array - start)[0].astype(np.float64)
    wanted = np.diff(numbers_of(network, targets, [start, array]))[:, 0]
    sums = _sums(network, targets, start, [0.0, 1.0]) / 2
    steps, shares = 32, list(np.arange(1, 32) / 32)
    while True:
        sums += _sums(network, targets, start, shares)
        found = sums / steps * way
        gaps = np.abs(found.reshape(len(targets), -1).sum(1) - wanted) / np.where(wanted == 0, 1.0, np.abs(wanted))
        if gaps.max() <= tolerance or 2 * steps > MOST_STEPS:
            made = found.astype(np.float32)
            return [Integrated(one, steps, float(gap)) for one, gap in zip(made, gaps, strict=True)]
        steps, shares = 2 * steps, list(np.arange(1, 2 * steps, 2) / (2 * steps))


def _sums(network: Network, targets: Sequence[Target], start: Array, shares: Sequence[float]) -> Array:
    """Return the sum of the gradients at these shares of the way, (targets, ...) float64."""
    way = network.array - start
    total = np.zeros((len(targets), *way.shape[1:]))
    for found in gradients(network, targets, (start + way.dtype.type(share) * way for share in shares)):
        for sums, one in zip(total, found, strict=True):
            sums += one[0]
    return total
