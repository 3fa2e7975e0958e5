"""Lists, exposes, runs and draws the ONNX models of zoo.json and holds the results against plain onnxruntime.

    survey.py CACHE [--write docs/zoo.md]     fails unless each model does what zoo.json says

A model that runs must list, expose (the checker's full check passes where it passed before) and give its own outputs
bit for bit as the unmodified file does, with optimisation off, and the exposed values of its own graph as onnxruntime
gives them; its maps of rank 3 or more are drawn. One that onnxruntime cannot run must be refused by a typed error.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

import onnxviz
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.style import Caption, Style
from onnxviz.errors import NoMatchError, OnnxvizError, UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.model import choices_of, expose_choices

MANIFEST = Path(__file__).with_name("zoo.json")
SEED = 7


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a model."""

    id: str
    licence: str
    producer: str
    shapes: Mapping[str, Sequence[int]]
    values: Mapping[str, float]
    runs: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a model: how many layers, values exposed and maps drawn, or the error that refused it."""

    layers: int
    exposed: int
    drawn: int
    seconds: float
    difference: float | None
    refusal: str = ""


def read_manifest() -> list[Entry]:
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))["models"]
    return [
        Entry(e["id"], e["licence"], e["producer"], e["shapes"], e.get("values", {}), e["runs"])
        for e in entries
        if e["path"].endswith(".onnx")
    ]


def survey(path: Path, entry: Entry) -> Outcome:
    """Do all of it with one model; what is wrong raises AssertionError."""
    begin = time.process_time()
    model = onnxviz.open(path)
    layers = len(model.catalogue)
    choices = chosen(model)
    exposed = expose_choices(model, choices)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "exposed.onnx"
        exposed.save(target)
        if passes(path):
            assert passes(target), "the checker passed the original and not the exposed model"
        feed = make_arrays(model, entry)
        try:
            fed = model.feed(feed)
            drawn = draw(model, choices, fed)
        except OnnxvizError as error:
            return Outcome(
                layers, len(choices), 0, time.process_time() - begin, None, f"{type(error).__name__}: {error}"
            )
        seconds = time.process_time() - begin
        if not runs_plainly(path, dict(fed.arrays)):
            # The chosen values may lie before what onnxruntime lacks; the whole model is then refused all the same.
            return Outcome(layers, len(choices), drawn, seconds, None, refusal(model, fed))
        # Values inside bodies and functions, and those that no node makes, cannot be appended by hand.
        at_the_top = [choice.value for choice in choices if choice.value in model.graph.producers]
        difference = compare(path, target, dict(fed.arrays))
        apart = compare_values(path, target, at_the_top, dict(fed.arrays)) if at_the_top else 0
    assert difference == 0, f"outputs moved by {difference}"
    assert apart == 0, f"exposed values are {apart} from those of outputs appended by hand"
    return Outcome(layers, len(choices), drawn, time.process_time() - begin, difference)


def chosen(model: onnxviz.Model) -> tuple[Choice, ...]:
    """Return what is chosen without a selection, less what may be no tensor: those the checker refuses as outputs."""
    try:
        choices, _ = choices_of(model, None)
    except (NoMatchError, UnsupportedError):
        choices = ()
    return tuple(choice for choice in choices if is_tensor(model, choice)) or ends(model)


def ends(model: onnxviz.Model) -> tuple[Choice, ...]:
    """Return the first node's first output and the model's own outputs, as far as they are tensors."""
    first = next(node.outputs[0] for node in model.graph.nodes if node.outputs[0])
    values = dict.fromkeys([first, *(spec.name for spec in model.outputs)])
    found = [Choice(value, value, "value", None) for value in values if value in model.graph.producers]
    return tuple(choice for choice in found if is_tensor(model, choice))


def is_tensor(model: onnxviz.Model, choice: Choice) -> bool:
    spec = model.types.get(choice.value)
    return (spec is not None and spec.shape is not None) or (choice.layer is not None and bool(choice.layer.layout))


def refusal(model: onnxviz.Model, fed: Feed) -> str:
    """Return why the model's own outputs cannot be had; empty where onnxviz runs what onnxruntime alone does not."""
    try:
        model.inference.values([spec.name for spec in model.outputs], fed)
    except OnnxvizError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def draw(model: onnxviz.Model, choices: Sequence[Choice], fed: Feed) -> int:
    drawn = 0
    for activation in model.inference.stream(choices, fed, model.inference.executor()):
        drawings = draw_maps(
            activation.array, activation.layout, Caption(activation.name, activation.caption_line), Style()
        )
        assert drawings
        assert all(max(drawing.image.size) <= 20_000 for drawing in drawings)
        drawn += activation.array.ndim >= 3
    return drawn


def make_arrays(model: onnxviz.Model, entry: Entry) -> dict[str, Any]:
    generator = np.random.default_rng(SEED)
    arrays: dict[str, Any] = {}
    for spec in model.inputs:
        shape = tuple(entry.shapes.get(spec.name, ()))
        dtype = np.dtype(spec.dtype or "float32")
        if spec.name in entry.values:
            arrays[spec.name] = np.full(shape, entry.values[spec.name], dtype)
        elif dtype.kind == "f":
            arrays[spec.name] = (generator.standard_normal(shape) * 0.1).astype(dtype)
        else:
            arrays[spec.name] = np.ones(shape, dtype)
    return arrays


def runs_plainly(path: Path, arrays: dict[str, Any]) -> bool:
    """Return whether onnxruntime alone runs a file."""
    try:
        open_plainly(path).run(None, arrays)
    except Exception:  # onnxruntime's exceptions share no base class
        return False
    return True


def compare(original: Path, exposed: Path, arrays: dict[str, Any]) -> float:
    """Return the largest difference of the model's own outputs, both run by onnxruntime alone, not optimised."""
    before = open_plainly(original)
    names = [output.name for output in before.get_outputs()]
    return largest_difference(open_plainly(exposed).run(names, arrays), before.run(names, arrays))


def compare_values(original: Path, exposed: Path, values: Sequence[str], arrays: dict[str, Any]) -> float:
    """Return the largest difference of exposed values from those of the original with the values appended by hand."""
    proto = onnx.load(original)
    own = {info.name for info in proto.graph.output}
    proto.graph.output.extend(onnx.ValueInfoProto(name=value) for value in values if value not in own)
    by_hand = open_plainly(proto.SerializeToString())
    del proto
    return largest_difference(open_plainly(exposed).run(values, arrays), by_hand.run(values, arrays))


def open_plainly(model: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model), options)


def largest_difference(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    largest = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, np.ndarray) and one.dtype.kind in "fiub":
            if not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
                largest = max(largest, float(np.nanmax(np.abs(one.astype(float) - other.astype(float)))) or np.inf)
        else:
            assert repr(one) == repr(other)
    return largest


def passes(path: Path) -> bool:
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception:  # the checker raises errors of several unrelated kinds
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=Path)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    rows, wrong = [], []
    for entry in read_manifest():
        try:
            outcome = survey(arguments.cache / f"{entry.id}.onnx", entry)
        except OnnxvizError as error:
            outcome = Outcome(0, 0, 0, 0, None, f"{type(error).__name__}: {error}")
        except AssertionError as error:
            wrong.append(f"{entry.id}: {error}")
            continue
        if bool(outcome.refusal) == entry.runs:
            wrong.append(f"{entry.id}: {outcome.refusal or 'was to be refused'}")
        rows.append(row(entry, outcome))
        print(rows[-1], flush=True)
    print(*wrong, sep="\n")
    print(f"{len(rows)} surveyed, {len(wrong)} wrong")
    if arguments.write:
        arguments.write.write_text(page(rows), encoding="utf-8")
    return 1 if wrong else 0


def row(entry: Entry, outcome: Outcome) -> str:
    found = outcome.refusal.replace("|", "/").replace("\n", " ")[:160]
    if not found:
        found = (
            "not compared: onnxruntime alone refuses it" if outcome.difference is None else f"{outcome.difference:g}"
        )
    cells = (entry.id, entry.producer, entry.licence, outcome.layers, outcome.exposed, outcome.drawn)
    return f"| {' | '.join(map(str, cells))} | {outcome.seconds:.2f} | {found} |"


def page(rows: Sequence[str]) -> str:
    return (
        "# The zoo\n\n"
        f"{len(rows)} models of public packages, listed, exposed, run and drawn by `make zoo`. The last column is the\n"
        "largest difference of the model's own outputs between the exposed and the original file, not optimised, or\n"
        "the error that refuses the model; the time is CPU seconds for all of it.\n\n"
        "| model | producer | licence | layers | exposed | maps drawn | s | difference or refusal |\n"
        "|---|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
