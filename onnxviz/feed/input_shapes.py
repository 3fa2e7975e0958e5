"""Which input takes a picture, a sound or an array, by the inputs' shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from onnxviz.errors import InputError
from onnxviz.feed.arrays import is_fed
from onnxviz.feed.feed import WARNING
from onnxviz.feed.pictures import PICTURE_CHANNELS
from onnxviz.layout import TensorSpec, dtype_text, shape_text

_STEPS = re.compile("seq|past")
"""What a size is called that counts words: of the keys and values of past ones, four heads are not colours."""


def describe_inputs(inputs: Sequence[TensorSpec]) -> str:
    """Return the inputs of a model in one phrase, for messages."""
    return ", ".join(f"{spec.name!r} ({type_text(spec)} {shape_text(spec.shape)})" for spec in inputs) or "none"


def can_be_fed(spec: TensorSpec) -> bool:
    """Return whether there is a way to give an input: a tensor of numbers or text, or an optional, which takes one."""
    return spec.use.kind in ("tensor", "optional") and (spec.dtype is None or is_fed(spec.dtype))


def takes_noise(spec: TensorSpec) -> bool:
    """Return whether made up numbers can be fed to an input: it is a tensor of numbers."""
    return spec.use.kind == "tensor" and spec.dtype != "object" and can_be_fed(spec)


def type_text(spec: TensorSpec) -> str:
    """Return what an input takes in a user's words: its dtype, `text`, or the ONNX type that is not a tensor.

    >>> type_text(TensorSpec("x", "object")), type_text(TensorSpec("x", "int64"))
    ('text', 'int64')
    """
    return dtype_text(spec.dtype) if spec.use.kind == "tensor" else spec.use.kind


def picture_layout(spec: TensorSpec) -> str | None:
    """Return the layout in which an input takes pictures, None if it does not take them.

    The channel axis is the one of size 1, 3 or 4, second in `NCHW` before last in `NHWC`; of rank 3 `CHW` or `HWC`.

    >>> picture_layout(TensorSpec("x", "float32", ("N", 224, 224, 3)))
    'NHWC'
    """
    layout, axis = _likely_layout(spec), spec.use.appended
    return None if layout is not None and axis is not None and layout[axis : axis + 1] in ("H", "W") else layout


def _likely_layout(spec: TensorSpec) -> str | None:
    if spec.dtype is not None and (spec.dtype[:3] in ("str", "obj", "boo", "com")):
        return None
    if spec.use.is_weight or spec.use.kind != "tensor" or 0 in (spec.shape or ()):
        return None
    if spec.layout in ("NCHW", "NHWC", "CHW", "HWC"):
        channels = None if spec.shape is None else spec.shape[spec.layout.index("C")]
        return spec.layout if not isinstance(channels, int) or channels in PICTURE_CHANNELS else None
    if spec.shape is None or (spec.layout is not None and not {"H", "W"} <= set(spec.layout)):
        return None
    if any(isinstance(size, str) and _STEPS.search(size.lower()) for size in spec.shape[1:]):
        return None
    if len(spec.shape) == 4:
        _, second, third, fourth = (size if isinstance(size, int) and size > 0 else None for size in spec.shape)
        if second in PICTURE_CHANNELS and not (second != 3 and fourth == 3):
            return "NCHW"
        if fourth in PICTURE_CHANNELS:
            # (1, 2, 4, 4) is two maps of 4x4, not a picture of two rows.
            return None if third == fourth != second else "NHWC"
        if second is None:
            return "NHWC" if fourth is None and third is not None else "NCHW"
        return None
    if len(spec.shape) == 3:
        first, middle, last = spec.shape
        # One channel is a weak sign: (N, L, 1) is a sound. Both sizes of space must then be known.
        fixed = all(isinstance(size, int) and size > 0 for size in spec.shape)
        # One row, or a batch beside a fixed size: the state (layers, batch, units) of an LSTM.
        square = isinstance(middle, int) == isinstance(last, int) and 1 not in (middle, last)
        if (first in (3, 4) or (first == 1 and fixed)) and square:
            return "CHW"
        # (N, 1024, 3) is a batch of points.
        grid = (last in (3, 4) and isinstance(first, int) >= isinstance(middle, int)) or (last == 1 and fixed)
        if grid and 1 not in (first, middle):
            return "HWC"
    return None


def picture_input(inputs: Sequence[TensorSpec]) -> TensorSpec | None:
    """Return the input that takes pictures, of rank 4 before one of rank 3; None if there is none."""
    fitting = [spec for spec in inputs if picture_layout(spec) is not None]
    return max(fitting, key=lambda spec: len(spec.shape or "NCHW"), default=None)


def picture_channels(spec: TensorSpec, layout: str, notes: list[str]) -> int:
    """Return the number of channels of a picture input; 3 where the model does not say, which is noted."""
    channels = None if spec.shape is None else spec.shape[layout.index("C")]
    if isinstance(channels, int) and channels > 0:
        return channels
    notes.append(f"{WARNING}: the model does not say how many channels it takes: 3 are fed, as {layout}")
    return 3


def sound_input(inputs: Sequence[TensorSpec]) -> TensorSpec | None:
    """Return the first input for sound: floats or int16 of rank 1 to 3; None if there is none."""
    for spec in inputs:
        floating = spec.dtype is None or spec.dtype.startswith("float") or spec.dtype == "int16"
        if floating and spec.shape is not None and 1 <= len(spec.shape) <= 3:
            return spec
    return None


def array_input(inputs: Sequence[TensorSpec], rank: int) -> TensorSpec | None:
    """Return the input for an array of a rank: the picture input if it fits, else the first that fits, else any."""
    picture = picture_input(inputs)
    order = [*([picture] if picture is not None else []), *inputs]
    fitting = (spec for spec in order if spec.shape is None or len(spec.shape) in (rank, rank + 1))
    return next(fitting, order[0] if order else None)


def no_picture(inputs: Sequence[TensorSpec], name: str) -> InputError:
    """Return the error for a picture that no input takes; its text says what to give instead."""
    return InputError(
        f"{name}: no input takes a picture, which has 1, 3 or 4 channels (inputs: {describe_inputs(inputs)}); "
        "give an array of the input's shape (.npy)"
    )


def input_named(inputs: Sequence[TensorSpec], name: str) -> TensorSpec:
    """Return an input by name.

    Raises:
        InputError: There is no input of that name.
    """
    for spec in inputs:
        if spec.name == name:
            return spec
    raise InputError(f"the model has no input {name!r}; its inputs are {describe_inputs(inputs)}")
