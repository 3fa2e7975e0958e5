"""Places a picture in the array that is fed, and maps positions of that array back to the picture.

Positions are `(y, x)` in pixels; the centre of pixel `i` lies at `i`, its edges at `i - 0.5` and `i + 0.5`.
"""

from __future__ import annotations

from dataclasses import dataclass

AxisPair = tuple[float, float]
Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The map between positions of the fed array and pixels of the upright picture it was made from.

    Along each axis `picture = (fed + 0.5) * scale + offset - 0.5`: `scale` is in picture pixels a fed pixel, `offset`
    is where the first edge of the fed array lies in the picture, in edge coordinates. Padding lies outside of it.
    """

    picture: Size
    fed: Size
    scale: AxisPair
    offset: AxisPair

    @classmethod
    def identity(cls, size: Size) -> Geometry:
        """Return the geometry of a picture that is fed as it is."""
        return cls(size, size, (1.0, 1.0), (0.0, 0.0))


@dataclass(frozen=True, slots=True)
class PictureFit:
    """The part of a picture that is fed, and the part of the fed array into which it is drawn.

    `box` is `(left, top, right, bottom)` in edge coordinates of the picture, as Pillow's resize takes it; `corner` and
    `size` are the first pixel and the size, both `(y, x)`, of the part that is drawn into.
    """

    geometry: Geometry
    box: tuple[float, float, float, float]
    corner: Size
    size: Size


def squash(picture: Size, fed: Size) -> PictureFit:
    """Return the whole picture on the whole array; its aspect may change."""
    scale = (picture[0] / fed[0], picture[1] / fed[1])
    return PictureFit(Geometry(picture, fed, scale, (0.0, 0.0)), (0.0, 0.0, picture[1], picture[0]), (0, 0), fed)


def crop(picture: Size, fed: Size, fraction: float) -> PictureFit:
    """Return the middle of the picture on the array: `fraction` of the largest part that has the array's aspect."""
    height = min(picture[0], picture[1] * fed[0] / fed[1]) * fraction
    width = min(picture[1], picture[0] * fed[1] / fed[0]) * fraction
    top, left = (picture[0] - height) / 2, (picture[1] - width) / 2
    geometry = Geometry(picture, fed, (height / fed[0], width / fed[1]), (top, left))
    # Rounding must not carry the box out of the picture: Pillow refuses such a box.
    box = (left, top, min(left + width, float(picture[1])), min(top + height, float(picture[0])))
    return PictureFit(geometry, box, (0, 0), fed)


def letterbox(picture: Size, fed: Size) -> PictureFit:
    """Return the whole picture in the middle of the array with its own aspect; the rest is padding."""
    ratio = min(fed[0] / picture[0], fed[1] / picture[1])
    size = (
        min(fed[0], max(1, round(picture[0] * ratio))),
        min(fed[1], max(1, round(picture[1] * ratio))),
    )
    # An odd pixel of padding goes below and to the right, as in Ultralytics' LetterBox.
    corner = ((fed[0] - size[0]) // 2, (fed[1] - size[1]) // 2)
    scale = (picture[0] / size[0], picture[1] / size[1])
    geometry = Geometry(picture, fed, scale, (-corner[0] * scale[0], -corner[1] * scale[1]))
    return PictureFit(geometry, (0.0, 0.0, picture[1], picture[0]), corner, size)
