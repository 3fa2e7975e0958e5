"""The page into a file: its head, the index, the blocks one by one, the script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import BinaryIO

from onnxviz.reporting.bundle import load_page
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.index import index_text
from onnxviz.reporting.parts import LayerPart, ReportModel
from onnxviz.reporting.reduce import fit, weight

_BLOCK_TAGS = 72
"""Bytes of the tags around a block."""


def write_report(target: BinaryIO, model: ReportModel, collected: Collector, size: int) -> str:
    """Write the page of what was collected, of at most `size` bytes, and return what it says was left out."""
    page = load_page()
    layers = collected.layers()
    fixed = len(_head()) + len(page.body) + len(page.script)
    index = index_text(model, collected.runs, layers, "")
    blocks = sum(run is not None for layer in layers for run in layer.runs)
    room = size - fixed - len(index) - blocks * _BLOCK_TAGS - 512
    fitted = fit(layers, collected.store, room)
    left_out = " ".join(part for part in (_reduced(layers, fitted, size), _empty(collected.empty)) if part)
    if weight(fitted, collected.store) > room:
        left_out += " Less cannot be shown, so that the file is larger than that."
    if fitted is not layers or left_out:
        index = index_text(model, collected.runs, fitted, left_out)
    target.write(_head().encode())
    target.write(page.body.encode())
    target.write(b'\n<script type="application/json" id="index">' + index.encode() + b"</script>\n")
    for layer in fitted:
        for run in layer.runs:
            if run is not None:
                target.write(b'<script type="application/octet-stream" id="block-%d">' % run.block)
                target.write(base64.b64encode(collected.store.read(run.block)))
                target.write(b"</script>\n")
    target.write(f"<script>{page.script}</script>\n</body>\n</html>\n".encode())
    return left_out


def _head() -> str:
    page = load_page()
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{page.policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>onnxviz report</title>\n<style>{page.style}</style>\n</head>\n<body>\n"
    )


def _reduced(layers: Sequence[LayerPart], fitted: Sequence[LayerPart], size: int) -> str:
    """Say in a sentence what the cap took."""
    fewer = sum(len(layer.kept) < layer.channels for layer in fitted)
    halved = sum(layer.halved > 0 for layer in fitted)
    if not fewer and not halved:
        return ""
    parts = []
    if fewer:
        most = max(len(layer.kept) for layer in fitted if len(layer.kept) < layer.channels)
        parts.append(f"{fewer} of {len(layers)} layers show only the channels that vary most, at most {most} each")
    if halved:
        parts.append(f"the maps of {halved} of {len(layers)} layers are halved, once or more, to means")
    return f"To keep the file under {size / 1e6:.3g} MB, {', and '.join(parts)}; --html-size raises that."


def _empty(names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(name if len(name) <= 60 else f"{name[:59]}…" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{shown}{more} hold no numbers and cannot be shown."
