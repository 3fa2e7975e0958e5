"""The page into a file: its head, the index, the blocks one by one, and amid them the script.

A browser runs the script when it comes to it. It stands behind the first layer, so that this is on the screen while the
rest of a large file is still read.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from onnxviz.reporting.bundle import Page, load_page
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.index import index_text, run_document
from onnxviz.reporting.parts import LayerPart, ReportModel, RunPart
from onnxviz.reporting.reduce import fit, weight
from onnxviz.reporting.store import BlockStore
from onnxviz.words import listed, shown

_INDEX = b'<script type="application/json" id="index">%s</script>\n'
_BLOCK = b'<script type="application/octet-stream" id="block-%d">%s</script>\n'
_END = b"</body>\n</html>\n"

# What was left out deflates better or worse than what stays, so that one round may miss.
_ROUNDS = 4
# Room for the sentence that says what was left out.
_SENTENCE = 512


def write_report(target: BinaryIO, model: ReportModel, collected: Collector, size: int) -> str:
    """Write the page of what was collected, of at most `size` bytes, and return what it says was left out."""
    page = load_page()
    head, script = _head(page), f"<script>{page.script}</script>\n".encode()
    fitted = _Fitted(model, collected, size - len(head) - len(script) - len(_END))
    target.write(head)
    target.write(_INDEX % fitted.index.encode())
    _write_blocks(target, fitted.layers[:1], collected.store)
    target.write(script)
    _write_blocks(target, fitted.layers[1:], collected.store)
    target.write(_END)
    return fitted.left_out


class _Fitted:
    """The layers as they fit in `room` bytes, with the sentence that says what was left out, and the index."""

    def __init__(self, model: ReportModel, collected: Collector, room: int) -> None:
        self._model, self._collected = model, collected
        self._runs = [run_document(run) for run in collected.runs]  # once for all rounds: pictures take long to encode
        whole = collected.layers()
        self._take(whole)
        for _ in range(_ROUNDS):
            over = self._size() - room
            if over <= 0:
                return
            aim = weight(self.layers, collected.store) - over - _SENTENCE
            self._take(fit(whole, collected.store, aim))
        if self._size() > room:
            self._take(self.layers, "Less cannot be shown: the file is larger than was asked for.")

    def _take(self, layers: tuple[LayerPart, ...], more: str = "") -> None:
        self.layers = layers
        parts = (_further(self._collected), _empty(self._collected.empty), _reduced(layers), more)
        self.left_out = " ".join(part for part in parts if part)
        self.index = index_text(self._model, self._runs, layers, self.left_out)

    def _size(self) -> int:
        runs = list(_stored(self.layers))
        blocks = sum((self._collected.store.size(run.block) + 2) // 3 * 4 for run in runs)
        return len(_INDEX) + len(self.index) + blocks + len(runs) * (len(_BLOCK) + len(str(len(runs))))


def _head(page: Page) -> bytes:
    """Return what stands before the index."""
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{page.policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>onnxviz report</title>\n<style>{page.style}</style>\n</head>\n<body>\n{page.body}\n"
    )
    return head.encode()


def _write_blocks(target: BinaryIO, layers: Sequence[LayerPart], store: BlockStore) -> None:
    for run in _stored(layers):
        target.write(_BLOCK % (run.block, base64.b64encode(store.read(run.block))))


def _stored(layers: Sequence[LayerPart]) -> Iterator[RunPart]:
    return (run for layer in layers for run in layer.runs if run is not None)


def _further(collected: Collector) -> str:
    """Say in a sentence which inputs the page has not."""
    shown = len(collected.runs)
    return f"The first {shown} of {shown + collected.further} inputs are shown." if collected.further else ""


def _reduced(layers: Sequence[LayerPart]) -> str:
    """Say in a sentence what the cap took."""
    fewer = [layer for layer in layers if len(layer.kept) < layer.channels]
    halved = [layer for layer in layers if layer.halved]
    if not fewer and not halved:
        return ""
    parts = []
    if fewer:
        parts.append(f"only the channels that vary most are kept in {len(fewer)} of {len(layers)} layers")
    if halved:
        parts.append(f"the maps of {len(halved)} of {len(layers)} layers are halved to means")
    return f"To keep the file small, {', and '.join(parts)}; a larger --html-size shows more."


def _empty(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"{listed(map(shown, names))}: no numbers to show."
