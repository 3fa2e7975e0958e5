"""Class activation maps: the maps of a layer, weighed by what its gradient says they do for the target.

Each function takes maps and their gradient, (C, H, W) both, and returns the heat, (H, W). They coincide where global
average pooling and one dense layer follow; they differ at layers below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from onnxviz.layout import Array

_TINY = 1e-12


def gradcam(maps: Array, gradient: Array) -> Array:
    """Weigh each map by the mean of its gradient (Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2)."""
    return _positive((gradient.mean((1, 2), keepdims=True) * maps).sum(0))


def gradcam_plus_plus(maps: Array, gradient: Array) -> Array:
    """Weigh positive gradients more where few places of a map have them (Chattopadhay et al. 2018, arXiv:1710.11063,
    equation 19; the second and third derivatives as powers of the first, as for an exponential of the score)."""
    # g^2 / (2 g^2 + S g^3), divided by g^2: a square of a small gradient is no longer a number of float32.
    below = 2 + maps.sum((1, 2), keepdims=True) * gradient
    share = 1 / np.where(np.abs(below) > _TINY, below, 1.0)
    weights = (share * np.maximum(gradient, 0)).sum((1, 2), keepdims=True)
    return _positive((weights * maps).sum(0))


def xgradcam(maps: Array, gradient: Array) -> Array:
    """Weigh each map by its share of gradient times map (Fu et al. 2020, arXiv:2008.02312, equation 8)."""
    total = maps.sum((1, 2), keepdims=True)
    weights = (gradient * maps).sum((1, 2), keepdims=True) / np.where(np.abs(total) > _TINY, total, 1.0)
    return _positive((weights * maps).sum(0))


def hirescam(maps: Array, gradient: Array) -> Array:
    """Multiply gradient and map place by place (Draelos and Carin 2020, arXiv:2011.08891, equation 4)."""
    return _positive((gradient * maps).sum(0))


def layercam(maps: Array, gradient: Array) -> Array:
    """Weigh each place by its own positive gradient (Jiang et al. 2021, IEEE TIP 30, equations 3 to 5)."""
    return _positive((np.maximum(gradient, 0) * maps).sum(0))


def eigencam(maps: Array, gradient: Array) -> Array:
    """Project the maps on their first principal component (Muhammad and Yeasin 2020, arXiv:2008.00299).

    It knows of no class; its sign is such that the larger side is the heat.
    """
    places = maps.reshape(len(maps), -1).T.astype(np.float64)
    places = places - places.mean(0)
    # Of two ways to the same component the one by the smaller matrix: there are 49 places of 1,280 channels, or as few
    # channels of many places.
    if len(maps) < len(places):
        heat = places @ np.linalg.eigh(places.T @ places)[1][:, -1]
    else:
        sizes, directions = np.linalg.eigh(places @ places.T)
        heat = directions[:, -1] * np.sqrt(max(sizes[-1], 0.0))
    heat = heat.reshape(maps.shape[1:])
    return _positive(heat if heat.max() >= -heat.min() else -heat)


CLASS_ACTIVATION: Mapping[str, Callable[[Array, Array], Array]] = {
    "gradcam": gradcam,
    "gradcam++": gradcam_plus_plus,
    "xgradcam": xgradcam,
    "hirescam": hirescam,
    "layercam": layercam,
    "eigencam": eigencam,
}


def _positive(heat: Array) -> Array:
    return np.maximum(heat, 0).astype(np.float32)
