"""What the page takes from `draw`, so that it shows maps as the pictures do: colours, and how scales are worked out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from onnxviz.draw.clipping import HELD, PERCENTILES
from onnxviz.draw.kinds import ATTENTION_GAMMA, attention_style
from onnxviz.draw.palette import COLORMAPS, THEMES, Theme, data_colours, default_colormap
from onnxviz.draw.scale import DEVIATIONS, KEPT, ONE_SIDED, parse_scale
from onnxviz.draw.style import Style
from onnxviz.extremes import CONSTANT
from onnxviz.reporting.contents import ReportLook

_CLIPPED = f"{100 * (1 - HELD):.0f} %"
_LOW, _HIGH = (f"{100 * share:.0f}" for share in PERCENTILES)
_STD = f"mean ± {DEVIATIONS} std"
_OUTSIDE = "what lies outside has the end's colour"

# Of each scale: its name in the menu, its words in the legend, and what the ends of the colours mean where each channel
# has a scale of its own.
_SCALES: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "auto": ("automatic", "", None),
    "clipped": (
        "each channel, clipped",
        f"each channel on its own; the greatest {_CLIPPED} have the end's colour",
        ("min of channel", f"max less {_CLIPPED}"),
    ),
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


# What the page calls the orders of the pictures.
_ORDERS = {"index": "auto", "listed": "auto", "deviation": "deviation", "mean": "mean"}


def appearance(look: ReportLook | None = None) -> dict[str, Any]:
    """Return the entries of the index that say how the page draws; docs/report.md describes them."""
    look, attention = look or ReportLook(), attention_style(Style())
    asked = [] if look.style.colormap in ("auto", *COLORMAPS) else [look.style.colormap]
    fixed = _fixed(look.style.scale)
    return {
        "look": _look(look),
        "colormaps": {
            name: [bytes(colour).hex() for colour in data_colours(name, 256)] for name in [*COLORMAPS, *asked]
        },
        "themes": {name: _theme(name, theme) for name, theme in THEMES.items()},
        "scales": {mode: _scale(*words) for mode, words in {**_SCALES, **fixed}.items()},
        "scale_rules": {
            "constant": CONSTANT,
            "held": HELD,
            "kept": KEPT,
            "percentiles": PERCENTILES,
            "deviations": DEVIATIONS,
            "one_sided": ONE_SIDED,
        },
        "attention": {"scale": attention.scale, "colormap": attention.colormap, "gamma": ATTENTION_GAMMA},
    }


def _scale(name: str, words: str, ends: tuple[str, str] | None) -> dict[str, Any]:
    return {"name": name, "words": words, "ends": ends}


def _fixed(scale: str) -> dict[str, tuple[str, str, None]]:
    """Return the entry of a fixed scale, which the page has only where it was asked for."""
    mode, low, high = parse_scale(scale)
    name = f"fixed {low:g} … {high:g}"
    return {mode: (name, f"one scale for all, {_OUTSIDE}", None)} if mode == "fixed" else {}


def _look(look: ReportLook) -> dict[str, Any]:
    style = look.style
    mode, low, high = parse_scale(style.scale)
    return {
        "scale": "inputs" if look.limits else mode,
        "colormap": style.colormap,
        "order": _ORDERS[style.order],
        "query": style.query,
        # Dark is what nobody asked for: the page then follows the system.
        "theme": "light" if style.theme == "light" else None,
        "fixed": [low, high] if mode == "fixed" else None,
    }


def _theme(name: str, theme: Theme) -> dict[str, str]:
    """Return the colours of a theme as `rrggbb`, and the colormaps that `auto` means in it."""
    colours = {key: bytes(value).hex() for key, value in asdict(theme).items() if isinstance(value, tuple)}
    return colours | {"sequential": default_colormap(False, name), "diverging": default_colormap(True, name)}
