"""Files and folders that appear whole or not at all, names that every system allows, and fast copies of bytes.

While a file or folder is written, it lies beside its goal as `NAME.part`; it takes the goal's name when it is complete.
On an error or an interrupt it is removed, and the goal stays as it was. A folder may lie at another place, and stay
there, where its maker can go on with it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

from onnxviz.errors import ModelError, OutputError

New = TypeVar("New")

_PAGE = 4096
# Bytes that are copied at a time where the system does not copy by itself.
_BLOCK = 1 << 20

# Names that Windows keeps for devices, whatever follows the first dot.
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))]
)
# The errors of copy_file_range where the system or the file system does not have it.
_UNSUPPORTED = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY}


@contextmanager
def writing(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Open a new file that takes the name `path` when the block ends well, and is removed when it does not.

    Raises:
        OutputError: `path` exists and `force` is not set, is not a plain file, or cannot be written (full disk,
            missing folder, no permission).
    """
    path = Path(path)
    _check_file(path, force)
    part, target = _make_beside(path, "part", lambda place: place.open("xb"))
    try:
        with target:
            yield target
        _check_file(path, force)
        part.replace(path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            _refuse(path, error)
        raise


@contextmanager
def making_folder(
    path: Path,
    *,
    force: bool,
    ours: Callable[[Path], bool],
    place: Path | None = None,
    stays: Callable[[BaseException], bool] = lambda error: False,
) -> Iterator[Path]:
    """Yield a new folder that takes the place of `path`, whole, when the block ends well.

    Args:
        path: the goal; a link to a folder stands for the folder it leads to.
        force: replace whatever folder is there.
        ours: returns whether an existing folder was made by onnxviz and may be replaced without `force`.
        place: where it lies until then, also if it is there already; None for a new place beside the goal.
        stays: returns whether it is left there after an error, instead of being removed.

    Raises:
        OutputError: The folder is there and may not be replaced, or cannot be written.
    """
    shown, path = Path(path), Path(os.path.realpath(path))
    _check_folder(path, shown, force, ours)
    if place is not None and place.is_dir():
        part = place
    else:
        part, _ = _make_beside(path, place.suffix[1:] if place is not None else "part", lambda new: new.mkdir())
    try:
        yield part
        _check_folder(path, shown, force, ours)
        _put_in_place(part, path)
    except BaseException as error:
        if not stays(error):
            _remove(part)
        if isinstance(error, OSError):
            _refuse(shown, error)
        raise


def lock(file: BinaryIO, folder: Path) -> None:
    """Keep other processes out of a folder while this file in it is open, on systems that can.

    Raises:
        OutputError: Another process works there.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"another process works in {folder}") from None
    except OSError:
        return  # a file system without locks


def safe_name(text: str, limit: int = 60) -> str:
    """Return `text` as a file name that Windows, macOS and Linux all allow, changed as little as possible.

    Letters and digits of every script stay; separators, control characters and punctuation that some system
    refuses become `_`. A name longer than `limit` characters is cut and ends with eight digits of the text's hash.

    >>> safe_name("/layer1/layer1.0/conv1/Conv")
    'layer1_layer1.0_conv1_Conv'
    >>> safe_name("con.txt"), safe_name("..")
    ('_con.txt', '_')
    """
    plain = unicodedata.normalize("NFKC", text).rstrip(". ")
    name = "".join(letter if _stays(letter) else "_" for letter in plain)
    name = name.lstrip("_.-") or "_"
    if len(name) > limit:
        import hashlib

        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        name = f"{name[: limit - 9].rstrip('._-')}-{digest}"
    return f"_{name}" if name.split(".")[0].rstrip().upper() in _RESERVED else name


def copy_range(source_fd: int, target: BinaryIO, offset: int, length: int) -> None:
    """Append `length` bytes of a file, from `offset` on, to `target`; the system's kernel copies them if that is fast.

    The kernel shares blocks between files or copies whole pages if both places have the same offset within a page. If
    they do not, it takes 1.6 times as long as large blocks that end with the target's pages (0.41 s against 0.25 s
    for 1.1 GB on ext4; cp: 0.26 s).

    Raises:
        ModelError: The source ends before the range does.
    """
    target.flush()
    shift = offset - target.tell()
    done = _copy_in_kernel(source_fd, target, offset, length) if shift % _PAGE == 0 else 0
    _copy_in_blocks(source_fd, target, offset + done, length - done)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a folder. A path that may not be read counts as a file: opening it gives the error."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises PermissionError in a folder that may not be entered


def is_plain_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a file; one that may not be read does not count."""
    return os.path.isfile(path)  # noqa: PTH113 - as above


def check_space(path: Path, size: int) -> None:
    """Refuse to begin a file of `size` bytes if the disk has no room for it.

    Raises:
        OutputError: Fewer bytes are free.
    """
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return  # unknown: a disk that turns out to be full is an error while writing
    if free < size:
        raise OutputError(f"cannot write {path}: it needs {size / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free")


def check_apart(path: Path, sources: Iterable[Path]) -> None:
    """Refuse a goal that the model is read from: one of these files and folders, or a file in one of the folders.

    Raises:
        OutputError: The goal is one of them.
    """
    for source in sources:
        if source.exists() and (
            (path.exists() and path.samefile(source))
            or (source.is_dir() and source.resolve() in path.resolve().parents)
        ):
            raise OutputError(f"cannot write {path}: the model is read from it; give another name")


def _check_file(path: Path, force: bool) -> None:
    if not os.path.lexists(path):
        return
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise OutputError(f"cannot write {path}: it is {'a folder' if path.is_dir() else 'not a plain file'}")
    if not force:
        raise OutputError(f"{path} exists: --force (in Python force=True) overwrites it")


def _check_folder(path: Path, shown: Path, force: bool, ours: Callable[[Path], bool]) -> None:
    here = Path.cwd().resolve()
    if path == here or path in here.parents:
        raise OutputError(f"cannot replace {shown}: it is the current folder or holds it; name a folder inside")
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise OutputError(f"cannot write the folder {shown}: a file of that name exists")
    if not (force or ours(path) or not any(path.iterdir())):
        raise OutputError(
            f"{shown} exists and holds what onnxviz did not make: "
            "--force (in Python force=True) replaces the whole folder"
        )


def _make_beside(path: Path, suffix: str, make: Callable[[Path], New]) -> tuple[Path, New]:
    """Make something new beside `path` under the first free name of NAME.part, NAME.2.part and so on."""
    stem = path.name[:60]
    for number in range(1, 1000):
        place = path.with_name(f"{stem}.{suffix}" if number == 1 else f"{stem}.{number}.{suffix}")
        try:
            return place, make(place)
        except FileExistsError:
            continue
        except FileNotFoundError:
            missing = not path.parent.is_dir()  # /proc refuses with the same answer
            reason = f"there is no folder {path.parent}" if missing else f"{path.parent} takes no new files"
            raise OutputError(f"cannot write {path}: {reason}") from None
        except OSError as error:
            _refuse(path, error)
    raise OutputError(f"cannot write {path}: the folder is full of unfinished {stem}.*.{suffix}; remove them")


def _put_in_place(part: Path, path: Path) -> None:
    """Rename `part` to `path`; an old folder there is moved aside first, and back if that fails."""
    if not path.exists():
        part.rename(path)
        return
    aside, _ = _make_beside(path, "old", lambda place: place.mkdir())
    old = aside / path.name
    try:
        path.rename(old)
        part.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        if path.exists():
            _remove(aside)


def _remove(folder: Path) -> None:
    """Remove a folder and all its files; an interrupt is raised only when all are gone."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _stays(letter: str) -> bool:
    if letter.isascii():
        return letter.isalnum() or letter in "-_.+=@,()[]"
    return unicodedata.category(letter)[0] in "LNM"


def _copy_in_kernel(source_fd: int, target: BinaryIO, offset: int, length: int) -> int:
    """Copy with copy_file_range as far as it goes, and return how many bytes were copied."""
    if not hasattr(os, "copy_file_range"):
        return 0
    try:
        target_fd = target.fileno()
    except OSError:
        return 0  # a buffer in memory
    done = 0
    try:
        while done < length:
            count = os.copy_file_range(source_fd, target_fd, min(length - done, 1 << 30), offset + done)
            if not count:
                break  # the end, or a file system that copies nothing: plain reading finds out
            done += count
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        target.seek(os.lseek(target_fd, 0, os.SEEK_CUR))
    return done


def _copy_in_blocks(source_fd: int, target: BinaryIO, offset: int, length: int) -> None:
    end, block = offset + length, _BLOCK - target.tell() % _PAGE
    # One buffer for all: a new megabyte each time costs as much as the copy, where the system hands out fresh pages.
    buffer = memoryview(bytearray(min(_BLOCK, length)))
    while offset < end:
        count = _read_into(source_fd, buffer[: min(block, end - offset)], offset)
        if not count:
            raise ModelError(f"the model's file ends {end - offset:,} bytes too early: it changed while it was copied")
        target.write(buffer[:count])
        offset += count
        block = _BLOCK


def _read_into(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Fill a buffer from `offset` on and return how much was read; without preadv in the system by seek and read."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [buffer], offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    content = os.read(descriptor, len(buffer))
    buffer[: len(content)] = content
    return len(content)


def _refuse(path: Path, error: OSError) -> NoReturn:
    raise OutputError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
