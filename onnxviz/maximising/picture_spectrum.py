"""`Spectrum`: a picture as the numbers that are moved: a Fourier spectrum of colours that vary apart from each other.

The pixels are `sigmoid(M * irfft2(p * s) / 4)`. The scale `s` falls with the frequency f as `f ** -DECAY`: a step so
moves coarse and fine structure alike, where pixels moved each by itself become noise. M turns three channels that vary
apart from each other into the colours of photographs, which do not (Olah et al., Feature Visualization, Distill 2017).
"""

from __future__ import annotations

import numpy as np

from onnxviz.layout import Array

DECAY = 1.3
"""How fast the scale falls with the frequency: 1.3 was found best by a second network as the judge."""

_SPREAD = 0.01
"""The deviation of the numbers at the start, which are almost grey."""

_GAIN = 4.0

# The square root of the covariance of colours over photographs of ImageNet, as published with Lucid.
_COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]], np.float64)

_DARKEST = 0.02
"""Pixels of a start are kept so far from black and white, where a sigmoid has no slope."""


class Spectrum:
    """A picture `(height, width, channels)` of 3 channels or 1, float32 between 0 and 1."""

    def __init__(self, size: tuple[int, int], channels: int, numbers: np.random.Generator) -> None:
        """Begin with noise that is almost grey."""
        height, width = size
        down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
        frequency = np.maximum(np.hypot(down, across), 1 / max(height, width))
        self._size = size
        self._scale = (frequency**-DECAY * np.sqrt(height * width)).astype(np.float32)
        # In a half spectrum each column but the first, and the last of an even width, stands for two.
        self._weight = np.full(self._scale.shape, 2, np.float32)
        self._weight[:, 0] = 1
        if width % 2 == 0:
            self._weight[:, -1] = 1
        longest = np.linalg.norm(_COLOURS, axis=0).max()
        self._colours = (_COLOURS / longest if channels == 3 else np.eye(channels)).astype(np.float32)
        self.numbers: Array = numbers.standard_normal((channels, *self._scale.shape, 2), np.float32) * _SPREAD
        self._pixels: Array = np.zeros((*size, channels), np.float32)

    def begin_with(self, pixels: Array) -> None:
        """Take a picture, `(height, width, channels)` in 0..1, as the start."""
        kept = np.clip(pixels, _DARKEST, 1 - _DARKEST)
        apart = np.einsum("dc,hwc->dhw", np.linalg.inv(self._colours), np.log(kept / (1 - kept))) * _GAIN
        spectrum = np.fft.rfft2(apart) / self._scale
        self.numbers = np.stack([spectrum.real, spectrum.imag], axis=-1).astype(np.float32)

    def pixels(self) -> Array:
        """Return the picture, `(height, width, channels)` float32 in 0..1."""
        spectrum = (self.numbers[..., 0] + 1j * self.numbers[..., 1]) * self._scale
        apart = np.fft.irfft2(spectrum, s=self._size) / _GAIN
        self._pixels = 1 / (1 + np.exp(-np.einsum("dc,chw->hwd", self._colours, apart)))
        return self._pixels

    def gradient(self, of_pixels: Array) -> Array:
        """Return the gradient by the numbers, where that by the pixels of the last `pixels` is this."""
        before = np.einsum("dc,hwd->chw", self._colours, of_pixels * self._pixels * (1 - self._pixels)) / _GAIN
        spectrum = np.fft.rfft2(before) * self._weight * self._scale / (self._size[0] * self._size[1])
        return np.stack([spectrum.real, spectrum.imag], axis=-1)
