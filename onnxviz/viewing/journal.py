"""`view.json` (schema `onnxviz.view/1`), written run by run, so that memory stays flat over thousands of inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from onnxviz.draw.scale import ChannelStatistics
from onnxviz.feed.feed import Fed
from onnxviz.strict_json import number, numbers
from onnxviz.version import __version__
from onnxviz.viewing.record import LayerRecord, RunRecord, ViewRecord

SCHEMA = "onnxviz.view/1"


class Journal(AbstractContextManager["Journal"]):
    """Writes strict JSON: a number that is not finite is null."""

    def __init__(self, path: Path, model: str) -> None:
        """Begin the file."""
        # A file's name that is no UTF-8 becomes a JSON escape.
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace")
        self._layers: list[str] = []
        self._comma = ""
        self._write({"schema": SCHEMA, "onnxviz": __version__, "model": model}, "{", ', "runs": [')

    def add_layer(self, layer: LayerRecord, statistics: ChannelStatistics) -> None:
        """Take a layer of the run that is under way, with its channels' statistics."""
        self._layers.append(_text(_layer_document(layer, statistics)))

    def drop_run(self) -> None:
        """Forget the layers of a run that failed."""
        self._layers = []

    def end_run(self, run: RunRecord, fed: Sequence[Fed]) -> None:
        """Write the run whose layers were added, with what was fed."""
        about = {
            "source": dict(run.source),
            "fed": [each.as_json() for each in fed],
            "directory": run.directory,
            "overview": run.overview,
            "top": [{"class": found.name, "score": number(found.value)} for found in run.top],
        }
        self._write(about, f"{self._comma}{{", f', "layers": [{", ".join(self._layers)}]}}')
        self._layers, self._comma = [], ", "

    def end(self, view: ViewRecord) -> None:
        """Write what is known of the whole."""
        about = {
            "device": view.device,
            "level": view.level,
            "remark": view.remark,
            "report": view.report or None,
            "left_out": view.left_out,
            "failures": [{"source": source, "error": error} for source, error in view.failures],
        }
        self._write(about, "], ", "}")

    def __exit__(self, *details: object) -> None:
        self._file.close()

    def _write(self, members: Mapping[str, Any], before: str, after: str) -> None:
        self._file.write(f"{before}{_text(members)[1:-1]}{after}")


def _text(document: Mapping[str, Any]) -> str:
    # Not indented: Python then encodes it in C, 0.05 s instead of 0.5 s for 20,000 channels.
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def _layer_document(layer: LayerRecord, statistics: ChannelStatistics) -> dict[str, Any]:
    field = layer.layer.receptive_field if layer.layer else None
    columns = (statistics.minimum, statistics.maximum, statistics.mean, statistics.deviation)
    counts = statistics.nan.tolist(), statistics.inf.tolist()
    return {
        "name": layer.name,
        "output": layer.output,
        "tap": layer.tap,
        "kind": layer.layer.kind if layer.layer else None,
        "op": layer.layer.op if layer.layer else None,
        "shape": list(layer.shape),
        "layout": layer.layout,
        "dtype": layer.dtype,
        "receptive_field": field.as_json() if field else None,
        "min": number(layer.range[0]),
        "max": number(layer.range[1]),
        "pictures": list(layer.pictures),
        "channels": [
            {"index": index, "min": least, "max": most, "mean": mean, "std": deviation, "nan": nan, "inf": inf}
            for index, (least, most, mean, deviation, nan, inf) in enumerate(
                zip(*map(numbers, columns), *counts, strict=True)
            )
        ],
    }
