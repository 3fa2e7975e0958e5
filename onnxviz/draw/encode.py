"""Pictures to files: PNG, JPEG, WebP and TIFF, chosen by the suffix."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from onnxviz.errors import OutputError, UsageError

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}

DPI = 120
"""Dots per inch: at these the smallest words, of 10 pixels, are 6 points high, the least that is read well on paper.
Programs assume 72 or 96 for a file that does not say it."""

_IMAGE_DESCRIPTION = 270
_LONGEST = {"JPEG": 65_500, "WEBP": 16_383}


def save(image: Image.Image, path: Path, *, enlarged: bool, small: bool, text: Mapping[str, str]) -> None:
    """Write an image to a file, in the format of its suffix; see `encode`.

    Raises:
        UsageError: pictures are not written in this format.
        OutputError: the file cannot be written.
    """
    content = encode(image, path.suffix, enlarged=enlarged, small=small, text=text)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def encode(
    image: Image.Image,
    suffix: str,
    *,
    enlarged: bool,
    small: bool = False,
    text: Mapping[str, str] | None = None,
    dpi: float = DPI,
) -> bytes:
    """Return an image as the bytes of a file.

    Args:
        image: mode P or RGB.
        suffix: `.png`, `.jpg`, `.jpeg`, `.webp`, `.tif` or `.tiff`.
        enlarged: whether pixels repeat those beside them.
        small: fewer bytes in more time.
        text: written as text chunks into a PNG, as one text into JPEG, WebP and TIFF.
        dpi: dots per inch that the file states; WebP states none.

    Raises:
        UsageError: pictures are not written in this format, or this one is too large for it.
    """
    name = file_format(suffix)
    if max(image.size) > _LONGEST.get(name, 1 << 31):
        raise UsageError(f"{name} holds {_LONGEST[name]} px a side, the picture has {max(image.size)}: take .png")
    out = io.BytesIO()
    options = _OPTIONS[name](enlarged, small, text or {})
    if name in ("JPEG", "WEBP") and image.mode == "P":
        image = image.convert("RGB")
    image.save(out, name, dpi=(dpi, dpi), **options)
    return out.getvalue()


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return pixels, (H, W, 3), as a PNG."""
    return encode(Image.fromarray(pixels), ".png", enlarged=False)


def file_format(suffix: str) -> str:
    """Return the format of a suffix.

    >>> file_format(".JPG")
    'JPEG'

    Raises:
        UsageError: pictures are not written in this format.
    """
    if suffix.lower() not in FORMATS:
        raise UsageError(f"pictures are not written as {suffix or 'a file without suffix'!r}: {', '.join(FORMATS)}")
    return FORMATS[suffix.lower()]


def _png(enlarged: bool, small: bool, text: Mapping[str, str]) -> dict[str, Any]:
    info = PngInfo()
    info.add_text("Software", "onnxviz")
    for key, value in text.items():
        info.add_text(key, value)
    options = {"compress_level": 6 if small else 1, "pnginfo": info}
    if not small and not enlarged:
        # Half of the time of the default strategy for the same bytes; but where a row repeats the one above, which run
        # lengths do not see, 1.4 to 3.4 times the bytes.
        options["compress_type"] = zlib.Z_RLE
    return options


def _jpeg(enlarged: bool, small: bool, text: Mapping[str, str]) -> dict[str, Any]:
    # Colours are data here: no subsampling.
    return {"quality": 80 if small else 90, "subsampling": 0, "comment": _joined(text).encode()}


def _webp(enlarged: bool, small: bool, text: Mapping[str, str]) -> dict[str, Any]:
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = _joined(text)
    return {"lossless": True, "method": 4 if small else 0, "exif": exif}


def _tiff(enlarged: bool, small: bool, text: Mapping[str, str]) -> dict[str, Any]:
    return {"compression": "tiff_deflate" if small else "tiff_lzw", "description": _joined(text)}


def _joined(text: Mapping[str, str]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in text.items())[:60_000]


_OPTIONS = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "TIFF": _tiff}
