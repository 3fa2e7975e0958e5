import errno
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxviz import files
from onnxviz.errors import ModelError, OutputError
from onnxviz.files import check_space, copy_range, making_folder, safe_name, writing


def never(path: Path) -> bool:
    return False


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


class TestWriting:
    def test_the_file_appears_when_it_is_whole(self, tmp_path):
        goal = tmp_path / "model.onnx"
        with writing(goal, force=False) as target:
            target.write(b"half")
            assert names(tmp_path) == ["model.onnx.part"]
            target.write(b" and half")
        assert names(tmp_path) == ["model.onnx"]
        assert goal.read_bytes() == b"half and half"

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
    def test_nothing_stays_behind_after_an_error_or_an_interrupt(self, tmp_path, error):
        goal = tmp_path / "model.onnx"
        goal.write_bytes(b"old")
        with pytest.raises(error), writing(goal, force=True) as target:
            target.write(b"new")
            raise error
        assert names(tmp_path) == ["model.onnx"]
        assert goal.read_bytes() == b"old"

    def test_an_existing_file_needs_force(self, tmp_path):
        goal = tmp_path / "model.onnx"
        goal.write_bytes(b"old")
        with (
            pytest.raises(OutputError, match=r"model\.onnx exists: --force"),
            writing(goal, force=False),
        ):
            pass
        with writing(goal, force=True) as target:
            target.write(b"new")
        assert goal.read_bytes() == b"new"

    def test_a_file_that_comes_up_meanwhile_is_not_overwritten(self, tmp_path):
        goal = tmp_path / "model.onnx"
        with pytest.raises(OutputError, match="exists"), writing(goal, force=False):
            goal.write_bytes(b"of another program")
        assert goal.read_bytes() == b"of another program"
        assert names(tmp_path) == ["model.onnx"]

    def test_a_part_of_somebody_else_is_left_alone(self, tmp_path):
        other = tmp_path / "model.onnx.part"
        other.write_bytes(b"mine")
        with writing(tmp_path / "model.onnx", force=False) as target:
            target.write(b"new")
        assert other.read_bytes() == b"mine"
        assert names(tmp_path) == ["model.onnx", "model.onnx.part"]

    def test_a_missing_folder_is_named(self, tmp_path):
        goal = tmp_path / "nowhere" / "model.onnx"
        with pytest.raises(OutputError, match=r"there is no folder .*nowhere$"), writing(goal, force=False):
            pass

    def test_a_folder_or_a_device_is_not_overwritten_even_with_force(self, tmp_path):
        with pytest.raises(OutputError, match="it is a folder"), writing(tmp_path, force=True):
            pass
        with pytest.raises(OutputError, match="not a plain file"), writing(Path(os.devnull), force=True):
            pass

    def test_a_full_disk_is_told_and_leaves_nothing(self, tmp_path):
        with (
            pytest.raises(OutputError, match="no space left on device"),
            writing(tmp_path / "model.onnx", force=False) as target,
        ):
            target.write(b"a")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert names(tmp_path) == []

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
    def test_a_disk_that_is_full_only_when_the_file_is_closed(self, tmp_path, monkeypatch):
        full = Path("/dev/full").open("wb")  # noqa: SIM115 -- `writing` closes it
        monkeypatch.setattr(files, "_make_beside", lambda path, suffix, make: (tmp_path / "part", full))
        with pytest.raises(OutputError, match="no space left"), writing(tmp_path / "goal", force=False) as target:
            target.write(b"a")
        assert names(tmp_path) == []


class TestMakingFolder:
    def test_the_folder_appears_when_it_is_whole(self, tmp_path):
        with making_folder(tmp_path / "maps", force=False, ours=never) as folder:
            (folder / "a.png").write_bytes(b"a")
            assert names(tmp_path) == ["maps.part"]
        assert names(tmp_path) == ["maps"]
        assert names(tmp_path / "maps") == ["a.png"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
    def test_an_interrupt_leaves_the_old_folder_as_it_was(self, tmp_path, error):
        goal = tmp_path / "maps"
        goal.mkdir()
        (goal / "old.png").touch()
        with pytest.raises(error), making_folder(goal, force=True, ours=never) as folder:
            (folder / "new.png").touch()
            raise error
        assert names(tmp_path) == ["maps"]
        assert names(goal) == ["old.png"]

    @pytest.mark.parametrize(("force", "ours"), [(True, False), (False, True)])
    def test_an_old_folder_is_replaced_whole(self, tmp_path, force, ours):
        goal = tmp_path / "maps"
        goal.mkdir()
        (goal / "old.png").touch()
        with making_folder(goal, force=force, ours=lambda path: ours) as folder:
            (folder / "new.png").touch()
        assert names(tmp_path) == ["maps"]
        assert names(goal) == ["new.png"]

    def test_an_empty_folder_may_be_filled(self, tmp_path):
        (tmp_path / "maps").mkdir()
        with making_folder(tmp_path / "maps", force=False, ours=never) as folder:
            (folder / "new.png").touch()
        assert names(tmp_path / "maps") == ["new.png"]

    def test_a_folder_of_somebody_else_needs_force(self, tmp_path):
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "cat.jpg").touch()
        with (
            pytest.raises(OutputError, match="holds what onnxviz did not make: --force"),
            making_folder(tmp_path / "photos", force=False, ours=never),
        ):
            pass
        assert names(tmp_path / "photos") == ["cat.jpg"]

    def test_a_file_is_never_replaced_by_a_folder(self, tmp_path):
        (tmp_path / "maps").touch()
        with (
            pytest.raises(OutputError, match="a file of that name"),
            making_folder(tmp_path / "maps", force=True, ours=never),
        ):
            pass

    def test_the_current_folder_is_never_replaced(self, tmp_path, monkeypatch):
        (tmp_path / "inner").mkdir()
        monkeypatch.chdir(tmp_path / "inner")
        for path in (Path(), tmp_path):
            with pytest.raises(OutputError, match="current folder"), making_folder(path, force=True, ours=never):
                pass
        assert names(tmp_path) == ["inner"]

    def test_a_link_stands_for_its_folder(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        with making_folder(tmp_path / "link", force=False, ours=never) as folder:
            (folder / "a.png").touch()
        assert names(tmp_path / "real") == ["a.png"]
        assert (tmp_path / "link").is_symlink()

    def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(self, tmp_path, monkeypatch):
        goal = tmp_path / "maps"
        goal.mkdir()
        (goal / "old.png").touch()
        rename = Path.rename

        def refusing(self, target):
            if self.name == "maps.part":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", refusing)
        with pytest.raises(OutputError, match="input/output error"), making_folder(goal, force=True, ours=never):
            pass
        assert names(tmp_path) == ["maps"]
        assert names(goal) == ["old.png"]


class TestSafeName:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("conv1", "conv1"),
            ("/layer1/conv1/Conv", "layer1_conv1_Conv"),
            ('a\\b:c*d?e"f<g>h|i\0j\nk', "a_b_c_d_e_f_g_h_i_j_k"),
            ("..", "_"),
            ("", "_"),
            (" ", "_"),
            ("../../etc/passwd", "etc_passwd"),
            ("-rf", "rf"),
            ("name. .", "name"),
            ("nul", "_nul"),
            ("COM1.png", "_COM1.png"),
            ("COM¹", "_COM1"),
            ("console", "console"),
            ("größe", "größe"),
            ("畳み込み", "畳み込み"),
            ("ｃｏｎｖ", "conv"),
            ("a\u202eb\u200bc", "a_b_c"),
            ("\ud800", "_"),
        ],
    )
    def test_examples(self, text, name):
        assert safe_name(text) == name

    def test_long_names_stay_different(self):
        one, two = safe_name("a" * 100 + "1"), safe_name("a" * 100 + "2")
        assert one != two
        assert len(one) == len(two) == 60
        assert one.startswith("a" * 51 + "-")
        assert safe_name("a" * 60) == "a" * 60

    @given(st.text(), st.integers(12, 80))
    def test_every_name_can_be_a_file(self, text, limit):
        name = safe_name(text, limit)
        assert 0 < len(name) <= limit + 1
        assert not set(name) & set('/\\:*?"<>|\0\n') and name[-1] not in ". " and name[0] != "."
        assert name.split(".")[0].upper() not in files._RESERVED
        assert name.encode("utf-8")

    @given(st.text())
    def test_a_safe_name_is_its_own_safe_name(self, text):
        name = safe_name(text)
        if not name.startswith("_"):
            assert safe_name(name) == name


def source_of(folder: Path, content: bytes) -> int:
    place = folder / "source"
    place.write_bytes(content)
    return os.open(place, os.O_RDONLY | getattr(os, "O_BINARY", 0))


@pytest.mark.parametrize("way", ["kernel", "absent", "refused", "answers nothing", "no preadv"])
@pytest.mark.parametrize("aligned", [True, False])
def test_copy_range_by_every_way(tmp_path, monkeypatch, way, aligned):
    content = os.urandom(3 * files._BLOCK + 5)

    def refused(*_):
        raise OSError(errno.EXDEV, "another device")

    if way in {"absent", "no preadv"}:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    elif way == "refused":
        monkeypatch.setattr(os, "copy_file_range", refused, raising=False)
    elif way == "answers nothing":
        monkeypatch.setattr(os, "copy_file_range", lambda *_: 0, raising=False)
    if way == "no preadv":
        monkeypatch.delattr(os, "preadv", raising=False)
    descriptor = source_of(tmp_path, content)
    try:
        with (tmp_path / "target").open("wb") as target:
            target.write(b"head" if not aligned else b"\0" * 7)
            copy_range(descriptor, target, 7, len(content) - 9)
            target.write(b"tail")
    finally:
        os.close(descriptor)
    head = b"\0" * 7 if aligned else b"head"
    assert (tmp_path / "target").read_bytes() == head + content[7:-2] + b"tail"


def test_the_kernel_copies_where_places_lie_alike(tmp_path, monkeypatch):
    if not hasattr(os, "copy_file_range"):
        pytest.skip("the system has no copy_file_range")
    calls = []
    kernel = os.copy_file_range
    monkeypatch.setattr(os, "copy_file_range", lambda *arguments: calls.append(arguments) or kernel(*arguments))
    descriptor = source_of(tmp_path, b"a" * 10_000)
    try:
        with (tmp_path / "target").open("wb") as target:
            copy_range(descriptor, target, 4096, 100)
            assert len(calls) == 1
            copy_range(descriptor, target, 0, 100)
            assert len(calls) == 1
            assert target.tell() == 200
    finally:
        os.close(descriptor)


def test_copy_range_into_memory_and_past_the_end(tmp_path):
    descriptor = source_of(tmp_path, b"0123456789")
    try:
        target = io.BytesIO()
        copy_range(descriptor, target, 2, 3)
        assert target.getvalue() == b"234"
        with pytest.raises(ModelError, match="ends 5 bytes too early"):
            copy_range(descriptor, io.BytesIO(), 5, 10)
        with (tmp_path / "target").open("wb") as file, pytest.raises(ModelError, match="ends 5 bytes too early"):
            copy_range(descriptor, file, 0, 15)
    finally:
        os.close(descriptor)


def test_an_error_of_the_kernel_is_not_swallowed(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", full, raising=False)
    descriptor = source_of(tmp_path, b"0123456789")
    try:
        with pytest.raises(OutputError, match="no space left"), writing(tmp_path / "goal", force=False) as target:
            copy_range(descriptor, target, 0, 10)
    finally:
        os.close(descriptor)
    assert names(tmp_path) == ["source"]


def test_a_file_larger_than_the_disk_is_not_begun(tmp_path):
    with pytest.raises(OutputError, match=r"it needs .* MB and .* MB are free"):
        check_space(tmp_path / "goal", 1 << 60)
    check_space(tmp_path / "goal", 1)
    check_space(tmp_path / "nowhere" / "goal", 1 << 60)
