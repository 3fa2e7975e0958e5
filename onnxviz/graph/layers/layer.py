"""A layer: what is known of a node that a person can look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from onnxviz.graph.graph import Graph
from onnxviz.layout import Dimension, TensorSpec

if TYPE_CHECKING:
    from onnxviz.graph.operators.receptive_field import ReceptiveField


class Fields:
    """The receptive fields of a graph's values, all of them worked out when one is first asked for."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        """Keep what they are worked out from."""
        self._graph = graph
        self._types = types

    def of(self, *values: str) -> ReceptiveField | None:
        """Return the field of the first of these values that has one."""
        return next((self._known[value] for value in values if value in self._known), None)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the graph behind: a layer that goes to another process takes the fields alone."""
        return {"_known": self._known}

    @cached_property
    def _known(self) -> Mapping[str, ReceptiveField]:
        from onnxviz.graph.completion import with_names
        from onnxviz.graph.operators.receptive_field import receptive_fields

        return receptive_fields(self._graph, with_names(self._graph, self._types))


@dataclass(frozen=True, slots=True)
class Layer:
    """A node worth looking at, with the norm and nonlinearity that alone follow it.

    Shape, dtype and layout are those of the act value. `bytes` is what that value takes for a batch of 1, or for the
    model's own batch where that is a fixed number; `depth` counts conv, dense and recurrent nodes on the longest path
    from an input, the layer's own included; `index` is the node's place in the flat graph. `inside` is empty at top
    level, else it says which bodies and functions hold the node, from the outside in, such as
    `If #12 then_branch / block #0`.
    """

    name: str
    node: str
    kind: str
    op: str
    scope: str
    output: str
    act: str
    shape: tuple[Dimension, ...] | None
    dtype: str | None
    layout: str | None
    layout_assumed: bool
    channels: int | None
    depth: int
    parameters: int
    bytes: int | None
    index: int
    inside: str = ""
    fields: Fields | None = field(default=None, repr=False, compare=False)

    @property
    def receptive_field(self) -> ReceptiveField | None:
        """What the layer sees of the input; all layers' fields are worked out when the first is asked for."""
        return self.fields.of(self.act, self.output) if self.fields is not None else None

    def value(self, tap: str) -> str:
        """Return the value at a tap: `act`, or `op` for the node's own output."""
        return self.output if tap == "op" else self.act

    @property
    def rank(self) -> int | None:
        """Number of axes."""
        return None if self.shape is None else len(self.shape)

    @property
    def height(self) -> int | None:
        """Size along `H`."""
        return self._along("H")

    @property
    def width(self) -> int | None:
        """Size along `W`, or along the only axis of space, `L`."""
        return self._along("W") if "W" in (self.layout or "") else self._along("L")

    @property
    def stride(self) -> float | None:
        """Input pixels from one position to the next, along the axis where these are most."""
        field = self.receptive_field
        return float(max(field.stride)) if field is not None and field.stride else None

    @property
    def rf(self) -> float | None:
        """Size of the receptive field in input pixels, along the axis where it is largest."""
        field = self.receptive_field
        return float(max(field.size)) if field is not None and field.size else None

    def _along(self, letter: str) -> int | None:
        place = (self.layout or "").find(letter)
        size = None if place < 0 or self.shape is None else self.shape[place]
        return size if isinstance(size, int) else None
