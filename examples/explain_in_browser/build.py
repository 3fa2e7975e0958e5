"""Put a model that explains itself, onnxruntime and the page into one HTML file that opens from disk.

    python build.py explained.onnx page.html

How pictures become numbers, and the names of the classes, are read from the model's metadata; a model without them is
given `--preset`, as in `onnxviz view`, and shows numbers in place of names.
"""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import asdict
from pathlib import Path

import onnxviz
from onnxviz.classes.classes import class_outputs
from onnxviz.feed.preprocessing import PRESETS, model_labels, model_preprocessing

HERE = Path(__file__).resolve().parent
RUNTIME = HERE / "node_modules" / "onnxruntime-web" / "dist"


def settings(path: Path, preset: str | None) -> dict[str, object]:
    """Return what the page must know of the model."""
    model = onnxviz.open(path)
    names = {spec.name for spec in (*model.inputs, *model.outputs)}
    if not {"class_index", "heat"} <= names:
        raise SystemExit(f"{path} does not explain itself: make it with `onnxviz explain ... --export {path}`")
    image = next(spec for spec in model.inputs if spec.name != "class_index")
    preprocessing = PRESETS[preset] if preset else model_preprocessing(model.metadata)
    if preprocessing is None:
        raise SystemExit(f"how {path} is fed is not in its metadata: name a --preset, one of {', '.join(PRESETS)}")
    sizes = [size for size in (image.shape or ())[2:] if isinstance(size, int)]
    size = preprocessing.size or (tuple(sizes) if len(sizes) == 2 else (224, 224))
    scores = class_outputs(model, (), model_labels(model.metadata), asked=True)[0].value
    return {
        "title": path.name,
        "image": image.name,
        "scores": scores,
        "labels": model_labels(model.metadata),
        **asdict(preprocessing.in_bytes()),
        "size": size,
    }


def built(path: Path, preset: str | None) -> str:
    """Return the page."""
    if not RUNTIME.is_dir():
        raise SystemExit(f"first: cd {HERE} && npm ci")
    parts = {
        "SETTINGS": json.dumps(settings(path, preset)).replace("<", "\\u003c"),
        "RUNTIME": _text(RUNTIME / "ort.wasm.bundle.min.mjs"),
        "WASM": _text(RUNTIME / "ort-wasm-simd-threaded.wasm"),
        "MODEL": _text(path),
        "SCRIPT": (HERE / "page.js").read_text("utf-8"),
    }
    page = (HERE / "page.html").read_text("utf-8")
    for name, text in parts.items():
        page = page.replace(f"<!-- {name} -->", text)
    return page


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--preset", choices=sorted(PRESETS))
    given = parser.parse_args()
    given.page.write_text(built(given.model, given.preset), encoding="utf-8")
    print(f"{given.page}: {given.page.stat().st_size / 1e6:.0f} MB")
