"""Which pictures a text names, in which order, of which class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import InputError, UsageError
from onnxviz.sweeping.dataset import find_dataset, shard_count


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """photos/b/2.png, photos/a/1.jpg, photos/a/deep/3.png, photos/0.png and what is not fed."""
    for name in ("b/2.png", "a/1.jpg", "a/deep/3.png", "0.png", "a/notes.txt", "a/.hidden.png", ".git/4.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "photos"


def names(found, root):
    return [os.path.relpath(source, root) for source in found.sources]


def test_a_folder_is_all_pictures_below_it_and_their_classes(folder):
    found = find_dataset([str(folder)])
    assert names(found, folder) == ["0.png", "a/1.jpg", "a/deep/3.png", "b/2.png"]
    assert found.classes == ("a", "a/deep", "b")
    assert found.class_of.tolist() == [-1, 0, 1, 2]
    assert found.stamps[:, 0].tolist() == [1, 1, 1, 1]
    assert find_dataset([str(folder)], "none").classes == ()
    assert names(find_dataset([str(folder)], every=2), folder) == ["0.png", "a/deep/3.png"]


def test_a_picture_that_two_texts_name_is_there_once(folder):
    found = find_dataset([str(folder), str(folder / "a"), str(folder / "**" / "*.png")])
    assert names(found, folder) == ["0.png", "a/1.jpg", "a/deep/3.png", "b/2.png"]


def test_a_list_names_files_and_classes(folder, tmp_path):
    (tmp_path / "list.txt").write_text("photos/b/2.png\tcat\n\nphotos/0.png\tdog\nphotos/a/1.jpg\n")
    found = find_dataset([f"@{tmp_path / 'list.txt'}"])
    assert names(found, folder) == ["0.png", "a/1.jpg", "b/2.png"]
    assert found.classes == ("cat", "dog")
    assert found.class_of.tolist() == [1, -1, 0]


def test_a_table_says_the_classes(folder, tmp_path):
    (tmp_path / "classes.csv").write_text("photos/0.png,x\n2.png,y\n")
    found = find_dataset([str(folder)], str(tmp_path / "classes.csv"))
    assert (found.classes, found.class_of.tolist()) == (("x", "y"), [0, -1, -1, 1])
    (tmp_path / "classes.csv").write_text("nothing,x\n")
    with pytest.raises(InputError, match="has a class for none of the 4 pictures"):
        find_dataset([str(folder)], str(tmp_path / "classes.csv"))


def test_a_batch_is_its_items(tmp_path):
    np.save(tmp_path / "batch.npy", np.zeros((11, 1, 2, 2)))
    found = find_dataset([str(tmp_path / "batch.npy")])
    assert names(found, tmp_path) == [f"batch.npy[{item}]" for item in range(11)]


def test_many_classes_are_taken_only_if_asked(tmp_path):
    for number in range(101):
        (tmp_path / f"{number:03}").mkdir()
        (tmp_path / f"{number:03}" / "x.png").touch()
    assert find_dataset([str(tmp_path)]).classes == ()
    assert len(find_dataset([str(tmp_path)], "folder").classes) == 101


def test_what_cannot_be_found(folder, tmp_path):
    for text, words in ((str(tmp_path / "no"), "no such file"), (f"@{tmp_path / 'no.txt'}", "cannot be read")):
        with pytest.raises(InputError, match=words):
            find_dataset([text])
    with pytest.raises(InputError, match="holds no pictures"):
        find_dataset([str(folder / "a" / "*.bmp")])
    with pytest.raises(UsageError, match="every must be at least 1"):
        find_dataset([str(folder)], every=0)


def test_shards_are_parts_in_order(folder):
    found = find_dataset([str(folder)])
    shards = list(found.shards(3))
    assert [(shard.number, shard.first, len(shard.sources)) for shard in shards] == [(0, 0, 3), (1, 3, 1)]
    assert [shard.number for shard in found.shards(1, skip=[0, 2])] == [1, 3]
    assert shards[1].classes == (2,)
    assert shard_count(0, 256) == 0
    assert shard_count(257, 256) == 2


def test_the_fingerprint_sees_every_change(folder):
    before = find_dataset([str(folder)])
    assert find_dataset([str(folder)]).fingerprint == before.fingerprint
    os.utime(folder / "0.png", (1, 1))
    touched = find_dataset([str(folder)]).fingerprint
    (folder / "0.png").rename(folder / "00.png")
    assert len({before.fingerprint, touched, find_dataset([str(folder)]).fingerprint}) == 3


def test_texts_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"\xff.png")
    (tmp_path / name).touch()
    assert find_dataset([str(tmp_path)]).fingerprint


def test_what_onnxviz_drew_is_no_part_of_a_data_set(tmp_path: Path, doubling_model: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "photos" / "one.png")
    onnxviz.view(doubling_model, str(tmp_path / "photos" / "one.png"), tmp_path / "photos" / "maps")
    assert len(list((tmp_path / "photos" / "maps").glob("*.png"))) > 1
    assert [Path(source).name for source in find_dataset([str(tmp_path / "photos")]).sources] == ["one.png"]
