"""Reads matrices of numbers (.csv, .tsv), such as a connectome, and shows them as grey pictures.

The smallest number becomes black, the largest white. With the transform `log`, for heavy tails, the numbers first go
through `sign(v) * log10(1 + |v| / m)`, where m is the median of the absolute values that are not zero: zero stays zero,
signs stay, what is far below m stays small, and each factor of ten far above m adds one.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError
from onnxviz.feed.pictures import Picture
from onnxviz.words import number_text


@dataclass(frozen=True, slots=True)
class Matrix:
    """Finite numbers `(H, W)` float64, and notes on how they were read."""

    values: npt.NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_matrix(path: Path, name: str) -> Matrix:
    """Read a table of numbers; a first row or column of names is left out, which is noted.

    Raises:
        InputError: The file is missing or empty, its rows differ in length, or a cell is not a finite number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not text: a matrix is a table of numbers, a row a line") from error
    return _parse(text, name, "\t" if path.suffix.lower() == ".tsv" else None)


def matrix_picture(matrix: Matrix, transform: str) -> Picture:
    """Return a matrix as a grey picture, float32 in 0..255, by the formulas at the top of this module."""
    values, notes = matrix.values, list(matrix.notes)
    if transform == "log":
        values = log_transform(values)
        notes.append("transform log: sign(v) * log10(1 + |v| / median)")
    low, high = float(values.min()), float(values.max())
    if high > low:
        # Halves first: the difference of two huge numbers would overflow.
        pixels = (values / 2 - low / 2) / (high / 2 - low / 2) * 255
        notes.append(f"{number_text(low, 4)}..{number_text(high, 4)} is fed as black to white")
    else:
        pixels = np.zeros_like(values)
        notes.append(f"every number is {number_text(low, 4)}: it is fed as black")
    return Picture(pixels.astype(np.float32)[..., None], tuple(notes))


def log_transform(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `sign(v) * log10(1 + |v| / m)`, m the median of the absolute values that are not zero.

    >>> log_transform(np.array([[0.0, 1.0], [-1.0, 9.0]])).round(3).tolist()
    [[0.0, 0.301], [-0.301, 1.0]]
    """
    magnitudes = np.abs(values)
    apart = magnitudes[magnitudes > 0]
    if not apart.size:
        return values
    with np.errstate(over="ignore"):
        ratios = magnitudes / max(float(np.median(apart)), np.finfo(np.float64).tiny)
    result: npt.NDArray[np.float64] = np.sign(values) * np.log10(1 + np.minimum(ratios, np.finfo(np.float64).max))
    return result


def _parse(text: str, name: str, delimiter: str | None) -> Matrix:
    lines = text.splitlines()
    delimiter = delimiter or _delimiter(lines)
    try:
        read = enumerate(csv.reader(lines, delimiter=delimiter, strict=True), 1)
        rows = {number: row for number, row in read if any(cell.strip() for cell in row)}
    except csv.Error as error:
        raise InputError(f"{name} is not a table: {error}") from error
    if not rows:
        raise InputError(f"{name} is empty: a matrix is a table of numbers, a row a line")
    first, notes = min(rows), []
    if len(rows) > 1 and not any(_is_number(cell) for cell in rows[first][1:] or rows[first]):
        del rows[first]
        first = min(rows)
        notes.append("its first row, names, is left out")
    names = len(rows[first]) > 1 and not any(_is_number(row[0]) for row in rows.values())
    if names:
        rows = {number: row[1:] for number, row in rows.items()}
        notes.append("its first column, names, is left out")
    width = len(rows[first])
    for number, row in rows.items():
        if len(row) != width:
            raise InputError(f"{name}: line {number} has {len(row)} cells, line {first} has {width}")
    values = [
        [_number(cell, name, number, place + names) for place, cell in enumerate(row, 1)]
        for number, row in rows.items()
    ]
    return Matrix(np.array(values, dtype=np.float64), tuple(notes))


def _delimiter(lines: list[str]) -> str:
    sample = next((line for line in lines if line.strip()), "")
    return next((mark for mark in (",", ";", "\t") if mark in sample), ",")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, name: str, line: int, column: int) -> float:
    number = float(cell) if _is_number(cell) else math.nan
    if not math.isfinite(number):
        why = f"{cell.strip()!r} is not a finite number" if cell.strip() else "the cell is empty"
        raise InputError(f"{name}: line {line}, column {column}: {why}")
    return number
