"""Explanations by the gradient of a target with respect to the input; each is of the input's shape, without its batch.

What the numbers mean and where each was described stands with each function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from onnxviz.errors import UnsupportedError
from onnxviz.explaining.network import Network
from onnxviz.explaining.target import Target
from onnxviz.layout import Array

if TYPE_CHECKING:
    from onnxviz.gradient.registry import GradientRule

MOST_STEPS = 1024


@dataclass(frozen=True, slots=True)
class Integrated:
    """Integrated gradients: the array, the steps that were taken, and how far their sum is from what it must be."""

    array: Array
    steps: int
    gap: float


def gradient(
    network: Network,
    target: Target,
    rules: Mapping[str, GradientRule] | None = None,
    name: str = "",
) -> Array:
    """Return the gradient of a target with respect to the input (Simonyan et al. 2013, arXiv:1312.6034).

    `rules` stand in place of the usual ones, as those of guided backpropagation do, and are known by `name`.

    Raises:
        UnsupportedError: It is 0 everywhere, or an operator on the way has none.
    """
    found = gradients(network, target, network.array, rules, name)[0]
    if not found.any():
        raise UnsupportedError(
            f"the gradient of {target.name} is 0 everywhere: what it depends on lies at an end of a nonlinearity, such "
            "as below 0 before a ReLU"
        )
    return found


def gradients(
    network: Network,
    target: Target,
    batch: Array,
    rules: Mapping[str, GradientRule] | None = None,
    name: str = "",
) -> Array:
    """Return the gradients for variants of the input, (N, ...)."""
    passes = network.passes(target.value, (network.input,), rules, name)
    found = []
    for fed, count in network.feeds(batch):
        kept = passes.forward(fed)
        found.append(passes.backward(kept, target.seed(kept[target.value]))[network.input][:count])
    return np.concatenate(found)


def smoothgrad(network: Network, target: Target, samples: int, noise: float, seed: int) -> Array:
    """Return the root of the mean square of gradients under noise (Smilkov et al. 2017, arXiv:1706.03825; squared as
    in Hooker et al. 2019, arXiv:1806.10758). The noise is normal, `noise` times the input's range."""
    array = network.array
    draw = np.random.default_rng(seed)
    spread = noise * float(array.max() - array.min())
    total = np.zeros(array.shape[1:], np.float64)
    for start in range(0, samples, 8):
        count = min(8, samples - start)
        moved = array + (draw.standard_normal((count, *array.shape[1:])) * spread).astype(array.dtype)
        total += (gradients(network, target, moved).astype(np.float64) ** 2).sum(0)
    return np.sqrt(total / samples).astype(np.float32)


def integrated_gradients(network: Network, target: Target, axes: tuple[int, ...], tolerance: float) -> Integrated:
    """Return the integral of gradient times way, from the input's mean over `axes` to the input (Sundararajan, Taly and Yan
    2017, arXiv:1703.01365, equation 1; midpoints).

    Its sum must be the difference of the target at both ends. Steps are doubled, from 32 on, until the gap is below
    `tolerance` of that difference, or MOST_STEPS are taken.
    """
    array = network.array
    start = np.broadcast_to(array.mean(axes, keepdims=True), array.shape).astype(array.dtype)
    ends = target.of(network.values([target.value], np.concatenate([start, array]))[0])
    wanted = float(ends[1] - ends[0])
    steps = 32
    while True:
        found = _integral(network, target, start, steps)
        gap = abs(float(found.sum()) - wanted) / (abs(wanted) or 1.0)
        if gap <= tolerance or 2 * steps > MOST_STEPS:
            return Integrated(found.astype(np.float32), steps, gap)
        steps *= 2


def _integral(network: Network, target: Target, start: Array, steps: int) -> Array:
    way = network.array - start
    total = np.zeros(way.shape[1:], np.float64)
    shares = (np.arange(steps) + 0.5) / steps
    for first in range(0, steps, 8):
        some = shares[first : first + 8].reshape(-1, *[1] * (way.ndim - 1)).astype(way.dtype)
        total += gradients(network, target, start + some * way).astype(np.float64).sum(0)
    return total / steps * way[0]
