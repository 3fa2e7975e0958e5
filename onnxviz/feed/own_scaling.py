"""Which pixels a model takes that scales them itself, by what its first operators make of these.

| of pixels in | the model makes | such as |
|---|---|---|
| 0..255 | about 0..1, -1..1 or -3..3 | `x / 255`, `x / 127.5 - 1`, `(x - 123.7) / 58.4` |
| 0..255 | about -128..128 | `x - 127`: a mean is taken away |
| 0..1 | about -1..1 or -3..3 | `(x - 0.485) / 0.229`, `x * 2 - 1` |
| 0..1 | 0..255, with or without a mean | `x * 255 - 127` |
| -1..1 | 0..1 or 0..255 | `(x + 1) * 127.5` |

Numbers that fit none of these, such as a norm that moves nothing, say nothing. A model that first quantises its input
takes what lies within the ends of its integers, such as those of a preset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from onnxviz.feed.preprocessing import PRESETS, Preprocessing
from onnxviz.layout import PROBES, Scaling

Range = tuple[float, float]


def range_taken(scaling: Scaling) -> Range | None:
    """Return the pixels that a model with such first operators takes, None where these do not say it.

    >>> range_taken(Scaling("x / 255", ((-1 / 255,) * 2, (0.0,) * 2, (1 / 255,) * 2, (1.0,) * 2)))
    (0.0, 255.0)
    """
    if not _is_linear(scaling):
        return None
    for taken, is_plausible in _PLAUSIBLE:
        least, greatest = scaling.between(*taken)
        spread = greatest - least
        if spread > 0 and is_plausible(spread, -least / spread):
            return taken
    return None


def preset_within(covered: Range) -> tuple[Preprocessing, Range] | None:
    """Return the preset whose numbers fill the range that a model quantises its input to, and the ends of these.

    None where no preset's do, by a twentieth of the range. Of the preset its numbers alone are taken: that pixels are
    cropped, the range does not say.

    >>> preset, ends = preset_within((-2.12, 2.62))
    >>> preset.name, [round(end, 2) for end in ends]
    ('imagenet (resize changed)', [-2.12, 2.64])
    """
    ends = {name: _ends(PRESETS[name]) for name in _QUANTISED}
    apart = {name: max(abs(own - end) for own, end in zip(ends[name], covered, strict=True)) for name in ends}
    nearest = min(apart, key=lambda name: apart[name])
    if not apart[nearest] <= (covered[1] - covered[0]) / 20:  # a broken model's scale may not be a number
        return None
    preset = PRESETS[nearest]
    name = preset.name if preset.resize == "squash" else f"{preset.name} (resize changed)"
    return replace(preset, resize="squash", crop_fraction=1.0, name=name), ends[nearest]


_QUANTISED = ("raw", "zero-one", "inception", "imagenet", "caffe")


def _ends(preset: Preprocessing) -> Range:
    numbers = preset.normalise(np.array([[[0] * 3, [255] * 3]], np.uint8))
    return float(numbers.min()), float(numbers.max())


def _is_linear(scaling: Scaling) -> bool:
    """Return whether pixels are shifted and scaled, and not bounded as by `max(x, 0)`, which says nothing of them.

    Each channel may have a mean and std of its own. The greatest of several lines bends upwards alone, and the least
    downwards alone; and each rises, or each falls.
    """
    rises, falls = (_slopes([ends[side] for ends in scaling.ends]) for side in (1, 0))
    slopes = (*rises, *falls)
    slack = 1e-3 * max(map(abs, slopes))
    bends = [after - before for before, after in pairwise(rises)] + [
        before - after for before, after in pairwise(falls)
    ]
    return min(bends) >= -slack and (min(slopes) > slack or max(slopes) < -slack)


def _slopes(numbers: Sequence[float]) -> Sequence[float]:
    made = zip(pairwise(numbers), pairwise(PROBES), strict=True)
    return [(after - before) / (end - start) for (before, after), (start, end) in made]


# Of what the pixels become: how wide it is, and which share of it is negative. No network was trained on 8-bit pixels
# divided by 512, or by less than 25; a mean lies well inside.
def _from_bytes(spread: float, negative: float) -> bool:
    return (0.45 < spread < 11 and -0.1 < negative < 0.9) or (100 < spread < 700 and 0.2 < negative < 0.8)


def _from_fractions(spread: float, negative: float) -> bool:
    return (0.9 < spread < 11 and 0.1 < negative < 0.9) or (200 < spread < 300 and -0.02 < negative < 0.8)


def _from_signed(spread: float, negative: float) -> bool:
    return abs(negative) < 0.02 and (0.95 < spread < 1.05 or 250 < spread < 260)


_PLAUSIBLE: tuple[tuple[Range, Callable[[float, float], bool]], ...] = (
    ((0.0, 255.0), _from_bytes),
    ((0.0, 1.0), _from_fractions),
    ((-1.0, 1.0), _from_signed),
)
