"""Maps with any number of channels as one RGB picture: their three principal components."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from onnxviz.layout import Array

SAMPLE = 4096
"""The most pixels from which the components are found; all pixels are then projected."""

SAMPLE_OF_MANY = 576
"""The same for more than 512 channels: the matrix is then pixels by pixels, and its cost grows with their cube."""

WHOLE = 64
KRYLOV_STEPS = 8
"""A matrix of up to WHOLE rows is decomposed at once, a larger one in KRYLOV_STEPS multiplications."""

BLOCK = 1 << 18
"""Values that are projected at once, which saves a second copy of large maps."""


def pca_rgb(maps: Array) -> tuple[npt.NDArray[np.uint8], float]:
    """Project maps `(C, H, W)` on their three principal components, as an RGB picture `(H, W, 3) uint8`.

    Red is the first component, green the second, blue the third; each is stretched from its 1st to its 99th
    percentile. A component that does not exist is 0; one component alone is grey. The same maps always give the same
    picture: pixels are sampled on a regular grid, and the sign of a component is chosen so that its longer tail is
    bright. Values that are not finite count as their channel's mean.

    Returns:
        The picture and the share of the variance (0..1) that it shows; 0 where nothing varies.

    Example:
        >>> import numpy as np
        >>> picture, share = pca_rgb(np.array([[[0.0, 1.0], [3.0, 5.0]]]))
        >>> picture[:, :, 0].tolist(), share
        ([[0, 51], [153, 255]], 1.0)
        >>> bool((picture[:, :, 0] == picture[:, :, 2]).all())
        True
    """
    channels, height, width = maps.shape
    picture = np.zeros((height * width, 3), np.uint8)
    if maps.size:
        mean, scale = _mean_and_scale(maps)
        axes, share = principal_axes(_centred(_sample(maps), mean, scale))
        if len(axes):
            values = np.empty((len(axes), height * width), np.float32)
            step = max(1, BLOCK // (channels * width))
            for start in range(0, height, step):
                part = values[:, start * width : (start + step) * width]
                np.matmul(axes, _centred(maps[:, start : start + step], mean, scale), out=part)
            picture[:, : len(axes) if len(axes) > 1 else 3] = _stretched(values).T
            return picture.reshape(height, width, 3), share
    return picture.reshape(height, width, 3), 0.0


def principal_axes(centred: npt.NDArray[np.float32], count: int = 3) -> tuple[npt.NDArray[np.float32], float]:
    """Return the first principal axes `(at most count, C)` of centred values `(C, P)`, and their share of variance.

    The smaller of the two Gram matrices, `(C, C)` or `(P, P)`, is decomposed: both have the same eigenvalues.
    """
    by_channel = centred.shape[0] <= centred.shape[1]
    gram = (centred @ centred.T if by_channel else centred.T @ centred).astype(np.float64)
    total = float(np.trace(gram))
    values, vectors = leading_eigenvectors(gram, count)
    kept = int(np.count_nonzero(values > total * 1e-7))
    if not kept:
        return np.empty((0, centred.shape[0]), np.float32), 0.0
    axes = vectors[:, :kept].T
    if not by_channel:
        axes = (axes @ centred.T.astype(np.float64)) / np.sqrt(values[:kept, None])
    return _signed(axes, centred).astype(np.float32), min(1.0, float(values[:kept].sum()) / total)


def leading_eigenvectors(
    matrix: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the greatest eigenvalues `(count,)` of a symmetric matrix `(n, n)`, never negative, and their vectors.

    Large matrices are first projected on a block Krylov space (Musco and Musco 2015, algorithm 2). On real maps its
    eigenvalues are those of the whole matrix to ten digits, in half of the time, and in a quarter where other
    processes keep the cores busy: a full decomposition makes BLAS threads wait for each other thousands of times.
    """
    if len(matrix) > WHOLE:
        block = np.random.default_rng(0).standard_normal((len(matrix), 2 * count))
        blocks = []
        for _ in range(KRYLOV_STEPS):
            block, _ = np.linalg.qr(block)
            blocks.append(block)
            block = matrix @ block
        basis, _ = np.linalg.qr(np.concatenate(blocks, axis=1))
        values, vectors = np.linalg.eigh(basis.T @ matrix @ basis)
        vectors = basis @ vectors
    else:
        values, vectors = np.linalg.eigh(matrix)
    return values[::-1][:count].clip(0), vectors[:, ::-1][:, :count]


def _signed(axes: npt.NDArray[np.float64], centred: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Turn each axis so that the longer tail of its values is positive or, if they are alike, its largest weight."""
    cubes = (axes.astype(np.float32) @ centred).astype(np.float64) ** 3
    skew = cubes.sum(axis=1)
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    alike = np.abs(skew) <= 1e-3 * np.abs(cubes).sum(axis=1)
    return np.where(np.where(alike, largest, skew)[:, None] < 0, -axes, axes)


def _sample(maps: Array) -> Array:
    """Return pixels of every map on a regular grid; a stride over the flat pixels could meet a single column."""
    channels, height, width = maps.shape
    pixels = SAMPLE if channels <= 512 else SAMPLE_OF_MANY
    step = min(height, math.ceil(math.sqrt(max(1.0, height * width / pixels))))
    rows = -(-height // step)
    return maps[:, ::step, :: max(1, -(-width * rows // pixels))]


def _mean_and_scale(maps: Array) -> tuple[Array, np.float32]:
    """Return the mean of every channel `(C, 1)` over the sample, and a factor that brings the values near 1.

    Without this factor squares of large float32 numbers overflow, and those of small ones vanish.
    """
    sample = _sample(maps).reshape(len(maps), -1)
    sample = sample.astype(np.result_type(maps.dtype, np.float32), copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sample.mean(axis=1, dtype=np.float64)
        if not np.isfinite(mean).all():
            finite = np.isfinite(sample)
            mean = np.where(finite, sample, 0).sum(axis=1, dtype=np.float64) / np.maximum(finite.sum(axis=1), 1)
            sample = np.where(finite, sample, mean[:, None])
        far = max(float((sample.max(axis=1) - mean).max()), float((mean - sample.min(axis=1)).max()))
    usable = np.isfinite(far) and far > np.finfo(np.float32).tiny
    return mean.astype(sample.dtype)[:, None], np.float32(1 / far if usable else 1)


def _centred(maps: Array, mean: Array, scale: np.float32) -> npt.NDArray[np.float32]:
    """Return maps `(C, h, w)` as scaled differences from the means `(C, h * w)`, 0 where they are not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        values: npt.NDArray[np.float32] = (maps.reshape(len(maps), -1) - mean).astype(np.float32, copy=False)
        values *= scale
        finite = np.isfinite(values.sum(dtype=np.float64))
    if not finite:
        np.nan_to_num(values, copy=False, nan=0, posinf=0, neginf=0)
    return values


def _stretched(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Stretch each component `(n, P)` from its 1st to its 99th percentile over 0..255."""
    ordered = np.sort(values, axis=1)
    last = values.shape[1] - 1
    low = ordered[:, math.floor(last * 0.01), None]
    high = ordered[:, math.ceil(last * 0.99), None]
    spread = np.maximum(high - low, np.finfo(np.float32).tiny)
    shades: npt.NDArray[np.uint8] = np.rint(((values - low) / spread).clip(0, 1) * 255).astype(np.uint8)
    return shades
