"""What `layers=` takes (texts, layers, several of them, or names to give) as the values that are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onnxviz.errors import NoMatchError, UnsupportedError, UsageError
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer
from onnxviz.graph.selection.choices import Choice, default_choices, matched_values, require_tap, select
from onnxviz.graph.selection.messages import inside_body

SelectionText = str | Layer | Sequence[str | Layer] | Mapping[str, str]
"""What `layers=` takes: a selection or a layer, several of them, or selections with a new name each."""


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses among the layers of a graph, at one tap, without what `exclude` selects."""

    graph: Graph
    layers: Sequence[Layer]
    exclude: Sequence[str]
    tap: str

    def choose(self, wanted: SelectionText | None) -> tuple[tuple[Choice, ...], str]:
        """Return what is chosen, in graph order, each value once, and a remark on it (often empty).

        Raises:
            UsageError: The tap is unknown, or `wanted` is none of what can be chosen by.
            SelectionError: A selection cannot be read.
            NoMatchError: It matches nothing, all of it is excluded, or a layer is of another model.
            UnsupportedError: What is meant lies in a body or function.
        """
        require_tap(self.tap)
        if wanted is None:
            choices, taken = default_choices(self.graph, self.layers, self.tap, self.exclude)
            return choices, f"no selection given: {taken}"
        if isinstance(wanted, Mapping):
            return self._kept(self._renamed(wanted)), ""
        given = [wanted] if isinstance(wanted, str | Layer) else list(wanted)
        layers = [item for item in given if isinstance(item, Layer)]
        texts = [item for item in given if isinstance(item, str)]
        if len(layers) + len(texts) < len(given):
            wrong = next(type(item).__name__ for item in given if not isinstance(item, str | Layer))
            raise UsageError(f"a selection is a text or a layer, not {wrong}")
        if not layers:
            return self._selected(texts, self.exclude), ""
        return self._kept([*map(self._taken, layers), *(self._selected(texts) if texts else ())]), ""

    def _selected(self, texts: Sequence[str], exclude: Sequence[str] = ()) -> tuple[Choice, ...]:
        return select(texts, graph=self.graph, layers=self.layers, exclude=exclude, tap=self.tap)

    def _renamed(self, names: Mapping[str, str]) -> Sequence[Choice]:
        named: dict[str, Choice] = {}
        for text, name in names.items():
            found = self._selected([text])
            for choice in found:
                own = name if len(found) == 1 else f"{name}/{choice.name}"
                if choice.value in named:
                    raise UsageError(f"{choice.value!r} is given two names: {named[choice.value].name!r} and {own!r}")
                named[choice.value] = replace(choice, name=own)
        return list(named.values())

    def _taken(self, layer: Layer) -> Choice:
        if layer.inside:
            outputs = self.graph.nodes[layer.index].outputs if layer in self.layers else ()
            raise UnsupportedError(inside_body(layer.name, layer.inside, outputs))
        value = layer.value(self.tap)
        if value not in self.graph.producers:
            raise NoMatchError(f"the layer {layer.name!r} is of another model: nothing makes {value!r} in this one")
        return Choice(layer.name, value, self.tap, layer)

    def _kept(self, choices: Sequence[Choice]) -> tuple[Choice, ...]:
        """Return choices in graph order, each value once, without those that are excluded."""
        gone = matched_values(self.exclude, graph=self.graph, layers=self.layers, tap=self.tap)
        kept = {choice.value: choice for choice in choices if choice.value not in gone}
        if not kept:
            raise NoMatchError("nothing is selected, or all of it is excluded")
        return tuple(sorted(kept.values(), key=lambda choice: self._place(choice.value)))

    def _place(self, value: str) -> int:
        producer = self.graph.producers.get(value)
        return -1 if producer is None else producer.index
