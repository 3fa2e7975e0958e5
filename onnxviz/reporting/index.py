"""The index: JSON in front of the blocks, with all that the page knows of its runs and layers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw.encode import png
from onnxviz.layout import Steps, TokenGrid, spatial_axes
from onnxviz.reporting.appearance import appearance
from onnxviz.reporting.contents import LayerPart, ReportLook, ReportModel, ReportRun, RunPart
from onnxviz.strict_json import number
from onnxviz.version import __version__

SCHEMA = "onnxviz.report/1"

# These could end the element or open a comment; json escapes what is not ASCII.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def index_text(
    model: ReportModel,
    runs: Sequence[Mapping[str, Any]],
    layers: Sequence[LayerPart],
    look: ReportLook,
    left_out: str,
) -> str:
    """Return the index, as `text_between_tags` writes it.

    `runs` are those that `run_document` returned.
    """
    document = {
        "schema": SCHEMA,
        "onnxviz": __version__,
        "model": _model(model),
        "left_out": left_out,
        "runs": list(runs),
        "layers": [layer_document(layer) | _limits(layer, look) | _units(layer, model) for layer in layers],
        **appearance(look),
    }
    return text_between_tags(document)


def text_between_tags(document: Any) -> str:
    """Return JSON that is safe between tags, whatever the names are: ASCII without `<`, `>` and `&`."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    for mark, escape in _ESCAPES.items():
        text = text.replace(mark, escape)
    return text


def _model(model: ReportModel) -> dict[str, Any]:
    found = {"name": model.name, "device": model.device, "level": model.level}
    return {**found, "lead": list(model.lead)} if model.lead else found


def run_document(run: ReportRun) -> dict[str, Any]:
    """Return the entry of a run in the index, its picture as a PNG."""
    return {
        "name": run.name,
        "source": {name: _file_name(source) for name, source in run.source.items()},
        "fed": [fed.as_json() | {"source": _file_name(fed.source)} for fed in run.fed],
        "classes": [{"name": each.name, "index": each.index, "value": number(each.value)} for each in run.classes],
        "picture": _picture(run),
        **({"difference": True} if run.is_difference else {}),
        **({"tokens": {str(count): list(names) for count, names in run.tokens.items()}} if run.tokens else {}),
    }


def _file_name(source: str) -> str:
    """Return an input's file without its folders, which are private: a report is handed on to others."""
    return re.split(r"[/\\]", source)[-1]


def _picture(run: ReportRun) -> dict[str, Any] | None:
    if run.picture is None:
        return None
    name, pixels = run.picture
    uri = f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"
    return {"uri": uri, "height": pixels.shape[0], "width": pixels.shape[1], "input": name}


def layer_document(part: LayerPart) -> dict[str, Any]:
    """Return the entry of a layer in the index."""
    facts = part.facts
    first = next(run for run in part.runs if run is not None)
    document = {
        "name": facts.name,
        "kind": facts.layer.kind if facts.layer else "",
        "op": facts.op,
        "scope": facts.layer.scope if facts.layer else "",
        "output": facts.output,
        "tap": facts.tap,
        "dtype": facts.dtype,
        "shape": list(first.shape),
        "layout": facts.layout,
        "form": facts.form,
        "extent": list(first.extent),
        "axes": list(facts.axes),
        "halved": part.halved,
        "channels": part.channels,
        "kept": list(part.kept),
        "labels": None if facts.labels is None else list(facts.labels),
        "receptive_field": _field(part, first),
        "notes": list(facts.notes),
        "runs": [None if run is None else _run_part(run, first) for run in part.runs],
    }
    if facts.attention:
        document["drawing"] = "attention"
        document["tokens"] = None if facts.tokens is None else _attention_tokens(facts.tokens)
    elif facts.tokens is not None:
        document["tokens"] = facts.tokens.as_json()
    if facts.groups > 1:
        document["groups"] = facts.groups
    if part.pooled is not None:
        document["pooled"] = part.pooled.as_json()
    if facts.explains:
        document["explains"] = facts.explains
    if facts.finding is not None:
        document["finding"] = facts.finding.as_json()
    if first.steps is not None:
        document["steps"] = _steps(first.steps)
    if first.quantised is not None:
        codes = first.quantised.as_json()
        document["quantised"] = {name: codes[name] for name in ("dtype", "scale", "zero_point", "axis")}
    return document


def _steps(steps: Steps) -> dict[str, Any]:
    return {**steps.as_json(), "noun": steps.noun, "words": steps.words}


def _attention_tokens(tokens: TokenGrid) -> dict[str, Any]:
    """Return where the keys of an attention lie in the picture, and its queries, null where they do not.

    `ordered` says that row by row of the grid the tokens follow those of the prefix, so that grid and prefix say all.
    """
    queries, keys = (tokens, tokens.keys) if tokens.keys is not None else (None, tokens)
    return {"keys": _places(keys), "queries": None if queries is None else _places(queries)}


def _places(grid: TokenGrid) -> dict[str, Any]:
    ordered = grid.cells == (*[-1] * grid.prefix, *range(len(grid.cells) - grid.prefix))
    return {**grid.as_json(), "ordered": ordered and len(grid.cells) - grid.prefix == grid.grid[0] * grid.grid[1]}


def _limits(part: LayerPart, look: ReportLook) -> dict[str, Any]:
    limits = look.limits.get(part.facts.output)
    return {} if limits is None else {"limits": list(limits)}


def _units(part: LayerPart, model: ReportModel) -> dict[str, Any]:
    found = model.units.get(part.facts.name)
    return {} if found is None or len(found.spots) != part.channels else {"units": found.as_json()}


def _field(part: LayerPart, run: RunPart) -> dict[str, Any] | None:
    """Return the receptive field; None where the stored axes cannot be mapped to its axes."""
    field = part.facts.layer.receptive_field if part.facts.layer else None
    if field is None:
        return None
    on_grid = part.facts.tokens is not None and not part.facts.attention
    space = 2 if on_grid else len(spatial_axes(part.facts.layout))
    if field.size is not None and (len(field.size) != space or len(part.facts.axes) != len(run.extent)):
        return None
    return field.as_json()


def _run_part(run: RunPart, first: RunPart) -> dict[str, Any]:
    found = run.statistics
    columns = {"low": found.minimum, "high": found.maximum, "mean": found.mean, "std": found.deviation}
    columns["held"] = run.held
    document: dict[str, Any] = {
        "block": run.block,
        "stats": {name: _packed(column, run.wide) for name, column in columns.items()},
        "nan": found.nan.tolist(),
        "inf": found.inf.tolist(),
        "live": run.live,
        "extra": run.extra,
        "exact": run.exact,
    }
    if run.wide:
        document["wide"] = True
    if run.quantised is not None:
        document["at_ends"] = [run.quantised.at_low, run.quantised.at_high]
    if run.health is not None:
        document["health"] = run.health.as_json()
    if run.labels is not None:
        document["labels"] = list(run.labels)
    if run.prefix is not None:
        document["prefix"] = _packed(run.prefix, run.wide)
    if run.steps is not None and run.steps != first.steps:
        document["steps"] = _steps(run.steps)
    if run.shape != first.shape:
        document |= {"shape": list(run.shape), "extent": list(run.extent)}
    return document


def _packed(values: NDArray[np.float64], wide: bool) -> str:
    with np.errstate(all="ignore"):
        return base64.b64encode(values.astype("<f8" if wide else "<f4").tobytes()).decode()
