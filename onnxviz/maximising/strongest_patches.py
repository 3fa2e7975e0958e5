"""The strongest patches of units as `mine` found them in a data set, to stand beside what is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnxviz.errors import UsageError
from onnxviz.maximising.objectives import Objective
from onnxviz.mining.mined import Mined

if TYPE_CHECKING:
    from PIL.Image import Image


def strongest_patches(folder: Path, objectives: Sequence[Objective]) -> list[Image | None]:
    """Return the contact sheet's cell of each unit; None for a class, a direction, and what is on no sheet.

    Raises:
        InputError: The folder holds nothing of `mine`.
    """
    mined = Mined.load(folder)
    return [_cell(mined, objective) for objective in objectives]


def _cell(mined: Mined, objective: Objective) -> Image | None:
    if objective.layer not in mined or len(objective.channels) != 1:
        return None
    try:
        return mined[objective.layer].sheet([objective.channels[0][0]])
    except UsageError:
        return None  # it is dead, and was folded away
