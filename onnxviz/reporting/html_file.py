"""The report as an HTML file: head, index, the blocks of the first layer, the script, all other blocks.

A browser runs the script as soon as it has read it. The script therefore follows the first layer, which is then on the
screen while the browser still reads the rest of a large file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from onnxviz.draw.arrange import BARS
from onnxviz.reporting.block_store import BlockStore
from onnxviz.reporting.bundle import BESIDE, PageFiles, load_page
from onnxviz.reporting.collect import FORMS, Collector
from onnxviz.reporting.contents import LayerPart, ReportModel, RunPart
from onnxviz.reporting.index import index_text, layer_document, run_document
from onnxviz.reporting.reduce import fit, weight
from onnxviz.words import listed, shown

INDEX = b'<script type="application/json" id="index">%s</script>\n'
BLOCK = b'<script type="application/octet-stream" id="block-%d">%s</script>\n'
END = b"</body>\n</html>\n"

# Channels that stay may deflate better or worse than those left out, so that one round may not be enough.
_ROUNDS = 4
# Room for the sentence that says what was left out.
_SENTENCE = 512


def write_report(
    target: BinaryIO, model: ReportModel, collected: Collector, size: int, live: Mapping[str, str] | None = None
) -> str:
    """Write what was collected as a page of at most `size` bytes; return its sentence about what was left out.

    `live` is what a page that is served knows of its server: the `token` that it answers to.
    """
    page = load_page("report" if live is None else "served")
    head, script = _head(page, model, live), f"<script>{page.script}</script>\n".encode()
    fitted = _ReportOfSize(model, collected, size - len(head) - len(script) - len(END))
    target.write(head)
    target.write(INDEX % fitted.index.encode())
    _write_blocks(target, fitted.layers[:1], collected.store)
    target.write(script)
    _write_blocks(target, fitted.layers[1:], collected.store)
    target.write(END)
    return fitted.left_out


class _ReportOfSize:
    """The layers, reduced to fit in `room` bytes with their index, and the sentence about what was left out."""

    def __init__(self, model: ReportModel, collected: Collector, room: int) -> None:
        self._model, self._collected = model, collected
        self._runs = [run_document(run) for run in collected.runs]  # once for all rounds: encoding pictures takes long
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
        empty = listed(map(shown, self._collected.empty))
        parts = (_further(self._collected), empty and f"{empty}: no numbers to show.", _reduced(layers), more)
        self.left_out = " ".join(filter(None, parts))
        self.index = index_text(self._model, self._runs, layers, self._collected.look, self.left_out)

    def _size(self) -> int:
        runs = list(_stored(self.layers))
        blocks = sum((self._collected.store.size(run.block) + 2) // 3 * 4 for run in runs)
        return len(INDEX) + len(self.index) + blocks + len(runs) * (len(BLOCK) + len(str(len(runs))))


def live_update(collected: Collector, places: Mapping[tuple[str, str], int]) -> bytes:
    """Return the one run that was collected as JSON, for a page that is served: `run`, `layers` by place, and `blocks`.

    `places` are those of the page's layers, by name and value.
    """
    layers = {places[part.facts.name, part.facts.output]: part for part in collected.layers()}
    document = {
        "run": run_document(collected.runs[0]),
        "layers": {place: layer_document(part) for place, part in layers.items()},
        "blocks": {
            run.block: base64.b64encode(collected.store.read(run.block)).decode() for run in _stored(layers.values())
        },
    }
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def _head(page: PageFiles, model: ReportModel, live: Mapping[str, str] | None) -> bytes:
    policy = page.policy_with(f"data: blob: {BESIDE}") if model.units else page.policy
    policy += "; connect-src 'self'" if live is not None else ""
    asks = "" if live is None else f'<script type="application/json" id="server">{json.dumps(live)}</script>\n'
    return (page_head(page, policy, "onnxviz report") + asks).encode()


def page_head(page: PageFiles, policy: str, title: str) -> str:
    """Return a page's beginning, up to the end of its own body; what it knows and its script follow."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{title}</title>\n<style>{page.style}</style>\n</head>\n<body>\n{page.body}\n"
    )


def _write_blocks(target: BinaryIO, layers: Iterable[LayerPart], store: BlockStore) -> None:
    for run in _stored(layers):
        target.write(BLOCK % (run.block, base64.b64encode(store.read(run.block))))


def _stored(layers: Iterable[LayerPart]) -> Iterator[RunPart]:
    return (run for layer in layers for run in layer.runs if run is not None)


def _further(collected: Collector) -> str:
    """Return a sentence about the inputs that the page does not show, empty if it shows all."""
    shown = len(collected.runs)
    return f"The first {shown} of {shown + collected.further} inputs are shown." if collected.further else ""


def _reduced(layers: Sequence[LayerPart]) -> str:
    """Return a sentence about what was left out to keep to the size, empty if that is nothing."""
    # Of very long vectors the strongest units are kept whatever the size, and the layer says so.
    fewer = sum(len(layer.kept) < layer.channels and layer.facts.form != FORMS[BARS] for layer in layers)
    halved = sum(layer.halved > 0 for layer in layers)
    parts = [
        f"only the channels that vary most are kept in {fewer} of {len(layers)} layers" if fewer else "",
        f"the maps of {halved} of {len(layers)} layers are halved to means" if halved else "",
    ]
    said = ", and ".join(filter(None, parts))
    return f"To keep the file small, {said}; a larger --html-size shows more." if said else ""
