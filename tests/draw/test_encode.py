"""Files: what is written can be read back, with its words."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.draw.encode import encode, file_format, save
from onnxviz.draw.montage import draw_montage
from onnxviz.draw.prepare import prepare
from onnxviz.draw.style import Caption, Style
from onnxviz.errors import OutputError, UsageError

TEXT = {"Title": "conv/日本", "Scale": "channel: each channel on its own min..max"}


def montage(*shape: int) -> Image.Image:
    maps = np.random.default_rng(4).random(shape).astype(np.float32)
    return draw_montage(prepare(maps, Caption("conv"), Style()))[0].image


def read(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff"])
def test_a_picture_is_printed_at_300_dots_an_inch(suffix: str, small: bool) -> None:
    back = read(encode(montage(4, 30, 30), suffix, enlarged=False, small=small, text=TEXT))
    assert [round(float(dots)) for dots in back.info["dpi"]] == [120, 120]


@pytest.mark.parametrize("enlarged", [False, True])
@pytest.mark.parametrize("small", [False, True])
def test_a_png_keeps_indices_palette_and_text(enlarged: bool, small: bool) -> None:
    image = montage(4, 30, 30)
    back = read(encode(image, ".png", enlarged=enlarged, small=small, text=TEXT))
    assert back.mode == "P"
    assert (np.asarray(back) == np.asarray(image)).all()
    assert back.getpalette() == image.getpalette()
    assert back.text["Title"] == "conv/日本"  # type: ignore[attr-defined]
    assert back.text["Scale"] == TEXT["Scale"]  # type: ignore[attr-defined]
    assert back.text["Software"] == "onnxviz"  # type: ignore[attr-defined]


def test_the_strategy_fits_the_picture() -> None:
    image = montage(16, 14, 14)
    enlarged = encode(image, ".png", enlarged=True)
    assert len(enlarged) < len(encode(image, ".png", enlarged=False))
    assert len(encode(image, ".png", enlarged=True, small=True)) <= len(enlarged)
    # Run lengths at the first level leave nearly nothing but literals.
    plain = encode(montage(6, 149, 149), ".png", enlarged=False)
    assert len(plain) < len(zlib.compress(np.asarray(montage(6, 149, 149)).tobytes(), 1)) * 1.1


@pytest.mark.parametrize(("suffix", "name"), [(".webp", "WEBP"), (".tif", "TIFF"), (".TIFF", "TIFF")])
def test_lossless_formats_keep_every_pixel(suffix: str, name: str) -> None:
    image = montage(4, 30, 30)
    for small in (False, True):
        back = read(encode(image, suffix, enlarged=True, small=small, text=TEXT))
        assert back.format == name
        assert (np.asarray(back.convert("RGB")) == np.asarray(image.convert("RGB"))).all()


def test_a_jpeg_is_close_and_carries_the_scale() -> None:
    image = montage(4, 7, 7)
    back = read(encode(image, ".jpg", enlarged=True, text=TEXT))
    difference = np.abs(np.asarray(back).astype(int) - np.asarray(image.convert("RGB")))
    assert difference.mean() < 3
    assert TEXT["Scale"].encode() in back.info["comment"]


def test_a_picture_in_rgb_is_written_too() -> None:
    image = montage(4, 7, 7).convert("RGB")
    for suffix in (".png", ".jpg", ".webp", ".tif"):
        assert read(encode(image, suffix, enlarged=True)).size == image.size


def test_suffixes() -> None:
    assert file_format(".JPEG") == "JPEG"
    with pytest.raises(UsageError, match=r"pictures are not written as '\.gif': \.png"):
        file_format(".gif")
    with pytest.raises(UsageError, match="without suffix"):
        file_format("")


def test_webp_has_a_greatest_size() -> None:
    with pytest.raises(UsageError, match=r"WEBP holds 16383 px a side, the picture has 17000: take \.png"):
        encode(Image.new("P", (17000, 1)), ".webp", enlarged=False)


def test_save(tmp_path: Path) -> None:
    save(montage(1, 4, 4), tmp_path / "a.png", enlarged=True, small=False, text=TEXT)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        save(montage(1, 4, 4), tmp_path / "absent" / "a.png", enlarged=True, small=False, text={})
