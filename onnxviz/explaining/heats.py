"""What a method makes of each target, and which of it is refused as a map."""

from __future__ import annotations

import numpy as np

from onnxviz.errors import UnsupportedError
from onnxviz.explaining.method_work import Explaining, Heat
from onnxviz.explaining.methods import METHODS
from onnxviz.explaining.target import Target


def heats_of(name: str, work: Explaining, refused: list[str]) -> dict[Target, Heat]:
    """Return what a method makes of each target; of one that it can say nothing of the reason is added to `refused`."""
    try:
        heats = METHODS[name].make(work)
        for target, heat in zip(work.targets, heats, strict=True):
            _check_numbers(target, heat)
        return dict(zip(work.targets, heats, strict=True))
    except UnsupportedError as error:
        if len(work.targets) == 1:
            refused.append(f"{name} is left out: {error}")
            return {}
    return {target: heat for each in work.targets for target, heat in heats_of(name, work.alone(each), refused).items()}


def _check_numbers(target: Target, heat: Heat) -> None:
    """Refuse a map that cannot be drawn.

    Raises:
        UnsupportedError: It holds NaN or infinite numbers, or is 0 everywhere.
    """
    lost = int(np.count_nonzero(~np.isfinite(heat.array)))
    if lost:
        raise UnsupportedError(
            f"of the map of {target.name} {lost} of {heat.array.size} numbers are NaN or infinite: "
            "`onnxviz view` counts them layer by layer"
        )
    if not heat.array.any():
        raise UnsupportedError(f"the map of {target.name} is 0 everywhere: nothing here changes it")
