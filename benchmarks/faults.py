"""Which layer goes wrong, and why: things made wrong on purpose in real networks, and what `compare` says of each.

    python benchmarks/faults.py --pictures FOLDER [--seed 0] [--each 1] MODEL.onnx...     a minute or two for each model

Each model is quantised by onnxruntime (QDQ, a scale for each channel), calibrated with the first eight pictures. Every
fault of `tests/comparing/planted.py` is planted in the float and in the quantised form, in a convolution drawn by the
seed, with a strength drawn around the usual, and the float model is compared with it on the next two pictures. A fault
does something where the own error of its layer moves by more than half a decibel. Of each that does it is counted
whether its layer has the lowest own error and is the first named, and whether the cause is right, another, only which
channels it is, or none. `--verbose` prints each.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

import onnxviz
from onnxviz.runtime.session import RunOptions

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.comparing import planted

EXACT = RunOptions(exact=True)
CALIBRATION, HELD_OUT = 8, 2
Feeds = list[dict[str, np.ndarray[Any, Any]]]


class Reader(CalibrationDataReader):
    """Feeds the quantiser."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
        return next(self._feeds, None)


def named(source: Path, path: Path) -> None:
    """Write a model whose nodes all have a name, and whose constants are initializers."""
    model = onnx.load(source)
    if next(each.version for each in model.opset_import if not each.domain) < 13:
        model = onnx.version_converter.convert_version(model, 13)
    for number, node in enumerate(list(model.graph.node)):
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            node.attribute[0].t.name = node.output[0]
            model.graph.initializer.append(node.attribute[0].t)
            model.graph.node.remove(node)
        node.name = node.name or f"{node.op_type}_{number}"
    onnx.save(model, path)


def quantised(source: Path, path: Path, feeds: Feeds) -> None:
    """Write the model in QDQ, as onnxruntime makes it."""
    quantize_static(source, path, Reader(feeds), quant_format=QuantFormat.QDQ, per_channel=True)


def planted_models(form: Path, layers: dict[str, str], draw: random.Random, each: int) -> Iterator[tuple[Any, ...]]:
    """Yield each fault with the layer that it is in and a model in which it is planted."""
    healthy = onnx.load(form)
    is_quantised = any(node.op_type == "QuantizeLinear" for node in healthy.graph.node)
    for fault in planted.FAULTS:
        if fault.quantised and not is_quantised:
            continue
        places = [
            place
            for place, node in enumerate(planted.convolutions(healthy))
            if node.name in layers and planted.can_be_planted(fault, healthy, node)
        ]
        for place in draw.sample(places, min(each, len(places))):
            model = onnx.ModelProto()
            model.CopyFrom(healthy)
            node = planted.convolutions(model)[place]
            strength = fault.strength * draw.uniform(0.85, 1.2) if abs(fault.strength) != 1 else draw.choice([1, 2, 3])
            fault.plant(model, node, strength)
            yield fault, layers[node.name], strength, model


_RIGHT = {
    "epsilon": ("epsilon is",),
    "zero point off": ("zero point",),
    "zero point far off": ("zero point",),
    "nonlinearity lost": ("nonlinearity",),
    "channels rolled": ("another order", "order of channels"),
    # The quantiser's range was the Clip.
    "output range coarse": ("Clip is lost",),
}
"""Words of a right cause, where they are not the fault's own."""


def verdict(fault: planted.Fault, cause: str) -> str:
    """Return whether a cause is the planted one; of a fault that none describes each is another."""
    words = _RIGHT.get(fault.name, (fault.word,) if fault.word else ())
    if any(word in cause for word in words):
        return "right"
    if cause and "of the error lies in" not in cause:
        return "another"
    return ("channels" if cause else "none") if words and fault.name != "output range coarse" else "none asked"


def score(source: Path, pictures: Sequence[Path], folder: Path, arguments: argparse.Namespace) -> Counter[str]:
    """Plant everything in both forms of a model."""
    named(source, folder / "float.onnx")
    model = onnxviz.open(folder / "float.onnx")
    feeds = [dict(model.feed(path).arrays) for path in pictures[: CALIBRATION + HELD_OUT]]
    quantised(folder / "float.onnx", folder / "int8.onnx", feeds[:CALIBRATION])
    by_value = {layer.output: layer.name for layer in model.catalogue}
    nodes = onnx.load(folder / "float.onnx").graph.node
    layers = {node.name: by_value[node.output[0]] for node in nodes if node.output[0] in by_value}
    draw, total = random.Random(f"{arguments.seed} {source.name}"), Counter[str]()
    for form in (folder / "float.onnx", folder / "int8.onnx"):
        healthy = compared(folder / "float.onnx", form, feeds)
        if healthy.first is not None:
            total["false alarms"] += 1
            print(f"  {form.stem}, nothing planted: {healthy.headline}")
        for fault, layer, strength, model_with in planted_models(form, layers, draw, arguments.each):
            onnx.save(model_with, folder / "planted.onnx")
            found = compared(folder / "float.onnx", folder / "planted.onnx", feeds)
            before, now = healthy.layers.get(layer), found.layers.get(layer)
            if now is None or now.own is None or before is None or before.own is None:
                total["without own error"] += 1
                continue
            total["faults"] += 1
            if abs(min(now.own.sqnr, 200) - min(before.own.sqnr, 200)) < 0.5 and not now.breaks:
                continue
            total["did something"] += 1
            lowest = min((each for each in found.layers.values() if each.own), key=lambda each: each.own.sqnr)
            total["lowest own"] += lowest.name == layer
            first = "none" if found.first is None else "first" if found.first.name == layer else "another first"
            total[first] += 1
            costs = healthy.outputs[0].measures.sqnr - found.outputs[0].measures.sqnr > 3.6
            if costs:
                total[f"costly: {first}"] += 1
            said = verdict(fault, now.cause)
            total[f"cause {said}"] += 1
            if arguments.verbose:
                own = f"{before.own.sqnr:.0f} to {now.own.sqnr:.0f} dB{', costly' * costs}"
                where = f"{form.stem:5} {fault.name} {strength:.2f} in {layer}, {own}"
                print(f"  {where}: {first}, {said}: {now.cause}")
    return total


def compared(a: Path, b: Path, feeds: Feeds) -> Any:
    """Compare on the pictures that calibrated nothing."""
    return onnxviz.compare(a, b, feeds[CALIBRATION:], run_a=EXACT, run_b=EXACT)


def main() -> None:
    """Print a line of counts for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=1, help="how often each fault is planted in each form")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    pictures = sorted(arguments.pictures.iterdir())
    random.Random(arguments.seed).shuffle(pictures)
    for source in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{source.name}: {dict(score(source, pictures, Path(folder), arguments))}", flush=True)


if __name__ == "__main__":
    main()
