"""Pictures that are decoded smaller than they are: a JPEG's decoder skips what a small input would not show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import ExifTags, Image

from onnxviz.feed.geometry import Size

Needed = Callable[[Size], Size]
"""Returns the size in which a picture of a size is needed at least."""
_ON_THEIR_SIDE = (5, 6, 7, 8)
"""What EXIF calls a picture whose rows are columns of the file."""


@dataclass(frozen=True, slots=True)
class JpegDraft:
    """What is known of a picture that its decoder made smaller.

    Attributes:
        size: its own, upright.
        divisor: by how much its sides were divided: 2, 4 or 8.
    """

    size: Size
    divisor: int

    @property
    def note(self) -> str:
        """What is to be said of it."""
        return f"decoded at 1/{self.divisor} of its size (--draft): numbers differ a little"


def upright_size(image: Image.Image) -> Size:
    """Return height and width of a picture as EXIF turns it, before it is decoded."""
    is_turned = image.getexif().get(ExifTags.Base.Orientation) in _ON_THEIR_SIDE
    return (image.width, image.height) if is_turned else (image.height, image.width)


def decode_small(image: Image.Image, upright: Size, least: Size) -> JpegDraft | None:
    """Have a JPEG decoded as small as it can be, but at least in a size; other pictures are decoded whole: None.

    Args:
        image: What was opened and not yet decoded.
        upright: Its `upright_size`.
        least: Upright height and width.
    """
    height, width = least if upright == (image.height, image.width) else least[::-1]
    before = image.width
    drafted = image.draft(None, (width, height))
    divisor = 1 if drafted is None else round(before / drafted[1][2])
    return JpegDraft(upright, divisor) if divisor > 1 else None
