"""Figures as values: joined, moved, saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from onnxviz.draw.figure.figure_parts import Rectangle
from onnxviz.errors import OutputError, UsageError
from tests.draw.figure.reading import example


def test_one_above_the_other() -> None:
    joined = example().above(replace(example(), width_cm=9.0), gap_cm=0.5)
    assert (joined.width_cm, joined.height_cm) == (9.0, 8.5)
    assert [panel.place for panel in joined.panels] == [Rectangle(1, 1, 5.8, 1.5), Rectangle(1, 5.5, 5.8, 1.5)]
    assert [text.y for text in joined.marks.texts] == pytest.approx([0.7, 3.4, 1.7, 5.2, 7.9, 6.2])
    assert [image.place.top for image in joined.marks.images] == pytest.approx([1, 1, 1, 5.5, 5.5, 5.5])


def test_one_beside_the_other() -> None:
    joined = example().beside(example())
    assert (joined.width_cm, joined.height_cm) == (pytest.approx(16.3), 4.0)
    assert [area.place.left for area in joined.marks.areas] == pytest.approx([7.2, 15.5])


def test_figures_of_two_themes_are_not_joined() -> None:
    with pytest.raises(UsageError, match="need one font and one background"):
        example().above(replace(example(), background=(0, 0, 0)))


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        example().save(path)
    assert path.read_text() == "mine"
    example().save(path, force=True)
    assert path.read_text().startswith("<?xml")


@pytest.mark.parametrize(("name", "shown"), [("figure.jpg", "'.jpg'"), ("figure", "'a file without suffix'")])
def test_a_format_that_is_not_written_is_refused(tmp_path: Path, name: str, shown: str) -> None:
    with pytest.raises(UsageError, match=rf"figures are not written as {shown}: \.pdf, \.svg, \.png, \.tif, \.tiff"):
        example().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_names_itself() -> None:
    assert repr(example()) == "<Figure 8.0 x 4.0 cm: 1 panels>"
