from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from onnxviz.errors import InputError
from onnxviz.feed.find import find_sources
from onnxviz.layout import TensorSpec

INPUTS = (TensorSpec("input", "float32", ("N", "L")), TensorSpec("sr", "int64", ()), TensorSpec("a=b", "float32", (1,)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.PNG", "a.jpg", "c.npy", "labels.csv", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "d.jpg").touch()
    return tmp_path


def names(*texts: object) -> list[str]:
    return [Path(str(source)).name for source in find_sources([str(text) for text in texts], INPUTS)]


def test_a_folder_gives_its_pictures_and_arrays_in_order(folder: Path) -> None:
    assert names(folder) == ["a.jpg", "b.PNG", "c.npy"]
    assert names(folder / "b.PNG", folder / "deep", folder / "missing.jpg") == ["b.PNG", "d.jpg", "missing.jpg"]


def test_a_folder_without_pictures_gives_its_tables_then_its_sounds(tmp_path: Path) -> None:
    (tmp_path / "s.wav").touch()
    assert names(tmp_path) == ["s.wav"]
    (tmp_path / "m.tsv").touch()
    assert names(tmp_path) == ["m.tsv"]


def test_globs(folder: Path) -> None:
    assert names(folder / "**" / "*.jpg") == ["a.jpg", "d.jpg"]
    assert names(folder / "[bc].*") == ["b.PNG", "c.npy"]
    (folder / "odd[1].jpg").touch()
    assert names(folder / "odd[1].jpg") == ["odd[1].jpg"]


def test_nothing_to_feed(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "empty" / "x.txt").touch()
    kinds = "that can be fed (pictures, .npy, .npz, .csv, .tsv, .wav)"
    with pytest.raises(InputError) as caught:
        names(folder / "empty")
    hint = f"{folder}/empty/**/*.jpg takes those in it"
    assert str(caught.value) == f"the folder {folder}/empty has 1 files, none {kinds}; {hint}"
    with pytest.raises(InputError) as caught:
        names(folder / "*.gif")
    assert str(caught.value) == f"the pattern {folder}/*.gif has no files {kinds}; ** crosses folders"


def test_inputs_by_name_are_one_run() -> None:
    assert list(find_sources(["input=s.wav", "sr=16000", "a=b=1=2"], INPUTS)) == [
        {"input": "s.wav", "sr": "16000", "a=b": "1=2"}
    ]


def test_inputs_by_name_go_with_each_file(folder: Path) -> None:
    assert list(find_sources([str(folder), "sr=8000"], INPUTS)) == [
        {"": folder / name, "sr": "8000"} for name in ("a.jpg", "b.PNG", "c.npy")
    ]


def test_standard_input_and_nothing() -> None:
    assert list(find_sources(["-"], INPUTS)) == ["-"]
    assert list(find_sources([], INPUTS)) == [None]


def test_a_file_with_an_equals_sign(tmp_path: Path) -> None:
    (tmp_path / "x=y.png").touch()
    assert names(tmp_path / "x=y.png") == ["x=y.png"]


def test_unknown_and_doubled_names() -> None:
    with pytest.raises(InputError) as caught:
        names("imput=cat.jpg")
    assert str(caught.value) == (
        "'imput=cat.jpg' is not a file, and the model has no input 'imput' "
        "(inputs: 'input' (float32 NxL), 'sr' (int64 scalar), 'a=b' (float32 1)); near: `input`"
    )
    with pytest.raises(InputError, match=r"^input 'sr' is given twice: '1' and '2'$"):
        names("sr=1", "sr=2")


def test_runs_are_made_one_at_a_time(folder: Path) -> None:
    stream = find_sources([str(folder / "a.jpg"), str(folder / "nowhere" / "*.jpg")], INPUTS)
    assert len(list(itertools.islice(stream, 1))) == 1
    with pytest.raises(InputError):
        next(stream)


def test_a_file_that_may_not_be_read_is_an_error_only_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that may not be entered; root, as whom tests may run, enters all."""

    def refused(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refused)
    assert list(find_sources([str(tmp_path / "cat.jpg")], ())) == [tmp_path / "cat.jpg"]
