"""Figures as PDF, read back by pypdf, by poppler's programs, and by LaTeX where they are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.draw.figure.figure_parts import FigureImage, FigureMarks, Rectangle
from onnxviz.draw.palette import palette
from onnxviz.errors import UsageError
from tests.draw.figure.reading import example, read_pdf

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


def ran(*command: str | Path) -> str:
    """Run a program, and skip where it is not installed."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8", "replace")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "figure.pdf"
    example().save(path)
    return path


def test_the_page_has_the_figure_s_size() -> None:
    assert read_pdf(example().encoded(".pdf")).size == pytest.approx((8.0, 4.0), abs=0.001)


def test_text_is_text() -> None:
    words = read_pdf(example().encoded(".pdf")).words
    assert {"First <conv> & more", "centred"} <= set(words.split("\n"))
    assert "upwards" in words


def test_the_font_is_embedded_and_cut_to_its_letters() -> None:
    (font,) = read_pdf(example().encoded(".pdf")).fonts
    assert re.fullmatch(r"/[A-Z]{6}\+Aileron", font["/BaseFont"])
    embedded = font["/FontFile2"].get_data()
    assert embedded[:4] == b"\0\1\0\0"
    assert len(embedded) < 10_000


def test_every_picture_is_its_own_pixels() -> None:
    found = read_pdf(example().encoded(".pdf"))
    wanted = [image.rgb for image in example().marks.images]
    assert not found.interpolated
    assert len(found.pictures) == 3
    for picture, pixels in zip(found.pictures, wanted, strict=True):
        np.testing.assert_array_equal(picture, pixels)


def test_a_picture_that_stands_twice_is_kept_once() -> None:
    (image, *_) = example().marks.images
    again = replace(example(), around=FigureMarks(images=(image.moved(0, 1.5),)))
    assert len(read_pdf(again.encoded(".pdf")).pictures) == 3


def test_equal_indices_of_other_colours_or_another_shape_stay_apart() -> None:
    indices, colours = np.zeros((2, 8), np.uint8), palette("viridis", "light")
    images = (
        FigureImage(Rectangle(0, 0, 1, 1), indices, colours),
        FigureImage(Rectangle(1, 0, 1, 1), indices, palette("magma", "light")),
        FigureImage(Rectangle(2, 0, 1, 1), indices.reshape(4, 4), colours),
    )
    found = read_pdf(replace(example(), panels=(), around=FigureMarks(images=images)).encoded(".pdf")).pictures
    assert [picture.shape for picture in found] == [(2, 8, 3), (2, 8, 3), (4, 4, 3)]
    assert found[0][0, 0].tolist() != found[1][0, 0].tolist()


def test_poppler_reads_the_same(file: Path, tmp_path: Path) -> None:
    (size,) = re.findall(r"Page size: +([\d.]+) x ([\d.]+) pts", ran("pdfinfo", file))
    assert [float(side) / 72 * 2.54 for side in size] == pytest.approx([8.0, 4.0], abs=0.001)
    assert "First <conv> & more" in ran("pdftotext", file, "-")
    # Its columns are: name, type of two words, encoding, emb, sub, uni, object.
    assert re.search(r"\+Aileron +CID TrueType +Identity-H +yes yes yes", ran("pdffonts", file))
    ran("pdfimages", "-png", file, tmp_path / "map")
    for number, image in enumerate(example().marks.images):
        with Image.open(tmp_path / f"map-{number:03}.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), image.rgb)


def test_poppler_draws_maps_where_they_are(file: Path, tmp_path: Path) -> None:
    ran("pdftoppm", "-r", "254", "-png", "-singlefile", file, tmp_path / "page")
    pixels = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    assert pixels.shape in ((400, 800, 3), (401, 800, 3))  # a PDF's size has two decimals
    (first, *_) = example().marks.images
    # 20 pixels a value: looked at in its middle.
    np.testing.assert_array_equal(pixels[110:240:20, 110:280:20], first.rgb)


def test_latex_takes_it_in_its_size(file: Path) -> None:
    document = r"\documentclass{article}\usepackage{graphicx}\begin{document}\includegraphics{figure}\end{document}"
    file.with_name("paper.tex").write_text(document)
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout
    paper = file.with_name("paper.pdf")
    assert "First <conv> & more" in ran("pdftotext", paper, "-")
    assert "+Aileron" in ran("pdffonts", paper)
    # At this size a pixel of 2 mm is so many to the inch.
    first = ran("pdfimages", "-list", paper).splitlines()[2].split()
    assert [int(number) for number in first[12:14]] == pytest.approx([25.4 / 2, 25.4 / 2], abs=0.6)


@pytest.mark.skipif(not FONT.is_file(), reason="DejaVu is not installed")
def test_a_font_of_one_s_own_is_embedded() -> None:
    figure = replace(example(), font=str(FONT))
    (font,) = read_pdf(figure.encoded(".pdf")).fonts
    assert "DejaVu" in font["/BaseFont"]
    assert len(font["/FontFile2"].get_data()) < FONT.stat().st_size / 10


def test_without_fpdf2_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    with pytest.raises(UsageError, match=r"PDF is written by fpdf2: pip install 'onnxviz\[pdf\]'\nSVG, PNG and TIFF"):
        example().encoded(".pdf")
    assert example().encoded(".svg")
