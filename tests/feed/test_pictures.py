from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxviz.errors import InputError
from onnxviz.feed.geometry import crop, letterbox, squash
from onnxviz.feed.pictures import Picture, as_rgb, open_picture, pictures_from_array, place, with_channels

RED_GREEN = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)


def saved(tmp_path: Path, image: Image.Image, name: str = "p.png", **options: Any) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


def pixels_of(path: Path) -> np.ndarray[Any, Any]:
    return open_picture(path, path.name).pixels


def test_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    assert pixels_of(saved(tmp_path, Image.fromarray(RED_GREEN))).tolist() == RED_GREEN.tolist()


def test_exif_turns(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = saved(tmp_path, Image.fromarray(RED_GREEN), exif=exif)
    assert pixels_of(path).tolist() == [[[255, 0, 0]], [[0, 255, 0]]]


def test_a_palette_with_transparency_becomes_rgba(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert pixels_of(saved(tmp_path, image)).tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert pixels_of(saved(tmp_path, image, transparency=1)).tolist() == [[[10, 20, 30, 255], [40, 50, 60, 0]]]


def test_black_and_white_and_grey_with_alpha(tmp_path: Path) -> None:
    one_bit = Image.fromarray(np.array([[True, False]]))
    assert pixels_of(saved(tmp_path, one_bit)).tolist() == [[[255], [0]]]
    grey_alpha = Image.fromarray(np.array([[[7, 128]]], np.uint8), "LA")
    assert pixels_of(saved(tmp_path, grey_alpha)).tolist() == [[[7, 7, 7, 128]]]


def test_16_bit_keeps_its_steps_and_a_dark_one_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.array([[0, 257, 300, 65535]], np.uint16)))
    assert pixels_of(path).ravel().tolist() == pytest.approx([0, 1, 300 / 257, 255])
    dark = open_picture(saved(tmp_path, Image.fromarray(np.array([[0, 4095]], np.uint16))), "d")
    assert dark.notes == ("16 bit picture whose largest value is 4095 of 65535: it is fed as dark as it is",)


def test_float_tiffs(tmp_path: Path) -> None:
    unit = open_picture(saved(tmp_path, Image.fromarray(np.array([[0, 0.5]], np.float32)), "u.tif"), "u")
    assert unit.pixels.ravel().tolist() == [0, 127.5]
    assert unit.notes == ("its values lie in 0..1 and are taken as black to white",)
    over = open_picture(saved(tmp_path, Image.fromarray(np.array([[-0.01, 1.01]], np.float32)), "o.tif"), "o")
    assert over.pixels.ravel().tolist() == [0, 255]
    path = saved(tmp_path, Image.fromarray(np.array([[-3, 900]], np.float32)), "f.tif")
    with pytest.raises(InputError) as caught:
        open_picture(path, "f.tif")
    assert str(caught.value) == (
        "f.tif has values from -3 to 900, whose black and white are unknown; "
        "give other numbers of channels or ranges of values as an array (.npy)"
    )


def test_the_first_of_several_frames(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), shade) for shade in (10, 200)]
    picture = open_picture(saved(tmp_path, frames[0], "p.gif", save_all=True, append_images=frames[1:]), "p.gif")
    assert picture.notes == ("the first of 2 frames is fed",)
    assert as_rgb(picture.pixels)[0, 0].tolist() == [10, 10, 10]


def test_broken_files(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(data, "PNG")
    (tmp_path / "cut.png").write_bytes(data.getvalue()[:3000])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "bytes.png").write_bytes(bytes(range(256)))
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"^cut\.png is a broken picture: "):
        pixels_of(tmp_path / "cut.png")
    (tmp_path / "notes.txt").write_text("no picture")
    for name, said in (
        ("empty.png", "is empty"),
        (
            "notes.txt",
            "cannot be fed: .txt is not among the kinds that can (pictures, .npy, .npz, .csv, .tsv and .wav)",
        ),
        ("text.png", "is text, not a picture"),
        ("bytes.png", "is not a picture that Pillow can open"),
    ):
        with pytest.raises(InputError) as caught:
            pixels_of(tmp_path / name)
        assert str(caught.value) == f"{name} {said}"
    with pytest.raises(InputError, match=r"^none\.png: there is no such file$"):
        pixels_of(tmp_path / "none.png")


@pytest.mark.parametrize("seed", range(30))
def test_damaged_files_are_read_or_refused(seed: int) -> None:
    generator = np.random.default_rng(seed)
    stream = io.BytesIO()
    Image.fromarray(generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(
        stream, ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")[seed % 6]
    )
    data = bytearray(stream.getvalue())
    for place_ in generator.integers(0, len(data), 8):
        data[place_] = int(generator.integers(0, 256))
    try:
        open_picture(bytes(data), "damaged")
    except InputError as error:
        assert str(error).startswith("damaged ")


@pytest.mark.parametrize("error", [TypeError, AttributeError, IndexError, ValueError, OSError, struct.error])
@pytest.mark.parametrize("part", ["_checked", "_mode", "_of_16_bit"])
def test_a_fault_of_ours_is_not_a_broken_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, error: type[Exception]
) -> None:
    def faulty(*given: object) -> None:
        raise error("planted")

    path = saved(tmp_path, Image.fromarray(np.array([[0, 257]], np.uint16)))
    monkeypatch.setattr(f"onnxviz.feed.pictures.{part}", faulty)
    with pytest.raises(error, match=r"^planted$"):
        open_picture(path, "p.png")


@pytest.mark.parametrize("error", [TypeError, AttributeError, IndexError, ValueError, OSError, struct.error])
@pytest.mark.parametrize("part", ["Image.open", "ImageOps.exif_transpose", "Image.Image.convert"])
def test_an_error_of_pillow_means_a_broken_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, error: type[Exception]
) -> None:
    def broken(*given: object, **more: object) -> None:
        raise error("bad chunk")

    path = saved(tmp_path, Image.new("CMYK", (2, 2)), "p.jpg")
    monkeypatch.setattr(f"PIL.{part}", broken)
    with pytest.raises(InputError, match=r"^p\.jpg is a broken picture: bad chunk$"):
        open_picture(path, "p.jpg")


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(InputError, match="bomb has more pixels than Pillow's limit allows"):
        open_picture(data, "bomb")


def test_pillows_own_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, Image.new("L", (10, 12)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError) as caught:
        open_picture(path, "p.png")
    assert str(caught.value) == (
        "p.png has 10x12 pixels, more than Pillow's limit of 100 (a guard against decompression bombs): "
        "make it smaller first"
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert open_picture(path, "p.png").size == (12, 10)


def test_drawings_are_not_handed_to_other_programs(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (4, 4)), "p.eps")
    with pytest.raises(InputError, match=r"^p\.eps is a drawing \(EPS\), not a picture: save it as PNG first$"):
        open_picture(path, "p.eps")


def test_a_pil_image_stays_as_it_was() -> None:
    image = Image.fromarray(RED_GREEN)
    picture = open_picture(image, "picture")
    picture.pixels[:] = 0
    assert np.asarray(image).tolist() == RED_GREEN.tolist()


def test_channels() -> None:
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    assert with_channels(rgba, 3).tolist() == [[[255, 0, 0], [255, 255, 255], [127, 127, 127]]]
    assert with_channels(rgba, 4) is rgba
    assert with_channels(RED_GREEN, 1).tolist() == [[[76], [150]]]
    assert with_channels(RED_GREEN, 4).tolist() == [[[255, 0, 0, 255], [0, 255, 0, 255]]]
    grey = np.array([[[9]]], np.uint8)
    assert with_channels(grey, 3).tolist() == [[[9, 9, 9]]]
    assert with_channels(with_channels(grey, 3), 1).tolist() == [[[9]]]


def one(array: np.ndarray[Any, Any], span: tuple[float, float] | None = None) -> Picture:
    (picture,) = pictures_from_array(array, "a", span)
    return picture


def test_arrays_as_pictures() -> None:
    assert one(RED_GREEN).pixels.tolist() == RED_GREEN.tolist()
    assert one(RED_GREEN.transpose(2, 0, 1)).pixels.tolist() == RED_GREEN.tolist()
    assert [each.pixels.tolist() for each in pictures_from_array(np.stack([RED_GREEN, RED_GREEN[:, ::-1]]), "a")] == [
        RED_GREEN.tolist(),
        RED_GREEN[:, ::-1].tolist(),
    ]
    with pytest.raises(InputError, match=r"^a holds NaN or infinite numbers, which are not pixels$"):
        one(np.array([[np.nan]]))
    with pytest.raises(InputError, match="a has shape 5x5x13: as a picture it must be HxW, HxWxC or CxHxW"):
        one(np.zeros((5, 5, 13)))


@pytest.mark.parametrize(
    ("values", "dtype", "pixels", "note"),
    [
        ([257, 65535], np.uint16, [1, 255], None),
        ([0, 4112], np.uint16, [0, 16], "16 bit picture whose largest value is 4112 of 65535: it is fed as dark as it"),
        ([-128, 127], np.int8, [0, 255], "-128..127 is taken as black to white"),
        ([0, 0.5], np.float16, [0, 127.5], "its values lie in 0..1 and are taken as black to white"),
        ([0, 1.0000002], np.float32, [0, 255], "its values lie in 0..1 but for a little (0..1.0000002), and are taken"),
        (
            [-1e-7, 1],
            np.float32,
            [0, 255],
            "its values lie in 0..1 but for a little (-1e-07..1), and are taken as black",
        ),
        (
            [-0.03, 1.01],
            np.float64,
            [0, 255],
            "its values lie in 0..1 but for a little (-0.03..1.01), and are taken as",
        ),
        ([0.5, 1.5], np.float32, [0.5, 1.5], "its numbers are taken as pixels in 0..255"),
        ([0.5, 200], np.float32, [0.5, 200], "its numbers are taken as pixels in 0..255"),
        ([0, 255], np.int32, [0, 255], "its numbers are taken as pixels in 0..255"),
    ],
)
def test_black_and_white_of_an_array(values: Any, dtype: type, pixels: list[float], note: str | None) -> None:
    picture = one(np.array([values], dtype))
    assert picture.pixels.ravel().tolist() == pixels
    assert picture.notes == () if note is None else picture.notes[0].startswith(note)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (-1024, 3071, np.int16),
        (0, 4095, np.int16),
        (0, 1 << 20, np.int32),
        (0, 4095, np.float32),
        (-1, 1, np.float16),
        (-0.25, 1, np.float32),
        (-1, 0.5, np.float32),
    ],
)
def test_wide_numbers_are_never_clipped(low: int, high: int, dtype: type) -> None:
    values = np.linspace(low, high, 5).reshape(1, 5).astype(dtype)
    with pytest.raises(InputError) as caught:
        one(values)
    assert str(caught.value) == (
        f"a is {np.dtype(dtype)} from {low:g} to {high:g}: which number is black and which white is not known; scale "
        f"it to 0..1 or uint8, or give --range={low},{high}, which feeds its numbers as they are"
    )
    picture = one(values, (low, high))
    assert picture.pixels.ravel() == pytest.approx([0, 63.75, 127.5, 191.25, 255], abs=0.1)
    assert picture.notes == (f"its numbers are in the range that is fed: {low:g}..{high:g}",)


def test_a_range_beyond_255_feeds_16_bit_numbers_that_it_holds_as_they_are() -> None:
    twelve = np.array([[0, 819, 4095]], np.uint16)
    assert one(twelve, (0, 4095)).pixels.ravel() == pytest.approx([0, 51, 255])
    # Another range is that of black and white.
    assert one(twelve, (-1, 1)).pixels.ravel() == pytest.approx([0, 819 / 257, 4095 / 257])
    assert one(twelve, (0, 4000)).pixels.ravel() == pytest.approx([0, 819 / 257, 4095 / 257])


def test_a_range_that_is_given_comes_before_numbers_that_are_nearly_fractions() -> None:
    assert one(np.array([[-0.03, 1.0]], np.float32), (-1, 1)).pixels.ravel() == pytest.approx([0.97 * 127.5, 255])
    assert one(np.array([[-0.03, 1.0]], np.float32), (0, 255)).pixels.ravel().tolist() == [0, 255]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int32, np.int64])
def test_the_range_that_is_proposed_holds_all_numbers(dtype: type) -> None:
    values = np.array([[-1234.5644, 7.0, 31234.5678]]).astype(dtype) * (1 if dtype is np.float16 else 999)
    with pytest.raises(InputError) as caught:
        one(values)
    low, high = str(caught.value).partition("--range=")[2].partition(", which")[0].split(",")
    assert one(values, (float(low), float(high))).pixels[0, ::2, 0].tolist() == [0, 255]


def test_all_pictures_of_a_batch_have_the_same_black_and_white() -> None:
    dark, bright = pictures_from_array(np.array([[[0.0, 1.0]], [[0.0, 255.0]]])[..., None], "a")
    assert (dark.pixels.ravel().tolist(), bright.pixels.ravel().tolist()) == ([0, 1], [0, 255])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_place_by_hand(dtype: type, channels: int) -> None:
    pixels = np.full((2, 4, channels), 200, dtype)
    pixels[:, :2] = 100
    pixels[..., 3:] = 255
    assert place(Picture(pixels), pixels.shape[2], squash((2, 4), (2, 4)), "bicubic", 0).tolist() == pixels.tolist()
    boxed = place(Picture(pixels), pixels.shape[2], letterbox((2, 4), (4, 4)), "nearest", 114)
    assert boxed.dtype == dtype
    assert boxed[:, 0, 0].tolist() == [114, 100, 100, 114]
    assert (boxed[..., 3:] == 255).all()
    assert place(Picture(pixels), pixels.shape[2], crop((2, 4), (2, 2), 1.0), "nearest", 0)[0, :, 0].tolist() == [
        100,
        200,
    ]


def test_a_filter_that_overshoots_stays_among_pixels() -> None:
    edge = np.repeat(np.array([[0.0] * 8 + [255.0] * 8], np.float32), 4, axis=0)[..., None]
    enlarged = place(Picture(edge), edge.shape[2], squash((4, 16), (8, 48)), "lanczos", 0)
    assert enlarged.min() == 0
    assert enlarged.max() == 255
