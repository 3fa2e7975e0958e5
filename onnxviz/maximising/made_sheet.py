"""The sheet of `maximise`: what was made beside what was found, each with the unit's map of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnxviz.draw.captioned_rows import CaptionedPicture, CaptionedRow, draw_captioned_rows, map_picture
from onnxviz.draw.style import Drawing
from onnxviz.maximising.maximised import Answer, Maximised
from onnxviz.words import number_text

if TYPE_CHECKING:
    from PIL import Image

MADE_NOT_FOUND = (
    "made, not found: the first column is computed by going up the gradient, and shows nothing that was seen"
)


def draw_made(
    found: Sequence[Maximised], title: str, theme: str, strongest: Sequence[Image.Image | None] = ()
) -> Drawing:
    """Draw a row for each unit; `strongest` are the strongest patches of each where `mine` found them."""
    has_maps = any(each.made.map.size > 1 for each in found)
    rows = []
    for place, each in enumerate(found):
        patches = strongest[place] if place < len(strongest) else None
        pictures = [
            *_answer(each.made, "made, not found", has_maps=has_maps),
            *_answer(each.found, each.found.source, has_maps=has_maps),
            None if patches is None else CaptionedPicture(patches, "found by mine"),
        ]
        lines = [f"noise: up to {number_text(each.noise.greatest)}", f"{len(each.course)} steps, seed {each.seed}"]
        rows.append(CaptionedRow(each.name, lines, pictures if any(strongest) else pictures[:-1]))
    maps = ["its map of that"] if has_maps else []
    columns = ["made for it", *maps, "the photograph it answers most", *maps, "strongest patches"]
    return draw_captioned_rows(title, MADE_NOT_FOUND, columns[: len(rows[0].pictures)], rows, theme)


def _answer(answer: Answer, name: str, *, has_maps: bool) -> list[CaptionedPicture | None]:
    """Return a picture, and with `has_maps` the map of it, None where the unit has none."""
    is_map = answer.map.size > 1
    up_to = "up to " if is_map else ""
    picture = CaptionedPicture(answer.image, f"{name}: {up_to}{number_text(answer.greatest)}")
    if not has_maps:
        return [picture]
    return [picture, CaptionedPicture(map_picture(answer.map), _range(answer), smooth=False) if is_map else None]


def _range(answer: Answer) -> str:
    return f"{number_text(float(answer.map.min()))} to {number_text(float(answer.map.max()))}"
