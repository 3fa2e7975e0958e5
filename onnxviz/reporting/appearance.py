"""What the page takes from `draw`, so that it shows maps as the pictures do: colours, and how scales are worked out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from onnxviz.draw.kinds import ATTENTION_GAMMA, attention_style
from onnxviz.draw.palette import COLORMAPS, THEMES, Theme, data_colours, default_colormap
from onnxviz.draw.scale import CONSTANT, DEVIATIONS, HELD, ONE_SIDED, PERCENTILES
from onnxviz.draw.style import Style

_CLIPPED = f"{100 * (1 - HELD):.0f} %"
_LOW, _HIGH = (f"{100 * share:.0f}" for share in PERCENTILES)
_STD = f"mean ± {DEVIATIONS} std"
_OUTSIDE = "what lies outside has the end's colour"

# Of each scale: its name in the menu, its words in the legend, and what the ends of the colours mean where each channel
# has a scale of its own.
_SCALES: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "auto": ("automatic", "", None),
    "channel": ("each channel", "each channel on its own min … max", ("min of channel", "max of channel")),
    "signed": (
        "each channel about 0",
        f"each channel on its own scale, symmetric about 0; the greatest {_CLIPPED} have the end's colour",
        ("negative", "positive"),
    ),
    "layer": ("whole layer", "one scale for all channels", None),
    "inputs": ("all inputs", "one scale for all channels and all inputs", None),
    "percentile": (
        f"{_LOW} to {_HIGH} %",
        f"each channel on its own {_LOW} … {_HIGH} %; {_OUTSIDE}",
        (f"{_LOW} %", f"{_HIGH} %"),
    ),
    "symmetric": ("symmetric about 0", "one scale for all channels, symmetric about 0", None),
    "std": (_STD, f"each channel on its own {_STD}; {_OUTSIDE}", (_STD.replace("±", "−"), _STD.replace("±", "+"))),
}


def appearance() -> dict[str, Any]:
    """Return the entries of the index that say how the page draws; docs/report.md describes them."""
    attention = attention_style(Style())
    return {
        "colormaps": {name: [bytes(colour).hex() for colour in data_colours(name, 256)] for name in COLORMAPS},
        "themes": {name: _theme(name, theme) for name, theme in THEMES.items()},
        "scales": {mode: {"name": name, "words": words, "ends": ends} for mode, (name, words, ends) in _SCALES.items()},
        "scale_rules": {
            "constant": CONSTANT,
            "held": HELD,
            "percentiles": PERCENTILES,
            "deviations": DEVIATIONS,
            "one_sided": ONE_SIDED,
        },
        "attention": {"scale": attention.scale, "colormap": attention.colormap, "gamma": ATTENTION_GAMMA},
    }


def _theme(name: str, theme: Theme) -> dict[str, str]:
    """Return the colours of a theme as `rrggbb`, and the colormaps that `auto` means in it."""
    colours = {key: bytes(value).hex() for key, value in asdict(theme).items() if not isinstance(value, str)}
    return colours | {"sequential": default_colormap(False, name), "diverging": default_colormap(True, name)}
