"""`Pictures` and `pictures.csv`, a line for each picture of a data set: its class, and what became of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnxviz.layout import Array

PICTURES = "pictures.csv"
DONE = "done"


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The pictures of a data set: their texts, and the number of each one's class, -1 for none."""

    sources: Sequence[str]
    class_of: Array


def write_pictures(folder: Path, pictures: Pictures, classes: Sequence[str], failed: Mapping[int, str]) -> None:
    """Write a line a picture: its text, its class, and `done` or the reason why it could not be used."""
    with (folder / PICTURES).open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        table = csv.writer(file)
        table.writerow(("picture", "class", "status"))
        for place, source in enumerate(pictures.sources):
            kind = int(pictures.class_of[place])
            table.writerow((source, classes[kind] if kind >= 0 else "", failed.get(place, DONE)))


def read_pictures(folder: Path, classes: Sequence[str]) -> Pictures:
    """Read them back."""
    number = {name: place for place, name in enumerate(classes)}
    with (folder / PICTURES).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    class_of = np.array([number.get(row["class"], -1) for row in rows], np.int64)
    return Pictures([row["picture"] for row in rows], class_of)
