"""The sheet of a comparison: what draw/side_by_side.py is to draw of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnxviz.comparing.compared_layers import ComparedLayer
from onnxviz.comparing.measures import Measures
from onnxviz.draw.side_by_side import ErrorCurve, MapRows, SideBySide, draw_side_by_side
from onnxviz.layout import Array
from onnxviz.words import number_text

if TYPE_CHECKING:
    from PIL.Image import Image

    from onnxviz.comparing.comparison_result import Comparison

_ROWS = 6
_LEAST_SHARE = 0.005


def draw_sheet(comparison: Comparison, theme: str) -> Image:
    """Draw a comparison: its headline, both errors over depth, the worst layers, and the maps of one."""
    layers = [layer for layer in comparison.layers.values() if layer.overall is not None]
    alarm = comparison.first is not None
    content = SideBySide(
        title=f"{Path(comparison.a).name} against {Path(comparison.b).name}",
        facts=_facts(comparison, len(layers)),
        headline=comparison.headline[:1].upper() + comparison.headline[1:],
        is_alarm=alarm,
        curve=_curve(comparison, layers) if any(layer.differs for layer in layers) else None,
        titles=(
            "least alike by their CKA" if comparison.trained_apart else "furthest below its kind",
            "SQNR dB",
            "own dB",
            "below",
            "at the ends of its codes",
            "what it looks like",
        ),
        rows=[_row(layer) for layer in comparison.worst_first if layer.differs or layer.cka is not None][:_ROWS],
        maps=_maps(comparison),
        foot=f"A: {comparison.a} on {comparison.levels[0]}   ·   B: {comparison.b} on {comparison.levels[1]}",
    )
    return draw_side_by_side(content, theme)


def _facts(comparison: Comparison, count: int) -> list[str]:
    inputs = comparison.inputs
    names = f"on {inputs[0]}" if len(inputs) == 1 else f"on {len(inputs)} inputs, pooled"
    found = Counter(layer.pair.status for layer in comparison.layers.values() if layer.overall is not None)
    pairs = ", ".join(f"{number} by {status}" for status, number in found.most_common())
    lines = [f"{count} layers compared {names}; paired {pairs}"]
    for output in comparison.outputs:
        if output.measures is not None:
            top = "" if output.same_top is None else f"; the same first class for {output.same_top} of {output.items}"
            lines.append(f"output {output.a}: {_decibels(output.measures)}{top}")
    return lines[:4]


def _curve(comparison: Comparison, layers: list[ComparedLayer]) -> ErrorCurve:
    shown = comparison.first.name if comparison.first is not None else comparison.maps and comparison.maps.layer
    places = {layer.name: place for place, layer in enumerate(layers)}
    marked = places.get(shown) if shown else None
    label = ""
    if marked is not None:
        own = layers[marked].own
        label = f"{layers[marked].name}" + ("" if own is None else f": own {_decibels(own)}")
    return ErrorCurve(
        overall=[None if layer.overall is None else layer.overall.sqnr for layer in layers],
        own=[None if layer.own is None else layer.own.sqnr for layer in layers],
        broken=frozenset(place for place, layer in enumerate(layers) if layer.breaks),
        marked=marked,
        label=label,
        is_alarm=comparison.first is not None,
    )


def _row(layer: ComparedLayer) -> tuple[str, ...]:
    overall = layer.overall
    assert overall is not None
    ends = "" if overall.at_ends is None else "{:.1f} %, {:.1f} %".format(*(100 * share for share in overall.at_ends))
    return (
        layer.name,
        "not finite" if layer.breaks else _decibels(overall).removesuffix(" dB"),
        "" if layer.own is None else _decibels(layer.own).removesuffix(" dB"),
        "" if layer.margin is None else f"{layer.margin:.0f} dB" + "  stands out" * layer.stands_out,
        ends,
        layer.cause if layer.cka is None else f"CKA {layer.cka:.2f}",
    )


def _maps(comparison: Comparison) -> MapRows | None:
    maps = comparison.maps
    if maps is None:
        return None
    whose = "its own error" if maps.is_own else "the error"
    scale = "each channel on one scale for A and B"
    with np.errstate(invalid="ignore"):
        difference = np.abs(maps.b - maps.a)
    finite = difference[np.isfinite(difference)]
    reach = number_text(float(finite.max()) if finite.size else 0.0)
    # A channel that hardly differs would be spread over all colours by its own last digits.
    drawn = [place for place in range(len(maps.a)) if not place or maps.shares[place] >= _LEAST_SHARE]
    return MapRows(
        title=f"{maps.layer}: the channels that differ most, {100 * sum(maps.shares):.0f} % of {whose}; {scale}; "
        f"the difference about zero, to ±{reach}",
        names=("A", "B on A's values" if maps.is_own else "B", "B - A"),
        captions=[
            f"#{maps.channels[place]}   {100 * maps.shares[place]:.0f} %   {_range(maps.a[place], maps.b[place])}"
            for place in drawn
        ],
        a=maps.a[drawn],
        b=maps.b[drawn],
    )


def _range(a: Array, b: Array) -> str:
    """Return the least and the greatest finite number of a channel of A and B."""
    both = np.concatenate([a.reshape(-1), b.reshape(-1)])
    both = both[np.isfinite(both)]
    return f"{number_text(float(both.min()))} .. {number_text(float(both.max()))}" if both.size else ""


def _decibels(measures: Measures) -> str:
    return "equal" if measures.sqnr == float("inf") else f"{measures.sqnr:.1f} dB"
