"""A figure as SVG: text as text in a font that the file holds, and every map as a PNG of its own pixels."""

from __future__ import annotations

import base64
from xml.sax.saxutils import escape, quoteattr

from onnxviz.draw.figure.embedded_font import subset
from onnxviz.draw.figure.figure_parts import POINT, Figure, FigureArea, FigureImage, FigureText, Rectangle
from onnxviz.draw.palette import Colour
from onnxviz.version import __version__

_FAMILY = "onnxviz"
_ANCHORS = {"l": "start", "m": "middle", "r": "end"}


def svg_of(figure: Figure) -> str:
    """Return a figure as an SVG document, in points."""
    width, height = _points(figure.width_cm), _points(figure.height_cm)
    whole = Rectangle(0, 0, figure.width_cm, figure.height_cm).grown(0.1)
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{figure.width_cm:.4f}cm" height="{figure.height_cm:.4f}cm"'
            f' viewBox="0 0 {width} {height}">',
            f"<metadata>onnxviz {__version__}</metadata>",
            f"<style>{_style(figure)}</style>",
            _area(FigureArea(whole, figure.background)),
            *map(_area, figure.marks.areas),
            *map(_image, figure.marks.images),
            *map(_text, figure.marks.texts),
            "</svg>\n",
        ]
    )


def _style(figure: Figure) -> str:
    """Return the style sheet: the font, and pictures that are shown pixel by pixel."""
    letters = "".join(text.text for text in figure.marks.texts)
    data = base64.b64encode(subset(figure.font, letters)).decode()
    # Widths were added up letter by letter, so that no browser may pull pairs together.
    return (
        f'@font-face{{font-family:"{_FAMILY}";src:url(data:font/ttf;base64,{data})}}'
        f'text{{font-family:"{_FAMILY}",Helvetica,Arial,sans-serif;font-kerning:none;white-space:pre}}'
        "image{image-rendering:pixelated}"
    )


def _area(area: FigureArea) -> str:
    return f"<rect {_rectangle(area.place)} fill={_colour(area.colour)}/>"


def _image(picture: FigureImage) -> str:
    data = base64.b64encode(picture.png).decode()
    # optimizeSpeed is what programs know that do not know pixelated, such as Inkscape.
    return (
        f'<image {_rectangle(picture.place)} preserveAspectRatio="none" image-rendering="optimizeSpeed" '
        f'href="data:image/png;base64,{data}"/>'
    )


def _text(text: FigureText) -> str:
    x, y = _points(text.x), _points(text.y)
    place = f'transform="translate({x} {y}) rotate(-90)"' if text.turned else f'x="{x}" y="{y}"'
    anchor = "" if text.anchor == "l" else f' text-anchor="{_ANCHORS[text.anchor]}"'
    return f'<text {place} font-size="{text.size:g}"{anchor} fill={_colour(text.colour)}>{escape(text.text)}</text>'


def _rectangle(place: Rectangle) -> str:
    sides = {"x": place.left, "y": place.top, "width": place.width, "height": place.height}
    return " ".join(f'{name}="{_points(length)}"' for name, length in sides.items())


def _points(length: float) -> str:
    return f"{length / POINT:.3f}".rstrip("0").rstrip(".")


def _colour(colour: Colour) -> str:
    return quoteattr("#" + bytes(colour).hex())
