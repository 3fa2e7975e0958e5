"""`PictureFeed`: pixels as a model is fed them, and the gradient of what is fed as one of pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnxviz import bundled
from onnxviz.errors import UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions, choose_preprocessing
from onnxviz.graph.shapes import fix_inputs
from onnxviz.layout import Array
from onnxviz.model import Model

_TAKEN = ("NCHW", "NHWC", "CHW", "HWC")


class PictureFeed:
    """A model whose main input takes pictures of one size.

    Attributes:
        model: the model, with its input fixed to that size.
        size: height and width.
        channels: 3, or 1 of a model that takes grey pictures.
        input: the name of the input.
    """

    def __init__(self, model: Model, size: tuple[int, int] | None, options: FeedOptions) -> None:
        """Find how pixels are fed; without a size that of the model.

        Raises:
            UnsupportedError: The model takes no pictures of one or three channels.
            InputError: Another input is given nothing.
        """
        options = options if size is None else replace(options, size=size)
        if len(model.inputs) == 1:
            options = replace(options, random=None)  # noise is for other inputs
        if size is not None:
            model = _resized(model, size)
        self._base = model.feed(bundled.picture("cat"), options)
        fed = self._base.main
        if fed.layout not in _TAKEN or fed.picture is None:
            raise UnsupportedError("pictures are made for models that take pictures: this one does not")
        array = self._base.arrays[fed.name]
        self.model, self.input, self._layout = model, fed.name, fed.layout
        self.channels = array.shape[fed.layout.index("C")]
        if self.channels not in (1, 3):
            raise UnsupportedError(f"pictures are made of 1 or 3 channels: the model takes {self.channels}")
        if array.dtype.kind != "f":
            raise UnsupportedError(f"the model takes {array.dtype}, whole numbers, which have no gradient")
        self.size = array.shape[fed.layout.index("H")], array.shape[fed.layout.index("W")]
        self._shape, self._dtype = array.shape, array.dtype
        spec = next(spec for spec in model.inference.inputs() if spec.name == fed.name)
        found, _ = choose_preprocessing(options, model.metadata, spec)
        ends = [found.normalise(np.full((1, 1, self.channels), level, np.uint8))[0, 0] for level in (0, 255)]
        self._offset, self._gain = ends[0], ends[1] - ends[0]
        self._turned = found.channel_order == "bgr" and self.channels == 3

    def of(self, pixels: Array) -> Feed:
        """Return the feed of pixels `(H, W, channels)` in 0..1, in every item of the batch."""
        turned = pixels[..., ::-1] if self._turned else pixels
        values = (turned * self._gain + self._offset).astype(self._dtype)
        planes = np.moveaxis(values, -1, 0) if "CHW" in self._layout else values
        array = np.ascontiguousarray(np.broadcast_to(planes, self._shape))
        return replace(self._base, arrays={**self._base.arrays, self.input: array})

    def back(self, gradient: Array) -> Array:
        """Return the gradient by the pixels of the first item, where that by what is fed is this."""
        first = gradient[0] if self._layout[0] == "N" else gradient
        values = (np.moveaxis(first, 0, -1) if "CHW" in self._layout else first) * self._gain
        return np.asarray(values[..., ::-1] if self._turned else values, np.float32)

    def pixels(self, source: object) -> Array:
        """Return a picture as the model would be fed it, `(H, W, channels)` in 0..1."""
        fed = self.model.feed(source, FeedOptions(size=self.size)).main
        if fed.picture is None:
            raise UnsupportedError("it is not a picture")
        found = np.asarray(fed.picture, np.float32)[..., :3] / 255
        if self.channels == 1:
            return found.mean(axis=-1, keepdims=True) if found.ndim == 3 else found[..., None]
        return (
            found if found.ndim == 3 and found.shape[-1] == 3 else np.repeat(found.reshape(*self.size, 1), 3, axis=-1)
        )


def _resized(model: Model, size: tuple[int, int]) -> Model:
    """Return a model whose main input has another height and width, as far as its layout is known."""
    spec = next((spec for spec in model.inference.inputs() if spec.layout in _TAKEN and spec.shape), None)
    if spec is None or spec.shape is None or spec.layout is None:
        return model
    sizes = {"H": size[0], "W": size[1], "N": 1}
    shape = [sizes.get(letter, known) for letter, known in zip(spec.layout, spec.shape, strict=True)]
    fixed = [each for each in shape if isinstance(each, int)]
    return Model(model.file, fix_inputs(model.graph, {spec.name: fixed})) if len(fixed) == len(shape) else model
