"""Which input takes what, and the sizes it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnxviz.errors import InputError, UsageError
from onnxviz.feed.geometry import Size
from onnxviz.feed.preprocessing import Preprocessing
from onnxviz.layout import Dimension, TensorSpec, shape_text

PICTURE_CHANNELS = (1, 3, 4)


@dataclass(slots=True)
class FreeSizes:
    """The sizes of a model's symbols: those given, then those of the arrays fed so far."""

    by_symbol: dict[str, int] = field(default_factory=dict)

    def known(self, dimension: Dimension) -> int | None:
        """Return a dimension's size, None while it is free."""
        if isinstance(dimension, str):
            return self.by_symbol.get(dimension)
        # Exporters write -1 or 0 for a size they do not know.
        return dimension if dimension is not None and dimension > 0 else None

    def bind(self, spec: TensorSpec, shape: Sequence[int], name: str) -> None:
        """Check a shape against what is known of an input and keep the sizes of its symbols.

        Raises:
            InputError: the shapes disagree; the text names both.
        """
        if spec.shape is None:
            return
        wanted = [self.known(dimension) for dimension in spec.shape]
        if len(wanted) != len(shape) or any(w is not None and w != s for w, s in zip(wanted, shape, strict=True)):
            bound = {f"{d}={self.known(d)}" for d in spec.shape if isinstance(d, str) and self.known(d) is not None}
            where = f" with {', '.join(sorted(bound))}" if bound else ""
            raise InputError(
                f"input {spec.name!r} takes {shape_text(spec.shape)}{where}, {name} has shape {shape_text(shape)}"
            )
        for dimension, size in zip(spec.shape, shape, strict=True):
            if isinstance(dimension, str):
                self.by_symbol[dimension] = size


def describe_inputs(inputs: Sequence[TensorSpec]) -> str:
    """Return the inputs of a model in one phrase, for messages."""
    return ", ".join(f"{spec.name!r} ({spec.dtype or '?'} {shape_text(spec.shape)})" for spec in inputs) or "none"


def picture_layout(spec: TensorSpec) -> str | None:
    """Return the layout in which an input takes pictures, None where it takes none.

    The channel axis is the one of size 1, 3 or 4, second in `NCHW` before last in `NHWC`; of rank 3 `CHW` or `HWC`.

    >>> picture_layout(TensorSpec("x", "float32", ("N", 224, 224, 3)))
    'NHWC'
    """
    if spec.dtype is not None and (spec.dtype[:3] in ("str", "obj", "boo", "com")):
        return None
    if spec.layout in ("NCHW", "NHWC", "CHW", "HWC"):
        channels = None if spec.shape is None else spec.shape[spec.layout.index("C")]
        return spec.layout if not isinstance(channels, int) or channels in PICTURE_CHANNELS else None
    if spec.shape is None:
        return None
    if len(spec.shape) == 4:
        _, second, third, fourth = (size if isinstance(size, int) and size > 0 else None for size in spec.shape)
        if second in PICTURE_CHANNELS and not (second != 3 and fourth == 3):
            return "NCHW"
        if fourth in PICTURE_CHANNELS:
            return "NHWC"
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
    """Return the input that takes pictures: of rank 4, else of rank 3; None where there is none."""
    fitting = [spec for spec in inputs if picture_layout(spec) is not None]
    return max(fitting, key=lambda spec: len(spec.shape or "NCHW"), default=None)


def picture_channels(spec: TensorSpec, layout: str, notes: list[str]) -> int:
    """Return the number of channels of a picture input; 3 where the model does not say, which is noted."""
    channels = None if spec.shape is None else spec.shape[layout.index("C")]
    if isinstance(channels, int) and channels > 0:
        return channels
    notes.append(f"the model does not say how many channels it takes: 3 are fed, as {layout}")
    return 3


def sound_input(inputs: Sequence[TensorSpec]) -> TensorSpec | None:
    """Return the first input that takes sound, of rank 1 to 3 and no whole numbers but int16; None if there is none."""
    for spec in inputs:
        floating = spec.dtype is None or spec.dtype.startswith("float") or spec.dtype == "int16"
        if floating and spec.shape is not None and 1 <= len(spec.shape) <= 3:
            return spec
    return None


def array_input(inputs: Sequence[TensorSpec], rank: int) -> TensorSpec | None:
    """Return the input for an array of a rank: the picture input if that fits, else the first that fits, else any."""
    picture = picture_input(inputs)
    order = [*([picture] if picture is not None else []), *inputs]
    fitting = (spec for spec in order if spec.shape is None or len(spec.shape) in (rank, rank + 1))
    return next(fitting, order[0] if order else None)


def fed_size(
    spec: TensorSpec, layout: str, preprocessing: Preprocessing, sizes: FreeSizes, picture: tuple[Size, list[str]]
) -> Size:
    """Return the height and width of the array that a picture is fed as.

    First the model's own fixed sizes and `--dim`, then the preprocessing's size, then the picture's own rounded to a
    multiple of the model's stride, which is said. `picture` is the picture's size and the list that notes go to.

    Raises:
        UsageError: the size that was given is not the one the model is fixed at.
    """
    (height, width), notes = picture
    dimensions = tuple(None if spec.shape is None else spec.shape[layout.index(letter)] for letter in "HW")
    fixed = tuple(sizes.known(dimension) for dimension in dimensions)
    wanted = preprocessing.size
    if wanted is not None:
        result = (fixed[0] or wanted[0], fixed[1] or wanted[1])
        if result != wanted:
            notes.append(
                f"the model takes {result[0]}x{result[1]}: the {wanted[0]}x{wanted[1]} of its preprocessing is not used"
            )
        return result
    if fixed[0] is not None and fixed[1] is not None:
        return fixed[0], fixed[1]
    ratio = fixed[0] / height if fixed[0] else fixed[1] / width if fixed[1] else 1.0
    multiple = preprocessing.multiple

    def rounded(side: float) -> int:
        return max(multiple, int(side / multiple + 0.5) * multiple)

    result = (fixed[0] or rounded(height * ratio), fixed[1] or rounded(width * ratio))
    if dimensions[0] == dimensions[1] and isinstance(dimensions[0], str):
        result = (min(result),) * 2
    kept = "the picture's own" if ratio == 1.0 else "the picture's aspect"
    notes.append(
        f"the model takes any size: {result[0]}x{result[1]} is fed, {kept} in multiples of {multiple} "
        "(--size HxW changes it)"
    )
    return result


def check_size(spec: TensorSpec, layout: str, sizes: FreeSizes, wanted: Size | None) -> None:
    """Refuse a size that was asked for where the model is fixed at another.

    Raises:
        UsageError: the sizes differ.
    """
    if wanted is None or spec.shape is None:
        return
    for letter, size in zip("HW", wanted, strict=True):
        fixed = sizes.known(spec.shape[layout.index(letter)])
        if fixed is not None and fixed != size:
            raise UsageError(
                f"the size {wanted[0]}x{wanted[1]} cannot be fed: input {spec.name!r} takes {shape_text(spec.shape)}"
                + (f" with {letter} = {fixed}" if isinstance(spec.shape[layout.index(letter)], str) else "")
            )


def open_sizes(inputs: Sequence[TensorSpec], shapes: Mapping[str, Sequence[int]]) -> str:
    """Say what is fed to inputs whose sizes, beside the batch, the model leaves open, and how to choose another size.

    Empty if all are fixed.
    """
    free = {
        spec.name: [size for size in (spec.shape or (None, None))[1:] if FreeSizes().known(size) is None]
        for spec in inputs
        if spec.name in shapes
    }
    fed = [
        f"{spec.name!r} ({shape_text(spec.shape)}) is fed {shape_text(shapes[spec.name])}"
        for spec in inputs
        if free.get(spec.name)
    ]
    if not fed:
        return ""
    picture = picture_input(inputs)
    symbols = dict.fromkeys(size for sizes in free.values() for size in sizes if isinstance(size, str))
    ways = ["--size HxW"] if picture is not None and free.get(picture.name) else []
    ways += [f"--dim {symbol}=N" for symbol in symbols]
    way = f" ({', '.join(ways)})" if ways else ""
    return f"{', '.join(fed)}: another size may fit{way}"


def no_picture(inputs: Sequence[TensorSpec], name: str) -> InputError:
    """Return the error for a picture that no input takes, with the way to go."""
    return InputError(
        f"{name}: no input takes a picture, which has 1, 3 or 4 channels (inputs: {describe_inputs(inputs)}); "
        "give an array of the input's shape (.npy)"
    )


def input_named(inputs: Sequence[TensorSpec], name: str) -> TensorSpec:
    """Return an input by name.

    Raises:
        InputError: there is none of that name.
    """
    by_name: Mapping[str, TensorSpec] = {spec.name: spec for spec in inputs}
    if name not in by_name:
        raise InputError(f"the model has no input {name!r}; its inputs are {describe_inputs(inputs)}")
    return by_name[name]
