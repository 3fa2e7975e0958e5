from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxviz.errors import InputError
from onnxviz.feed.arrays import cast, opened_npz, read_npy, read_npz, read_text


def npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_npy_from_file_and_bytes(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    np.save(tmp_path / "a.npy", array)
    for read in (read_npy(tmp_path / "a.npy", "a"), read_npy(npy(array), "a")):
        assert read.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert read.dtype == np.dtype("float32")
        assert read.flags.writeable


def test_npz_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(2), y=np.zeros((1, 1)))
    assert {name: array.shape for name, array in read_npz(tmp_path / "a.npz", "a").items()} == {"x": (2,), "y": (1, 1)}


def test_pickles_are_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", o=np.array([{}], dtype=object))
    why = (
        "holds Python objects, which are not read: they could run code; save numbers with their dtype, "
        "text with dtype=str (or in a .txt file, a text a line)"
    )
    for read in (
        lambda: read_npy(tmp_path / "o.npy", "o"),
        lambda: read_npy((tmp_path / "o.npy").read_bytes(), "o"),
        lambda: read_npz(tmp_path / "o.npz", "o"),
    ):
        with pytest.raises(InputError) as caught:
            read()
        assert str(caught.value) == f"o {why}"


def test_text_is_read_as_it_is_said_to_be_saved(tmp_path: Path) -> None:
    texts = np.array([["a", "b"]], object)
    np.save(tmp_path / "s.npy", texts.astype(str))
    assert read_npy(tmp_path / "s.npy", "s").tolist() == [["a", "b"]]
    (tmp_path / "s.txt").write_text("a\nb\n", encoding="utf-8")
    assert read_text(tmp_path / "s.txt", "s").tolist() == ["a", "b"]


def test_what_a_header_claims_is_not_allocated(tmp_path: Path) -> None:
    huge = npy(np.zeros((1, 1, 1, 1, 1)))
    huge = huge.replace(b"(1, 1, 1, 1, 1)", b"(999999999999,)")
    (tmp_path / "h.npy").write_bytes(huge)
    with pytest.raises(InputError, match=r"^h cannot be read as an array: "):
        read_npy(tmp_path / "h.npy", "h")


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x05\x00{(((", b"PK\x03\x04", b"plain text"])
def test_broken_arrays(tmp_path: Path, data: bytes) -> None:
    for name, read in (("b.npy", read_npy), ("b.npz", read_npz)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=r"^b cannot be read as an array: |^b holds Python objects"):
            read(tmp_path / name, "b")
        with pytest.raises(InputError, match=r"^none: there is no such file$"):
            read(tmp_path / f"none{name}", "none")


def test_a_fault_of_ours_is_not_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(2))
    np.save(tmp_path / "a.npy", np.ones(2))
    with opened_npz(tmp_path / "a.npz", "a") as archive:
        assert (list(archive), len(archive), archive["x"].tolist()) == (["x"], 1, [1, 1])
        with pytest.raises(KeyError, match="y is not a file in the archive"):
            archive["y"]
    with pytest.raises(TypeError, match="planted"), opened_npz(tmp_path / "a.npz", "a"):
        raise TypeError("planted")
    monkeypatch.setattr("onnxviz.feed.arrays._checked", lambda array, name: None + 1)
    for read, path in ((read_npy, tmp_path / "a.npy"), (read_npz, tmp_path / "a.npz")):
        with pytest.raises(TypeError):
            read(path, "a")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::SyntaxWarning")
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_damaged_arrays_are_read_or_refused(tmp_path: Path, suffix: str) -> None:
    stream = io.BytesIO()
    if suffix == ".npy":
        np.save(stream, np.arange(50.0))
    else:
        np.savez_compressed(stream, a=np.arange(50.0), b=np.ones((3, 3)))
    generator = np.random.default_rng(0)
    path, refused = tmp_path / f"d{suffix}", set()
    for _ in range(600):
        data = bytearray(stream.getvalue())
        for place in generator.integers(0, len(data), 4):
            data[place] = int(generator.integers(0, 256))
        path.write_bytes(data)
        try:
            read_npy(path, "d") if suffix == ".npy" else read_npz(path, "d")
        except InputError as error:
            assert str(error).startswith("d")
            refused.add(type(error.__cause__).__name__)
    assert {".npy": "TokenError", ".npz": "NotImplementedError"}[suffix] in refused


def test_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^t is datetime64\[D\]: only numbers and text can be fed$"):
        read_npy(npy(np.array(["2026-01-01"], "datetime64[D]")), "t")
    with pytest.raises(InputError, match=r"^b holds bytes that are not UTF-8 text$"):
        read_npy(npy(np.array([b"\xff"])), "b")
    with zipfile.ZipFile(tmp_path / "z.npz", "w"):
        pass
    with pytest.raises(InputError, match=r"^z holds no array$"):
        read_npz(tmp_path / "z.npz", "z")


def test_text_and_empty_arrays(tmp_path: Path) -> None:
    for array in (np.array([["a", "ü"]]), np.array([[b"a", "ü".encode()]])):
        text = read_npy(npy(array), "t")
        assert (text.dtype, text.tolist()) == (np.dtype(object), [["a", "ü"]])
    assert read_npy(npy(np.zeros((3, 0))), "e").shape == (3, 0)
    (tmp_path / "t.txt").write_text("\ufeffone\ntwo words\n", encoding="utf-8")
    assert read_text(tmp_path / "t.txt", "t").tolist() == ["one", "two words"]


def test_casts_keep_numbers_or_are_refused() -> None:
    notes: list[str] = []
    assert cast(np.array([1.0, 2.0]), "uint8", "a", notes).tolist() == [1, 2]
    assert cast(np.array([1, 2]), "float32", "a", notes).dtype == np.float32
    assert notes == ["float64 is fed as uint8", "int64 is fed as float32"]
    for array, dtype, text in (
        (np.array([0.5]), "uint8", "a is float64 with 0.5..0.5, which the input's uint8 cannot hold"),
        (np.array([300]), "uint8", "a is int64 with 300..300, which the input's uint8 cannot hold"),
        (np.array([1e9]), "float16", "a is float64 with 1e+09..1e+09, which the input's float16 cannot hold"),
        (
            np.array([1.0]),
            "float8e4m3fn",
            "the input is of dtype float8e4m3fn, which runtimes do not take from numpy: it cannot be fed",
        ),
        (np.array([1.0]), "str", "the input is of dtype str, which runtimes do not take from numpy: it cannot be fed"),
        (np.array([1.0]), "object", "a is float64, the input takes text"),
        (np.array(["b"], object), "int64", "a is text, the input takes int64"),
    ):
        with pytest.raises(InputError) as caught:
            cast(array, dtype, "a", [])
        assert str(caught.value) == text


def test_an_archive_that_unpacks_to_far_more_than_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros(1 << 20, np.uint8))
    np.savez(tmp_path / "plain.npz", x=np.zeros(1 << 20, np.uint8))
    assert read_npz(tmp_path / "bomb.npz", "b")["x"].size == 1 << 20
    monkeypatch.setattr("onnxviz.feed.arrays._UNPACKED", 1 << 19)
    with pytest.raises(InputError, match=r"^b unpacks to 0\.0 GiB from 0\.0 MiB, more than is taken from an archive"):
        read_npz(tmp_path / "bomb.npz", "b")
    assert read_npz(tmp_path / "plain.npz", "p")["x"].size == 1 << 20
