"""Small models from ONNX's text form."""

from __future__ import annotations

from pathlib import Path

import onnx

import onnxviz


def model_of(path: Path, text: str) -> onnxviz.Model:
    """Write a model of ONNX's text form (opset 17) and open it."""
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}'), path)
    return onnxviz.open(path)
