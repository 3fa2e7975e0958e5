"""`onnxviz layers`: what is in a model."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

from onnxviz.cli import groups, parameters
from onnxviz.cli.parameters import option
from onnxviz.cli.stages import open_model
from onnxviz.cli.terminal import PADDED, print_json, print_table, say
from onnxviz.layout import dtype_text, shape_text
from onnxviz.words import common_path, listed, printable, quoted, size_text, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onnxviz.graph.layers.catalogue import Layer
    from onnxviz.graph.operators.receptive_field import ReceptiveField
    from onnxviz.layout import TensorSpec, TokenGrid
    from onnxviz.model import Model

TITLES = ("layer", "kind", "op", "shape", "channels", "depth", "receptive field", "bytes")

MEMBERS = (
    *("name", "node", "op", "kind", "scope", "inside", "output", "act", "shape", "dtype", "layout", "layout_assumed"),
    *("channels", "depth", "parameters", "bytes", "receptive_field"),
)
"""What the JSON document has of a layer, in its order."""


def layers(
    model: parameters.ModelPath,
    *,
    layers: parameters.Layers = None,
    all_nodes: Annotated[bool, option("--all", "List every node, not only layers of a kind.")] = False,
    tree: Annotated[bool, option("--tree", "Indent the layers by their scopes.")] = False,
    run: Annotated[
        str | None, option("--run", "Run once to learn the sizes that inference cannot tell.", "INPUT")
    ] = None,
    feed: groups.FeedGroupIfGiven,
    json: parameters.Json = False,
) -> None:
    """List the layers of a model with their shapes, depths and receptive fields; weights are not read.

    Example: onnxviz layers model.onnx --layers 'conv & depth<=4'
    """
    from onnxviz.errors import UsageError

    if all_nodes and layers:
        raise UsageError("--all lists every node, --layers chooses layers: give one of them")
    if feed is not None and run is None:
        raise UsageError("options such as --size and --preset say how a model is fed: name the input with --run INPUT")
    opened = open_model(model)
    if run is not None:
        opened = opened.measured(run, feed=feed)
    shown = _chosen(opened, layers, all_nodes)
    _say_closed(opened)
    if json:
        print_json(
            "onnxviz.layers/1",
            model=str(model),
            inputs=[_end_document(opened, spec) for spec in opened.inputs],
            outputs=[_end_document(opened, spec) for spec in _outputs(opened)],
            layers=_documents(opened, shown),
        )
        return
    _print_ends(opened)
    if tree:
        _print_tree(shown)
    else:
        print_table(TITLES, list(_rows(shown)), left=(True, True, True, True, False, False, True, False))
        if not shown:
            say("no layers of a kind worth looking at; --all lists every node")


def _say_closed(model: Model) -> None:
    """Say what lies inside functions and bodies and is not listed."""
    unlisted, opaque = model.unfolded.unlisted, model.unfolded.opaque
    if unlisted:
        count = str(unlisted) if unlisted < 50_000 else "50,000 or more"
        say(f"{count} nodes inside functions and bodies are not listed: too many, or too deep")
    if opaque:
        what = "calls a function" if len(opaque) == 1 else "call functions"
        say(f"{listed(map(quoted, opaque))} {what} that onnxruntime computes by itself: what is inside is not listed")


def _chosen(model: Model, selections: Sequence[str] | None, every: bool) -> Sequence[Layer]:
    from onnxviz.model import choices_of, layers_of

    if not selections:
        return model.every_layer if every else model.catalogue
    choices, _ = choices_of(model, list(selections))
    for note in dict.fromkeys(choice.note for choice in choices if choice.note):
        say(note)
    if all(choice.layer is not None for choice in choices):
        return layers_of(model, choices)
    made = {layer.output: layer for layer in model.every_layer}
    found = tuple(replace(choice, layer=choice.layer or made.get(choice.value)) for choice in choices)
    layers, unmade = layers_of(model, found), [quoted(choice.name) for choice in found if choice.layer is None]
    if unmade:
        say(f"not listed, since no node makes {'it' if len(unmade) == 1 else 'them'}: {listed(unmade)}")
    return layers


def _outputs(model: Model) -> Sequence[TensorSpec]:
    return [model.types.get(spec.name, spec) for spec in model.outputs]


def _end_document(model: Model, spec: TensorSpec) -> dict[str, object]:
    words = _type(model, spec)
    return {
        "name": spec.name,
        "shape": spec.shape,
        "dtype": spec.dtype,
        "type": None if words == dtype_text(None) else words,
    }


def _type(model: Model, spec: TensorSpec) -> str:
    """Return what an input or output of the model is: a dtype, `text`, or such as `sequence of float32`."""
    from onnxviz.graph.graph import type_words

    if spec.dtype is not None:
        return dtype_text(spec.dtype)
    ends = (*model.graph.proto.graph.input, *model.graph.proto.graph.output)
    return type_words(next(info.type for info in ends if info.name == spec.name))


def _print_ends(model: Model) -> None:
    """Print the model's inputs and outputs, one a line, and an empty line."""
    ends = [*(("input", spec) for spec in model.inputs), *(("output", spec) for spec in _outputs(model))]
    width = max((width_of(printable(spec.name)) for _, spec in ends), default=0)
    for title, spec in ends:
        name = printable(spec.name)
        blanks = " " * (min(width, PADDED) - width_of(name))
        print(f"{title:6}  {name}{blanks}  {shape_text(spec.shape)}  {_type(model, spec)}")
    print()


def _rows(layers: Sequence[Layer]) -> Iterator[tuple[str, ...]]:
    """Give a row for each layer; of several in a row inside one node, their common path stands once above them."""
    for holder, run in groupby(layers, lambda layer: layer.inside.split(" / ")[0]):
        inner = list(run)
        path = common_path([layer.name for layer in inner]) if holder and len(inner) > 1 else ""
        if path:
            yield (path, *("" for _ in TITLES[1:]))
        yield from (_row(layer, f"{'  ' * bool(path)}{layer.name.removeprefix(path)}") for layer in inner)


def _row(layer: Layer, name: str) -> tuple[str, ...]:
    channels = "" if layer.channels is None else str(layer.channels)
    field = _field_text(layer.receptive_field)
    return (
        name,
        layer.kind,
        layer.op,
        shape_text(layer.shape),
        channels,
        str(layer.depth),
        field,
        size_text(layer.bytes),
    )


def _field_text(field: ReceptiveField | None) -> str:
    if field is None:
        return ""
    if field.size is None:
        return field.status.value
    size = "x".join(f"{float(axis):g}" for axis in field.size)
    beside = "" if field.status.value == "exact" else f" ({field.status.value})"
    return f"{size}{beside}{' + global' if field.reaches_whole else ''}"


def _print_tree(layers: Sequence[Layer]) -> None:
    before: list[str] = []
    for layer in layers:
        scopes = [part for part in re.split("[/.]", layer.scope) if part]
        if layer.name == layer.scope:
            scopes = scopes[:-1]
        last = re.split("[/.]" if scopes else "$", layer.name.rstrip("/."))[-1 if scopes else 0]
        for level, scope in enumerate(scopes):
            if before[: level + 1] != scopes[: level + 1]:
                print(f"{'  ' * level}{printable(scope)}")
                before = scopes[: level + 1]
        before = scopes
        text = f"{last}  {layer.kind} {layer.op}  {shape_text(layer.shape)}"
        print("  " * len(scopes) + printable(text))


def _documents(model: Model, layers: Sequence[Layer]) -> list[dict[str, object]]:
    from onnxviz.graph.operators.layouts import rearranged
    from onnxviz.graph.operators.tokens import token_grids

    graph = model.unfolded.graph
    moved = rearranged(graph)
    unsaid = (layer for layer in layers if (layer.rank or 0) > 2)
    has_tokens = any("T" in (each.layout or "T") or each.layout_assumed or each.act in moved for each in unsaid)
    grids = token_grids(graph, model.types) if has_tokens else {}
    return [_document(layer, grids.get(layer.act)) for layer in layers]


def _document(layer: Layer, grid: TokenGrid | None) -> dict[str, object]:
    field = layer.receptive_field
    is_said = grid is None or grid.is_said_by(layer.layout)
    every = {name: getattr(layer, name) for name in MEMBERS}
    return every | {
        "inside": layer.inside or None,
        "receptive_field": field.as_json() if field else None,
        "tokens": None if grid is None or is_said else grid.as_json(),
    }
