"""`Naming`: arrays of a run become activations, with the names, layouts and operators of what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from onnxviz.activations import Activation
from onnxviz.bounds import Bounds
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.readout import Reading
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.fetched import Fetched
from onnxviz.inference.value_layouts import ValueLayouts
from onnxviz.layout import STEPS, Array, TokenGrid
from onnxviz.quantised import Quantised

TokensOf = Callable[[str, Array, Axes | None], TokenGrid | None]
"""Finds where the tokens of a value lie in the picture; None where that is not known."""

BoundsOf = Callable[[str, Quantised | None], Bounds | None]
"""Finds from where on the values are saturated that a name or, where they come from codes, these stand for."""


class Naming:
    """Names what one graph computes."""

    def __init__(self, layouts: ValueLayouts, tokens: TokensOf, bounds: BoundsOf, *, takes_pictures: bool) -> None:
        """Take the layouts of values, what finds their tokens and bounds, and whether the model takes pictures."""
        self._layouts = layouts
        self._tokens = tokens
        self._bounds = bounds
        self._takes_pictures = takes_pictures

    def one(self, choice: Choice, array: Array, reading: Reading | None = None) -> Activation:
        """Return an array with the name, layout and operator of its choice, and what its reading says."""
        axes = self._layouts.of_array(choice, array.ndim)
        layout = None if axes is None else axes.layout
        if layout is not None and layout.count("T") == 1 and not self._takes_pictures:
            layout = layout.replace("T", "L")  # steps of time or words, not patches of a picture
        op = "" if choice.layer is None else choice.layer.op
        assumed = axes is not None and axes.assumed
        reading = reading or Reading(choice.value)
        counted = None if reading.quantised is None else reading.quantised.counted(array)
        names = choice.name, choice.value, choice.tap
        tokens = self._tokens(choice.value, array, axes)
        found = Activation(*names, array, layout, op, assumed, reading.dtype, quantised=counted, tokens=tokens)
        return replace(found, bounds=self._bounds(choice.value, reading.quantised))

    def each(self, choice: Choice, fetched: Fetched) -> Iterator[Activation]:
        """Yield a value as one activation, or each of its steps where they differ in size."""
        if fetched.elements is None:
            yield self.one(choice, fetched.result, fetched.reading)
            return
        arrays, steps = fetched.elements.arrays, fetched.elements.steps
        if fetched.elements.alike:
            first = self.one(choice, arrays[0], fetched.reading)
            rank = first.array.ndim
            layout = STEPS + (first.layout or ("C" * rank if rank < 2 else f"N{'G' * (rank - 3)}HW"))
            stack = np.stack(arrays)
            codes = None if first.quantised is None else first.quantised.behind_an_axis.counted(stack)
            bounds = None if first.bounds is None else first.bounds.behind_an_axis
            stacked = replace(first, array=stack, layout=layout, quantised=codes, bounds=bounds)
            yield replace(stacked, tokens=None, steps=steps)
            return
        for number, array in enumerate(arrays, steps.first):
            one = self.one(choice, array, fetched.reading)
            yield replace(one, name=f"{choice.name}[{number}]", steps=replace(steps, first=number, last=number))
