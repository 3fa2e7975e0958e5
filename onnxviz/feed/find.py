"""Finds what each run is fed in what a user writes: files, folders, globs, `NAME=FILE` and `-`."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from onnxviz.errors import InputError
from onnxviz.feed.input_shapes import describe_inputs
from onnxviz.feed.load import ARRAY_SUFFIXES, MATRIX_SUFFIXES, PICTURE_SUFFIXES, SOUND_SUFFIXES, STANDARD_INPUT
from onnxviz.files import is_folder, is_plain_file
from onnxviz.layout import TensorSpec
from onnxviz.words import near

MAIN = ""
"""The name of the source whose input is found by its content; the other names are those of inputs."""

InputSource = str | Path | Mapping[str, str | Path] | None
# Pictures and arrays before tables, tables before sounds: a table beside pictures lists them, it is not an input.
_GROUPS = (PICTURE_SUFFIXES | ARRAY_SUFFIXES, MATRIX_SUFFIXES, SOUND_SUFFIXES)


def find_sources(texts: Sequence[str], inputs: Sequence[TensorSpec]) -> Iterator[InputSource]:
    """Yield the source of each run, in order; no file is opened yet.

    A file is one run. A folder or glob is a run for each picture and array in it, sorted by name; without these for
    each table, else for each sound. All `NAME=FILE` and `NAME=NUMBER` together are one run, or go with each run of the
    files beside them. No texts at all are one run of None.

    Raises:
        InputError: A folder or glob has nothing that can be fed, or an input is unknown or given twice.
    """
    named: dict[str, str | Path] = {}
    plain: list[str] = []
    for text in texts:
        name, value = _named(text, inputs)
        if name is None:
            plain.append(value)
        elif name in named:
            raise InputError(f"input {name!r} is given twice: {str(named[name])!r} and {value!r}")
        else:
            named[name] = value
    if not plain:
        yield named or None
    for text in plain:
        for source in _expanded(text):
            yield {MAIN: source, **named} if named else source


def _named(text: str, inputs: Sequence[TensorSpec]) -> tuple[str | None, str]:
    fitting = [spec.name for spec in inputs if text.startswith(f"{spec.name}=")]
    if fitting:
        name = max(fitting, key=len)
        return name, text[len(name) + 1 :]
    if "=" in text and not os.path.lexists(text) and not glob.has_magic(text):
        name = text.partition("=")[0]
        hint = near(name, [spec.name for spec in inputs])
        raise InputError(
            f"{text!r} is not a file, and the model has no input {name!r} (inputs: {describe_inputs(inputs)}){hint}"
        )
    return None, text


def _expanded(text: str) -> Iterator[str | Path]:
    if text == STANDARD_INPUT:
        yield text
    elif is_folder(text):
        yield from _feedable(_files(text), f"the folder {text}", f"{text.rstrip('/')}/**/*.jpg takes those in it")
    elif glob.has_magic(text) and not os.path.lexists(text):
        # Path.glob takes no absolute pattern.
        found = (Path(name) for name in sorted(glob.glob(text, recursive=True)))  # noqa: PTH207
        yield from _feedable(
            [path for path in found if is_plain_file(path)], f"the pattern {text}", "** crosses folders"
        )
    else:
        # A missing file is an error only when it is opened, so that the runs before it are made.
        yield Path(text)


def _files(folder: str) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(folder, name) for name in sorted(entry.name for entry in entries if entry.is_file())]
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from error


def _feedable(paths: Sequence[Path], where: str, hint: str) -> Iterator[Path]:
    seen = [path for path in paths if not path.name.startswith(".")]
    for group in _GROUPS:
        fitting = [path for path in seen if path.suffix.lower() in group]
        if fitting:
            yield from fitting
            return
    files = f"{len(seen)} files, none" if seen else "no files"
    raise InputError(f"{where} has {files} that can be fed (pictures, .npy, .npz, .csv, .tsv, .wav); {hint}")
