"""Layers by name, as a mapping that shows itself as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from onnxviz.graph.layers.catalogue import Layer
from onnxviz.layout import shape_text


class LayerTable(Mapping[str, Layer]):
    """Layers by name, in graph order; shows itself as a table."""

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        """Keep the layers as they are given."""
        self._layers = MappingProxyType(dict(layers))

    def __getitem__(self, name: str) -> Layer:
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __repr__(self) -> str:
        rows = [_cells(layer) for layer in self.values()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"<{len(self)} layers>", *lines])

    def _repr_html_(self) -> str:
        import html

        head = "".join(f"<th>{title}</th>" for title in ("layer", "kind", "op", "shape", "layout"))
        rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(layer)) for layer in self.values())
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _cells(layer: Layer) -> tuple[str, ...]:
    return layer.name, layer.kind, layer.op, shape_text(layer.shape), layer.layout or ""
