"""Reads picture files, Pillow images and arrays of pixels as upright pixels in 0..255, and resizes them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from onnxviz.errors import InputError
from onnxviz.feed.arrays import BROKEN
from onnxviz.feed.draft import JpegDraft, Needed, decode_small, upright_size
from onnxviz.feed.geometry import PictureFit, Size

Pixels = npt.NDArray[Any]
"""Pixels `(H, W, C)` in 0..255, uint8 or float32."""

# Pillow has these drawn by other programs, from code in the file.
_REFUSED_FORMATS = ("EPS", "WMF")
_OVERSHOOT = 0.05
"""How far fractions may lie outside 0..1: rounding, and filters that overshoot at edges, lead there."""
PICTURE_CHANNELS = (1, 3, 4)
"""Numbers of channels that a picture can have: grey, RGB, RGBA."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An upright picture of 1 (grey), 3 (RGB) or 4 channels (RGBA, alpha not multiplied in).

    Attributes:
        content: pixels, or an image of Pillow's in mode L, RGB or RGBA: to resize it, no pixel has to be copied.
        notes: how it was read.
        is_16_bit: whether the source's pixels are 0..65535.
        draft: what is known of it where its decoder made it smaller.
    """

    content: Pixels | Image.Image
    notes: tuple[str, ...] = ()
    is_16_bit: bool = False
    draft: JpegDraft | None = None

    @property
    def pixels(self) -> Pixels:
        """Pixels `(H, W, C)` in 0..255, uint8, or float32 where the source had finer steps."""
        if isinstance(self.content, np.ndarray):
            return self.content
        values = np.array(self.content)
        return values[..., None] if values.ndim == 2 else values

    @property
    def size(self) -> Size:
        """Height and width in pixels, before its decoder made it smaller."""
        if self.draft is not None:
            return self.draft.size
        if isinstance(self.content, np.ndarray):
            return self.content.shape[0], self.content.shape[1]
        return self.content.height, self.content.width


def open_picture(
    source: Path | bytes | Image.Image, name: str, most: int | None = None, needed: Needed | None = None
) -> Picture:
    """Decode a picture: turned as EXIF says, palettes, 16 bit and transparency resolved, first frame.

    Args:
        source: A file, its bytes, or what Pillow made of it.
        name: What it is called in errors.
        most: So many pixels are taken.
        needed: Where it is given, a JPEG that is much larger is decoded at a half, a quarter or an eighth of its size,
            which takes a fraction of the time.

    Raises:
        InputError: It is missing, broken, not a picture, of more than `most` pixels or Pillow's limit, or of values
            without a range.
    """
    with warnings.catch_warnings():
        # Pillow warns of half of what it refuses (and of broken EXIF); the limit is checked below instead.
        warnings.simplefilter("ignore")
        if isinstance(source, Image.Image):
            with _reading(name):
                return _decoded(ImageOps.exif_transpose(source), name, [])
        with _opened(source, name) as image:
            notes = _checked(image, name, most)
            draft = None
            if needed is not None:
                with _reading(name):
                    size = upright_size(image)
                draft = decode_small(image, size, needed(size))
                notes += [] if draft is None else [draft.note]
            with _reading(name):
                # Ours to change: a copy of one that need not be turned takes as long as half of the decoding.
                ImageOps.exif_transpose(image, in_place=True)
            return replace(_decoded(image, name, notes), draft=draft)


def within(picture: Picture, span: tuple[float, float]) -> Picture:
    """Return a picture of 16 bits as what the range that is fed makes its numbers of again, where it holds them all.

    So twelve bits in sixteen are fed as they are with a range of 0..4095. Any other picture is returned as it is.
    """
    if not picture.is_16_bit or max(span) <= 255:
        return picture
    numbers = np.rint(picture.pixels.astype(np.float64) * 257)
    if min(span) > numbers.min() or numbers.max() > max(span):
        return picture
    pixels, notes = _of_span(numbers, span)
    return replace(picture, content=pixels, notes=(*notes, *(note for note in picture.notes if note != _dark(numbers))))


def pictures_from_array(array: npt.NDArray[Any], name: str, span: tuple[float, float] | None = None) -> list[Picture]:
    """Return an array `(H, W)`, `(H, W, C)` or `(C, H, W)`, or a batch `(N, ...)` of these, as pictures.

    Black and white are False and True, and the ends of uint8, uint16 and int8; 0 and 1 of floats that lie between them,
    but for a little; else 0 and 255, or failing that the ends of `span`, whichever all numbers lie in. A `span` beyond
    255 that holds all numbers of uint16 comes before its ends.

    Raises:
        InputError: It has other axes, another dtype, numbers that are not finite, or that lie in neither.
    """
    batch = [_channels_last(each, name) for each in (array if array.ndim == 4 else [array])]
    pixels, notes = _as_pixels(np.stack(batch), name, span)
    return [Picture(each, notes) for each in pixels]


def _channels_last(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    shape = "x".join(map(str, array.shape))
    if array.ndim == 2:
        array = array[..., None]
    elif array.ndim == 3 and array.shape[2] not in PICTURE_CHANNELS and array.shape[0] in PICTURE_CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in PICTURE_CHANNELS or 0 in array.shape:
        raise InputError(
            f"{name} has shape {shape}: as a picture it must be HxW, HxWxC or CxHxW with 1, 3 or 4 channels; "
            "without preprocessing options an array is fed as it is"
        )
    return array


def _as_pixels(values: npt.NDArray[Any], name: str, span: tuple[float, float] | None) -> tuple[Pixels, tuple[str, ...]]:
    """Return numbers as pixels in 0..255, and notes on what was taken for black and white."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values), ()
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255), ("False is taken as black and True as white",)
    if values.dtype.kind not in "fiu":
        raise InputError(f"{name} has dtype {values.dtype}: pixels must be numbers")
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{name} holds NaN or infinite numbers, which are not pixels")
    notes: list[str] = []
    if values.dtype == np.uint16:
        if span is not None and max(span) > 255 and min(span) <= low and high <= max(span):
            return _of_span(values, span)
        return _of_16_bit(values, notes), tuple(notes)
    if values.dtype == np.int8:
        return values.astype(np.float32) + np.float32(128), ("-128..127 is taken as black to white",)
    if _are_fractions(values, low, high) and (low >= 0 or span is None or not min(span) <= low < high <= max(span)):
        return _of_fractions(values, notes), tuple(notes)
    if low >= 0 and high <= 255:
        return values.astype(np.float32), ("its numbers are taken as pixels in 0..255",)
    if span is None or low < min(span) or high > max(span):
        raise InputError(
            f"{name} is {values.dtype} from {low:g} to {high:g}: which number is black and which white is not known; "
            f"scale it to 0..1 or uint8, or give --range={_exact(low)},{_exact(high)}, "
            "which feeds its numbers as they are"
        )
    return _of_span(values, span)


def _of_span(values: npt.NDArray[Any], span: tuple[float, float]) -> tuple[Pixels, tuple[str, ...]]:
    """Return as pixels what the range that is fed makes these numbers of again."""
    black, white = span
    pixels = (values.astype(np.float64) - black) / (white - black) * 255
    return pixels.astype(np.float32), (f"its numbers are in the range that is fed: {black:g}..{white:g}",)


def _are_fractions(values: npt.NDArray[Any], low: float, high: float) -> bool:
    """Return whether numbers lie in 0..1, or but for rounding and overshoot."""
    return values.dtype.kind == "f" and high <= 1 + _OVERSHOOT and low >= -_OVERSHOOT * max(high, 0)


def _of_fractions(values: npt.NDArray[Any], notes: list[str]) -> Pixels:
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        notes.append(
            f"its values lie in 0..1 but for a little ({low:.8g}..{high:.8g}), and are taken as black to white"
        )
    else:
        notes.append("its values lie in 0..1 and are taken as black to white")
    return values.astype(np.float32).clip(0, 1) * np.float32(255)


def _exact(number: float) -> str:
    """Return the shortest text that is read as this very number."""
    return repr(number).removesuffix(".0")


def with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Return pixels with 1 (grey by ITU-R BT.601), 3 or 4 channels; for 1 or 3, transparent pixels go on white."""
    has = pixels.shape[2]
    if has == channels:
        return pixels
    if has == 4:
        alpha = pixels[..., 3:].astype(np.float32) / 255
        on_white = pixels[..., :3] * alpha + 255 * (1 - alpha)
        return with_channels(_like(on_white.astype(np.float32), pixels), channels)
    if channels == 1:
        return _like((pixels @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], pixels)
    colour = np.repeat(pixels, 3, axis=2) if has == 1 else pixels
    if channels == 3:
        return colour
    return np.concatenate([colour, np.full_like(colour[..., :1], 255)], axis=2)


def place(picture: Picture, channels: int, fit: PictureFit, resample: str, pad: int) -> Pixels:
    """Return the pixels of the fed array, with so many channels: the part of the picture in `fit`, resized.

    `pad` is the grey around it.
    """
    drawn = _resized(picture, channels, fit, resample)
    if fit.size == fit.geometry.fed:
        return drawn
    canvas = np.full((*fit.geometry.fed, channels), pad, dtype=drawn.dtype)
    canvas[..., 3:] = 255
    top, left = fit.corner
    canvas[top : top + fit.size[0], left : left + fit.size[1]] = drawn
    return canvas


def as_rgb(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Return pixels as uint8 RGB `(H, W, 3)`, to be shown."""
    return _rounded(with_channels(pixels, 3))


def _resized(picture: Picture, channels: int, fit: PictureFit, resample: str) -> Pixels:
    size = (fit.size[1], fit.size[0])
    resampling, box = Image.Resampling[resample.upper()], _box(picture, fit)
    content = picture.content
    if isinstance(content, np.ndarray) or len(content.getbands()) != channels:
        pixels = with_channels(picture.pixels, channels)
        if pixels.dtype != np.uint8:
            return _resized_planes(pixels, size, resampling, box)
        content = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    return np.array(content.resize(size, resampling, box)).reshape(*fit.size, channels)


def _resized_planes(
    pixels: Pixels, size: Size, resampling: Image.Resampling, box: tuple[float, float, float, float]
) -> Pixels:
    planes = [
        np.array(Image.fromarray(np.ascontiguousarray(pixels[..., index])).resize(size, resampling, box))
        for index in range(pixels.shape[2])
    ]
    # Bicubic and Lanczos overshoot at edges; Pillow clips pixels of 8 bit, but not these.
    return np.stack(planes, axis=2).clip(0, 255).astype(np.float32)


def _box(picture: Picture, fit: PictureFit) -> tuple[float, float, float, float]:
    """Return the part of a picture that is fed, in pixels of what was decoded."""
    if picture.draft is None:
        return fit.box
    left, top, right, bottom = (edge / picture.draft.divisor for edge in fit.box)
    return left, top, right, bottom


def _opened(source: Path | bytes, name: str) -> Image.Image:
    with _reading(name):
        try:
            return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        except FileNotFoundError as error:
            raise InputError(f"{name}: there is no such file") from error
        except (PermissionError, IsADirectoryError) as error:
            raise InputError(f"{name} cannot be read: {error.strerror}") from error
        except UnidentifiedImageError as error:
            raise InputError(f"{name} {_unidentified(source)}") from error


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what Pillow raises for a broken file into an InputError; the block calls Pillow and nothing of ours."""
    try:
        yield
    except (*BROKEN, Image.DecompressionBombError) as error:
        if isinstance(error, Image.DecompressionBombError):
            raise InputError(f"{name} has more pixels than Pillow's limit allows: {error}") from error
        reason = "the file ends too early" if "truncated" in str(error) else str(error) or type(error).__name__
        raise InputError(f"{name} is a broken picture: {reason}") from error


def _checked(image: Image.Image, name: str, most: int | None) -> list[str]:
    """Refuse a picture by its header, before it is decoded; return notes on what will be left out."""
    if image.format in _REFUSED_FORMATS:
        raise InputError(f"{name} is a drawing ({image.format}), not a picture: save it as PNG first")
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise InputError(
            f"{name} has {image.width}x{image.height} pixels, more than Pillow's limit of {limit} "
            "(a guard against decompression bombs): make it smaller first"
        )
    if most is not None and image.width * image.height > most:
        raise InputError(f"{name} has {image.width}x{image.height} pixels; at most {most:,} are taken")
    with _reading(name):
        frames = getattr(image, "n_frames", 1)
    return [f"the first of {frames} frames is fed"] if frames > 1 else []


def _decoded(image: Image.Image, name: str, notes: list[str]) -> Picture:
    mode = _mode(image, name)
    with _reading(name):
        image = image if image.mode == mode else image.convert(mode)
    if mode in ("L", "RGB", "RGBA"):
        return Picture(image, tuple(notes))
    with _reading(name):
        values = np.array(image)
    is_16_bit = mode.startswith("I;16") or (mode == "I" and _needs_16_bits(values))
    if is_16_bit:
        values = _of_16_bit(values, notes)
    elif mode in ("I", "F"):
        values = _of_wide_values(values, name, notes)
    return Picture(values[..., None], tuple(notes), is_16_bit)


def _mode(image: Image.Image, name: str) -> str:
    """Return the mode, in Pillow's terms, in which a picture's values are read."""
    if image.mode == "LAB":
        raise InputError(f"{name} has Lab colours, which are not understood: save it as RGB first")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return image.mode
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def _of_16_bit(values: npt.NDArray[Any], notes: list[str]) -> Pixels:
    if 0 < values.max() < 8192:
        notes.append(_dark(values))
    return values.astype(np.float32) / np.float32(257)


def _dark(values: npt.NDArray[Any]) -> str:
    return f"16 bit picture whose largest value is {int(values.max())} of 65535: it is fed as dark as it is"


def _needs_16_bits(values: npt.NDArray[Any]) -> bool:
    return bool(values.min() >= 0 and 255 < values.max() <= 65535)


def _of_wide_values(values: npt.NDArray[Any], name: str, notes: list[str]) -> Pixels:
    low, high = float(values.min()), float(values.max())
    if _are_fractions(values, low, high):
        return _of_fractions(values, notes)
    if low >= 0 and high <= 255:
        return values.astype(np.float32)
    raise InputError(
        f"{name} has values from {low:g} to {high:g}, whose black and white are unknown; "
        "give other numbers of channels or ranges of values as an array (.npy)"
    )


def _unidentified(source: Path | bytes) -> str:
    if isinstance(source, Path) and not source.stat().st_size:
        return "is empty"
    suffix = source.suffix.lower() if isinstance(source, Path) else ""
    if suffix and suffix not in Image.registered_extensions():
        return f"cannot be fed: {suffix} is not among the kinds that can (pictures, .npy, .npz, .csv, .tsv and .wav)"
    return "is text, not a picture" if _is_text(source) else "is not a picture that Pillow can open"


def _is_text(source: Path | bytes) -> bool:
    """Return whether a file begins with UTF-8 text: printable characters and blanks."""
    start = source if isinstance(source, bytes) else b""
    if isinstance(source, Path):
        with source.open("rb") as file:
            start = file.read(512)
    # The last character may be cut.
    text = start[:512].decode("utf-8", "replace").rstrip("\ufffd")
    return all(letter.isprintable() or letter.isspace() for letter in text) and "\ufffd" not in text


def _like(values: npt.NDArray[np.float32], pixels: Pixels) -> Pixels:
    return _rounded(values) if pixels.dtype == np.uint8 else values


def _rounded(values: Pixels) -> npt.NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
