"""Writes the bundled classifier's metadata: how a picture is fed to it, and what its classes are called.

python tools/bundle_metadata.py      rewrites models/efficientnet_lite0_int8.onnx in place
"""

from __future__ import annotations

from pathlib import Path

import onnx

from onnxviz.feed.preprocessing import METADATA_LABELS, METADATA_PREPROCESSING, PRESETS

MODELS = Path(__file__).resolve().parent.parent / "models"


def main() -> None:
    path = MODELS / "efficientnet_lite0_int8.onnx"
    model = onnx.load(path)
    labels = (MODELS / "imagenet_labels.txt").read_text(encoding="utf-8").strip()
    kept = [entry for entry in model.metadata_props if not entry.key.startswith("onnxviz.")]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    for key, text in (
        (METADATA_PREPROCESSING, PRESETS["efficientnet-lite"].to_json()),
        (METADATA_LABELS, labels),
    ):
        model.metadata_props.add(key=key, value=text)
    onnx.save(model, path)


if __name__ == "__main__":
    main()
