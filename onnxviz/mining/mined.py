"""`Mined`: what `mine` found, as it lies in a folder, and the strongest places of each unit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.errors import InputError, UsageError
from onnxviz.layout import Array
from onnxviz.mining.state import State
from onnxviz.mining.unit_statistics import UnitStatistics, statistics_of
from onnxviz.sweeping.pictures_table import Pictures, read_pictures
from onnxviz.sweeping.sweep import is_unfinished
from onnxviz.words import near

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMA = "onnxviz.mine/1"
LISTING, UNITS = "mine.json", "units.npz"


@dataclass(frozen=True, slots=True)
class Patch:
    """One of the strongest places of a unit.

    Attributes:
        file: the picture, of an item of an array `path.npy[3]`.
        value: the greatest number of its map, before a bounded nonlinearity.
        place: where in the map it is, an index for each axis of places, `(y, x)` of a map.
        box: what that place sees, `(top, left, bottom, right)` in pixels of the picture as it was **fed**, not of its
            file, the last two behind the last; it may begin below 0 and end behind the picture. None where the whole
            picture is seen.
        class_name: the picture's class, or an empty text.
    """

    file: str
    value: float
    place: tuple[int, ...]
    box: tuple[int, int, int, int] | None
    class_name: str = ""


class MinedUnits:
    """The channels of one layer."""

    def __init__(self, facts: Mapping[str, Any], state: State, mined: Mined) -> None:
        """Take what `mine.json` says of a layer, the state of its channels, and what it is part of."""
        self.facts = facts
        self.state = state
        self._mined = mined
        self._pictures = mined.pictures
        self._classes = mined.classes

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.facts["name"])

    def __len__(self) -> int:
        return int(self.facts["channels"])

    @cached_property
    def statistics(self) -> UnitStatistics:
        """A column for each statistic, one number a unit."""
        return statistics_of(self.state)

    def top(self, unit: int) -> tuple[Patch, ...]:
        """Return the strongest places of a unit, the strongest first.

        Raises:
            UsageError: The layer has no such unit.
        """
        if not 0 <= unit < len(self):
            raise UsageError(f"{self.name!r} has units 0 to {len(self) - 1}, no {unit}")
        return tuple(self._patch(unit, rank) for rank in range(len(self.state.value)) if self._has(unit, rank))

    def sheet(self, units: Sequence[int] | None = None) -> Image:
        """Return units as they are on the contact sheets, None for all, as one Pillow image.

        Raises:
            UsageError: None of them is on a sheet.
        """
        return self._mined.sheet(self.name, units)

    def purity(self) -> tuple[Array, Array]:
        """Return the class that most of the strongest are of, and how many are, `(C,)` each; -1 and 0 without one."""
        picture = self.state.picture
        classes = np.where(picture >= 0, self._pictures.class_of[np.maximum(picture, 0)], -1)
        counts = np.stack([(classes == kind).sum(axis=0) for kind in range(max(1, len(self._classes)))])
        best = counts.argmax(axis=0)
        most = counts.max(axis=0)
        return np.where(most > 0, best, -1), most

    def _has(self, unit: int, rank: int) -> bool:
        return bool(self.state.picture[rank, unit] >= 0)

    def _patch(self, unit: int, rank: int) -> Patch:
        number, flat = int(self.state.picture[rank, unit]), int(self.state.place[rank, unit])
        kind = int(self._pictures.class_of[number])
        name = self._classes[kind] if kind >= 0 else ""
        value = float(self.state.value[rank, unit])
        return Patch(self._pictures.sources[number], value, self._place(flat), self._box(flat), name)

    def _place(self, flat: int) -> tuple[int, ...]:
        places = tuple(self.facts["places"])
        return tuple(int(index) for index in np.unravel_index(flat, places)) if places and 0 not in places else ()

    def _box(self, flat: int) -> tuple[int, int, int, int] | None:
        return box_of(self.facts, flat)


def box_of(facts: Mapping[str, Any], flat: int) -> tuple[int, int, int, int] | None:
    """Return what a place of a layer sees of what was fed (see `Patch.box`), by its receptive field.

    Position i of an axis sees the pixels from `start + i * stride` on (Araujo et al., Distill 2019, section 3).
    """
    field, places = facts["field"], facts["places"]
    if field is None or len(places) != 2 or field["stride"] is None or len(field["size"]) != 2:
        return None
    row, column = divmod(flat, places[1])
    top, left = (
        round(start + index * stride)
        for start, index, stride in zip(field["start"], (row, column), field["stride"], strict=True)
    )
    height, width = field["size"]
    return top, left, top + height, left + width


class Mined(Mapping[str, MinedUnits]):
    """What `mine` found: the units of each layer, by the layer's name, in the order of the graph.

    Attributes:
        folder: where it lies.
        document: what `mine.json` says.
        classes: the names of the classes, sorted; empty where there are none.
    """

    def __init__(self, folder: Path, document: Mapping[str, Any], state: State, pictures: Pictures) -> None:
        """Take what was read or made; `load` is the usual way."""
        self.folder = folder
        self.document = document
        self.state = state
        self.pictures = pictures
        self.classes: tuple[str, ...] = tuple(document["classes"])
        self._layers = {layer["name"]: layer for layer in document["layers"]}

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Mined:
        """Read what `mine` left in a folder.

        Raises:
            InputError: The folder holds nothing of `mine`, or what it holds is damaged.
        """
        place = Path(folder)
        if is_unfinished(place):
            raise InputError(f"{place} is not finished: the same onnxviz mine command goes on with it")
        try:
            document = json.loads((place / LISTING).read_text(encoding="utf-8"))
            if document["schema"] != SCHEMA:
                raise ValueError(f"its schema is {document['schema']!r}")
            with np.load(place / UNITS) as archive:
                state = State.of({name: archive[name] for name in archive.files})
            return cls(place, document, state, read_pictures(place, document["classes"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{place} does not hold what onnxviz mine leaves: {error}") from None

    def sheet(self, name: str, units: Sequence[int] | None = None) -> Image:
        """Return the cells of a layer's units, None for all, as one picture (see `MinedUnits.sheet`)."""
        # Not at the top: numbers alone need no Pillow to be loaded.
        from onnxviz.draw.contact_sheet import in_rows
        from onnxviz.draw.palette import find_theme
        from onnxviz.mining.contact_sheets import cut_cells

        cells = cut_cells(self, name, units)
        if not cells:
            raise UsageError(f"none of these units of {name!r} is on a sheet: they are dead, or no picture is fed")
        return in_rows(cells, find_theme(self.document["theme"]).background)

    def __getitem__(self, name: str) -> MinedUnits:
        if name not in self._layers:
            raise KeyError(f"no layer {name!r} was mined{near(name, self._layers)}")
        facts = self._layers[name]
        return MinedUnits(facts, part_of(self.state, facts), self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def with_sheets(self, sheets: Sequence[Sequence[Any]], theme: str, checks: Mapping[str, int]) -> Mined:
        """Return the same with what is said of each layer's sheets, and of the second look at the winners."""
        layers = [{**layer, "sheets": list(each)} for layer, each in zip(self.document["layers"], sheets, strict=True)]
        document = {**self.document, "layers": layers, "theme": theme, "second_look": dict(checks)}
        return Mined(self.folder, document, self.state, self.pictures)

    @property
    def used(self) -> int:
        """How many pictures were used."""
        return int(self.document["pictures"]) - len(self.failures)

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """The pictures that could not be used, each with the reason."""
        return tuple((each["source"], each["reason"]) for each in self.document["failures"])

    def __repr__(self) -> str:
        return f"<Mined {self.folder.name!r}: {len(self.state.pictures):,} units of {len(self)} layers>"


def part_of(state: State, facts: Mapping[str, Any]) -> State:
    """Return the state of one layer's channels."""
    part = slice(facts["first"], facts["first"] + facts["channels"])
    arrays = state.as_arrays()
    return State.of({name: array[part] if name == "histogram" else array[..., part] for name, array in arrays.items()})
