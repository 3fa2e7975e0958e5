"""`Extracted`: what `extract` left in a folder, an array a layer, which stays on disk until its rows are read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.errors import InputError
from onnxviz.extraction.zarr_store import SUFFIX, open_rows
from onnxviz.layout import Array
from onnxviz.sweeping.pictures_table import Pictures, read_pictures
from onnxviz.words import near

SCHEMA = "onnxviz.extract/1"
LISTING = "extract.json"


class Extracted(Mapping[str, Array]):
    """The arrays of layers, by the layer's name, in the order of the graph.

    `extracted["head/conv"]` is a `numpy.memmap` `(pictures, ...)`, read only: row i is picture i, NaN where it could
    not be used. Pooled rows are `(channels,)`. In the format zarr it is a `zarr.Array`, whose slices are arrays.

    Attributes:
        folder: where they lie.
        document: what `extract.json` says.
        pictures: the texts of the pictures (`sources`), and the number of each one's class (`class_of`), -1 for none.
        classes: the names of the classes, sorted; empty where there are none.
    """

    def __init__(self, folder: Path, document: Mapping[str, Any], pictures: Pictures) -> None:
        """Take what was read or made; `load` is the usual way."""
        self.folder = folder
        self.document = document
        self.pictures = pictures
        self.classes: tuple[str, ...] = tuple(document["classes"])
        self._files: dict[str, str] = {layer["name"]: layer["file"] for layer in document["layers"]}

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Extracted:
        """Open what `extract` left in a folder.

        Raises:
            InputError: The folder holds nothing of `extract`, or what it holds is damaged.
        """
        place = Path(folder)
        try:
            document = json.loads((place / LISTING).read_text(encoding="utf-8"))
            if document["schema"] != SCHEMA:
                raise ValueError(f"its schema is {document['schema']!r}")
            return cls(place, document, read_pictures(place, document["classes"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{place} does not hold what onnxviz extract leaves: {error}") from None

    def __getitem__(self, name: str) -> Array:
        if name not in self._files:
            raise KeyError(f"no layer {name!r} was extracted{near(name, self._files)}")
        place = self.folder / self._files[name]
        array: Array = open_rows(place) if place.suffix == SUFFIX else np.load(place, mmap_mode="r")
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """The pictures that could not be used, each with the reason."""
        return tuple((each["source"], each["reason"]) for each in self.document["failures"])

    def __repr__(self) -> str:
        return f"<Extracted {self.folder.name!r}: {len(self)} layers of {len(self.pictures.sources):,} pictures>"
