"""`Journal`: writes `view.json` (schema `onnxviz.view/1`), which has all of a command, run by run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from onnxviz.draw.statistics import ChannelStatistics
from onnxviz.feed.feed import Fed
from onnxviz.results.channels import channel_documents
from onnxviz.results.pooled_health import Pool, PooledLayer, health_document, pool_document, pooled
from onnxviz.results.record import LISTING, LayerRecord, RunRecord, ViewRecord
from onnxviz.strict_json import number
from onnxviz.version import __version__

SCHEMA = "onnxviz.view/1"
LINES = "unfinished.jsonl"
"""The name of the file that lists what is done while the rest is made."""


class Journal:
    """Writes a line for each run that is done, and at the end `view.json` of them.

    `view.json` is strict JSON: a number that is not finite is null. `count` is how many runs are done, and `pool` the
    health of their layers.
    """

    def __init__(self, folder: Path, lines: BinaryIO, model: str, count: int = 0, pool: Pool | None = None) -> None:
        """Take the folder, and the file LINES in it, open for appending, with `count` runs in it.

        `pool` is the health of the layers of these; None where there is one input, whose command is never gone on with.
        """
        self.count = count
        self.pool: Pool = pool or {}
        self._may_go_on = pool is not None
        self._folder = folder
        self._lines = lines
        self._model = model
        self._layers: list[tuple[LayerRecord, Mapping[str, Any]]] = []

    def add_line(self, facts: Mapping[str, Any], document: str = "") -> None:
        """Write a line: what is to be known when the command is repeated, and what `view.json` will have of a run."""
        # A file's name that is not UTF-8 becomes a JSON escape.
        line = f"{json.dumps(facts)}\t{document}\n".encode(errors="backslashreplace")
        self._lines.write(line)
        self._lines.flush()

    def add_layer(self, layer: LayerRecord, statistics: ChannelStatistics) -> None:
        """Take a layer of the run that is under way, with its channels' statistics."""
        self._layers.append((layer, _layer_document(layer, statistics)))

    def drop_run(self) -> None:
        """Forget the layers of a run that failed."""
        self._layers = []

    def end_run(self, run: RunRecord, fed: Sequence[Fed], place: int) -> None:
        """Write the run whose layers were added, with what was fed; `place` is that of its source among the inputs."""
        document = {
            "source": dict(run.source),
            "fed": [each.as_json() for each in fed],
            "directory": run.directory,
            "overview": run.overview or None,
            "film": run.film or None,
            "top": [{"class": found.name, "score": number(found.value)} for found in run.top],
            "explanations": list(run.explanations),
            "layers": [document for _, document in self._layers],
        }
        health = [PooledLayer.of(one.name, one.output, one.tap, one.health) for one, _ in self._layers]
        kept = {"health": [layer.as_json() for layer in health]} if self._may_go_on else {}
        self.add_line({"place": place, "run": asdict(run), **kept}, _text(document))
        self.pool = pooled(self.pool, health)
        self._layers, self.count = [], self.count + 1

    def end(self, view: ViewRecord) -> None:
        """Write `view.json`: the runs, and what is known of the whole."""
        head = {"schema": SCHEMA, "onnxviz": __version__, "model": self._model}
        tail = {
            "device": view.device,
            "level": view.level,
            "remark": view.remark,
            "report": view.report or None,
            "left_out": view.left_out,
            "failures": [{"source": source, "error": error} for source, error in view.failures],
            "not_shown": [{"name": name, "reason": reason} for name, reason in view.not_shown],
            "health": pool_document(self.pool),
        }
        self._lines.close()
        comma = b""
        with (self._folder / LINES).open("rb") as lines, (self._folder / LISTING).open("wb") as listing:
            listing.write(f'{{{_members(head)}, "runs": ['.encode(errors="backslashreplace"))
            for line in lines:
                document = line.rstrip(b"\n").partition(b"\t")[2]
                if document:
                    listing.write(comma + document)
                    comma = b", "
            listing.write(f"], {_members(tail)}}}".encode(errors="backslashreplace"))
        (self._folder / LINES).unlink()


def _members(document: Mapping[str, Any]) -> str:
    """Return the members of an object that more members follow or precede."""
    return ", ".join(f"{_text(key)}: {_text(value)}" for key, value in document.items())


def _text(value: Any) -> str:
    # Not indented: Python then encodes it in C, 0.05 s instead of 0.5 s for 20,000 channels.
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _layer_document(layer: LayerRecord, statistics: ChannelStatistics) -> dict[str, Any]:
    field = layer.layer.receptive_field if layer.layer else None
    return {
        "name": layer.name,
        "output": layer.output,
        "tap": layer.tap,
        "kind": layer.layer.kind if layer.layer else None,
        "op": layer.layer.op if layer.layer else None,
        "shape": list(layer.shape),
        "layout": layer.layout,
        "layout_assumed": layer.layout_assumed,
        "tokens": layer.tokens.as_json() if layer.tokens else None,
        "query": layer.query or None,
        "dtype": layer.dtype,
        "dequantised": layer.dequantised,
        "quantised": layer.quantised.as_json() if layer.quantised else None,
        "steps": None if layer.steps is None else layer.steps.as_json(),
        "receptive_field": field.as_json() if field else None,
        "min": number(layer.range[0]),
        "max": number(layer.range[1]),
        "pictures": list(layer.pictures),
        "overview": None if layer.overview is None else list(layer.overview),
        "health": health_document(layer.health),
        **channel_documents(statistics),
    }
