"""Converts the models of zoo.json that are not ONNX files, each compared with TensorFlow by the conversion itself.

    conversions.py CACHE [--write docs/conversions.md]     fails unless each model does what zoo.json says

One that cannot be converted must be refused by a typed error. `ONNXVIZ_TF_PYTHON` names the Python that has TensorFlow;
where it is not set and TensorFlow is not here either, nothing is done.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxviz
from onnxviz.conversion.convert_options import Converted
from onnxviz.errors import OnnxvizError

MANIFEST = Path(__file__).with_name("zoo.json")


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a model."""

    id: str
    file: str
    licence: str
    runs: bool


def read_manifest() -> list[Entry]:
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))["models"]
    suffixes = [Path(entry["path"]).suffix for entry in entries]
    return [
        Entry(entry["id"], f"{entry['id']}{suffix}", entry["licence"], entry["runs"])
        for entry, suffix in zip(entries, suffixes, strict=True)
        if suffix != ".onnx"
    ]


def row(entry: Entry, converted: Converted | None, refusal: str) -> str:
    cells: Sequence[object] = ("", "", "", refusal.replace("|", "/").replace("\n", " ")[:200])
    if converted is not None:
        agreement = converted.agreement
        assert agreement is not None
        cells = (converted.layers, agreement.compared, f"{converted.cpu_seconds:.0f}", f"{agreement.layer:.2g}")
    return f"| {' | '.join(map(str, (entry.id, entry.licence, *cells)))} |"


def page(rows: Sequence[str]) -> str:
    return (
        "# Converted models of public packages\n\n"
        f"{len(rows)} TensorFlow Lite models, converted by `make conversions`. The last column is the largest\n"
        "difference of any compared value between the converted model and TensorFlow, as a share of the largest of\n"
        "its tensor, or the error that refuses the model; the time is CPU seconds of the converter.\n\n"
        "| model | licence | layers | compared | s | difference or refusal |\n"
        "|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=Path)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    python = os.environ.get("ONNXVIZ_TF_PYTHON")
    if not python and importlib.util.find_spec("tensorflow") is None:
        print("no TensorFlow here; ONNXVIZ_TF_PYTHON may name a Python that has it")
        return 0
    options = onnxviz.ConvertOptions(python=Path(python) if python else None)
    rows, wrong = [], []
    for entry in read_manifest():
        converted, refusal = None, ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                converted = onnxviz.convert(arguments.cache / entry.file, Path(folder) / "model.onnx", options)
            except OnnxvizError as error:
                refusal = f"{type(error).__name__}: {error}"
        if bool(refusal) == entry.runs:
            wrong.append(f"{entry.id}: {refusal or 'was to be refused'}")
        rows.append(row(entry, converted, refusal))
        print(rows[-1], flush=True)
    print(*wrong, sep="\n")
    print(f"{len(rows)} converted or refused, {len(wrong)} wrong")
    if arguments.write:
        arguments.write.write_text(page(rows), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
