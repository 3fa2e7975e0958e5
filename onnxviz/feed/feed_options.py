"""Options of feeding, and the preprocessing that follows from them and from the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from onnxviz.errors import UsageError
from onnxviz.feed.feed import WARNING
from onnxviz.feed.free_sizes import FreeSizes
from onnxviz.feed.geometry import Size
from onnxviz.feed.own_scaling import preset_within, range_taken
from onnxviz.feed.preprocessing import PRESETS, Preprocessing, model_preprocessing
from onnxviz.layout import TensorSpec
from onnxviz.words import near, number_text, shown

GUESSED_SCALE = (
    f"{WARNING}: the model does not say how its pixels are to be scaled; they are fed as 0..1 (zero-one), "
    "which may be wrong: give --preset, or --range, --mean and --std"
)
FOR_PICTURES = "preprocessing is for pictures"
_TRANSFORMS = ("none", "log")
_BEYOND = "the mean or std is greater than any number that --range makes, and is applied to these all the same"
_OF_BYTES = "a mean or std above 1 is of pixels in 0..255 (--range changes it)"
_PLAIN = {preset.range: preset.name for preset in (PRESETS["raw"], PRESETS["zero-one"])}
_VALUES = ("range", "mean", "std")
_PLACES = ("size", "resize", "filter", "channel_order")


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """How inputs are made; None means not given.

    Attributes:
        preset: a named preprocessing, such as `imagenet`; None takes the model's own.
        range: (low, high), to which the pixel values 0..255 are brought.
        mean: subtracted after that: one number, or one a channel as fed; above 1, and without a range, of 0..255.
        std: divides after that, likewise.
        size: (H, W) to feed; None takes the model's own.
        resize: `squash`, `crop` or `letterbox`.
        filter: `nearest`, `bilinear`, `bicubic` or `lanczos`.
        channel_order: `rgb` or `bgr`.
        draft: decode large JPEG files at a half, a quarter or an eighth of their size, with at least two pixels for
            each that is fed; it takes a fraction of the time, and numbers differ a little.
        transform: `none`, or `log` for matrices whose numbers differ by orders of magnitude.
        dims: a size for each symbol of the model, such as `{"sequence": 16}`, or 0 for a cache that is empty; a key
            such as `x:sequence` is of the input `x` alone.
        random: fill inputs that nothing is given for with noise: a seed, or True for seed 0.
        constant: fill inputs that nothing is given for with this number.
    """

    preset: str | None = None
    range: tuple[float, float] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: Size | None = None
    resize: str | None = None
    filter: str | None = None
    channel_order: str | None = None
    draft: bool = False
    transform: str = "none"
    dims: Mapping[str, int] = field(default_factory=dict)
    random: int | bool | None = None
    constant: float | None = None

    @property
    def seed(self) -> int | None:
        """The seed of random input; None if it was not asked for."""
        if self.random is None or self.random is False:
            return None
        return 0 if self.random is True else self.random

    @property
    def asks(self) -> bool:
        """Whether any preprocessing was asked for; otherwise arrays are fed unchanged."""
        return self.preset is not None or any(getattr(self, name) is not None for name in _VALUES + _PLACES)


@dataclass(frozen=True, slots=True)
class Job:
    """What all inputs of one run share; `sizes` learns the model's symbols as arrays are made.

    `open_size` is what every open size of made up inputs becomes, None where each is guessed.
    """

    inputs: tuple[TensorSpec, ...]
    options: FeedOptions
    metadata: Mapping[str, str]
    sizes: FreeSizes
    open_size: int | None = None


def check_options(options: FeedOptions, inputs: tuple[TensorSpec, ...]) -> None:
    """Refuse options that do not fit the model or each other.

    Raises:
        UsageError: A preset, transform or symbol is unknown, or two options exclude each other.
    """
    if options.preset is not None and options.preset not in PRESETS:
        raise UsageError(f"preset {options.preset!r} is not known: it is one of {', '.join(PRESETS)}")
    if options.transform not in _TRANSFORMS:
        raise UsageError(f"transform {options.transform!r} is not known: it is one of {', '.join(_TRANSFORMS)}")
    if options.seed is not None and options.constant is not None:
        raise UsageError("random and constant input exclude each other")
    if options.seed is not None and options.seed < 0:
        raise UsageError(f"the seed of random input must not be negative: {options.seed}")
    symbols = sorted({size for spec in inputs for size in spec.shape or () if isinstance(size, str)})
    single = {f"{spec.name}:{size}" for spec in inputs for size in spec.shape or () if isinstance(size, str)}
    for name, size in options.dims.items():
        if name not in symbols and name not in single:
            has = f"its symbols are {', '.join(symbols)}" if symbols else "it has no symbols"
            raise UsageError(f"no input of the model has a size named {name!r}: {has}{near(name, symbols)}")
        if size < 0:
            raise UsageError(f"the size of {name!r} must not be negative: {size}")


def choose_preprocessing(
    options: FeedOptions, metadata: Mapping[str, str], spec: TensorSpec
) -> tuple[Preprocessing, tuple[str, ...]]:
    """Return the preprocessing for an input, and notes on the choice.

    Options come first, then the model's own metadata, then `raw` for whole numbers, then what the model's own first
    operators make of pixels, then the range that it quantises them to, and `zero-one` where nothing says it. A mean or
    std above 1 is of pixels in 0..255.
    """
    base, notes = _base(options, metadata, spec)
    numbers = (*(options.mean or ()), *(options.std or ()))
    if options.range is None and any(abs(number) > 1 for number in numbers) and base.is_of_fractions:
        chosen = options.preset is not None or base is not PRESETS["zero-one"]
        base, notes = base.in_bytes() if chosen else PRESETS["raw"], (*notes, _OF_BYTES)
    if options.range is not None and any(abs(number) > max(map(abs, options.range)) for number in numbers):
        notes = (*notes, _BEYOND)
    given = {name: getattr(options, name) for name in _VALUES + _PLACES if getattr(options, name) is not None}
    changed = [name.replace("_", " ") for name in given if name != "size" and given[name] != getattr(base, name)]
    name = f"{base.name} ({', '.join(changed)} changed)" if changed else base.name
    result, taken = replace(base, **given, name=name), _taken(spec)
    asked = options.preset is not None or any(getattr(options, name) is not None for name in _VALUES)
    if asked and taken is not None and (result.range != taken or any(result.mean) or {*result.std} != {1.0}):
        ends = f"{taken[0]:g}..{taken[1]:g}"
        notes = (*notes, f"{_of_itself(spec)} it takes {ends}, and what is asked for comes before")
    return result, notes


def _taken(spec: TensorSpec) -> tuple[float, float] | None:
    """Return the range of pixels that a model takes which scales them itself, None where it does not say one."""
    is_float = spec.dtype is None or "int" not in spec.dtype
    return range_taken(spec.use.scaling) if is_float and spec.use.scaling is not None else None


def _of_itself(spec: TensorSpec) -> str:
    formula = "" if spec.use.scaling is None else spec.use.scaling.formula
    return f"the model itself scales its pixels: {shown(formula)};"


def _base(options: FeedOptions, metadata: Mapping[str, str], spec: TensorSpec) -> tuple[Preprocessing, tuple[str, ...]]:
    if options.preset is not None:
        return PRESETS[options.preset], ()
    own = model_preprocessing(metadata)
    if own is not None:
        return own, ()
    if spec.dtype == "int8":
        note = f"{WARNING}: the input is int8 and the model says nothing about its scale: pixel - 128 is fed"
        return replace(PRESETS["raw"], range=(-128.0, 127.0), name="raw - 128"), (note,)
    if spec.dtype is not None and "int" in spec.dtype:
        return PRESETS["raw"], ()
    if any(getattr(options, name) is not None for name in _VALUES):
        return PRESETS["zero-one"], ()
    taken = _taken(spec)
    if taken is not None:
        low, high = taken
        note = f"{_of_itself(spec)} they are fed as {low:g}..{high:g}"
        return replace(PRESETS["raw"], range=taken, name=_PLAIN.get(taken, f"{low:g}..{high:g}")), (note,)
    within = None if spec.use.covered is None else preset_within(spec.use.covered)
    if within is not None and spec.use.covered is not None:
        preset, ends = within
        note = f"the model first quantises its pixels, within {_span(spec.use.covered)}; they are fed as {_span(ends)}"
        return preset, (note,)
    return PRESETS["zero-one"], (GUESSED_SCALE,)


def _span(ends: tuple[float, float]) -> str:
    return "..".join(number_text(end) for end in ends)
