"""Differentiates the models of zoo.json and holds each gradient against differences along it.

    gradients.py CACHE [--write FILE] [ID ...]

The target is the sum of a model's first float output, each value times a random number, with respect to its float
inputs. Along the gradient the target must rise by its length: by central differences in float32, the best of nine steps
within 2 %. A model without a gradient must be refused by a typed error that names the operator.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from survey import Entry, make_arrays, read_manifest

import onnxviz
from onnxviz.errors import OnnxvizError

TOLERANCE = 0.02
STEPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
CHECKED, FLAT, UNCHECKED, WRONG, REFUSED, NO_FLOAT, UNRUN, FAILED = (
    "checked", "zero", "too small for float32", "wrong", "refused", "no float input", "not run", "failed"
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What came of a model."""

    id: str
    verdict: str
    words: str = ""
    seconds: float = 0.0


def judge(path: Path, entry: Entry) -> Verdict:
    """Differentiate one model."""
    start = time.process_time()
    if not entry.runs:
        return Verdict(entry.id, UNRUN)
    try:
        model = onnxviz.open(path)
        arrays = make_arrays(model, entry)
        floats = [name for name, array in arrays.items() if np.asarray(array).dtype.kind == "f"]
        if not floats:
            return Verdict(entry.id, NO_FLOAT)
        gradient = model.gradient(target(model))
        verdict, words = held(gradient, arrays)
    except OnnxvizError as error:
        return Verdict(entry.id, REFUSED, " ".join(str(error).split()), time.process_time() - start)
    except Exception as error:
        return Verdict(entry.id, FAILED, f"{type(error).__name__}: {error}", time.process_time() - start)
    return Verdict(entry.id, verdict, words, time.process_time() - start)


def target(model: onnxviz.Model) -> str | None:
    """Return what stands before a Softmax or Sigmoid: where these are saturated, float32 has nothing left of a slope."""
    floats = [spec.name for spec in model.outputs if (spec.dtype or "").startswith("float")]
    maker = model.graph.producers.get(floats[0]) if floats else None
    return maker.inputs[0] if maker is not None and maker.operator in ("Softmax", "Sigmoid") else None


def held(gradient: Any, arrays: Mapping[str, Any]) -> tuple[str, str]:
    """Return whether a gradient is what differences along it say."""
    generator = np.random.default_rng(0)
    run = gradient.forward(arrays)
    seed = generator.standard_normal(run.target.shape).astype(np.float32)
    found = {name: array.astype(np.float64) for name, array in run.backward(seed).items()}
    length = float(np.sqrt(sum((array**2).sum() for array in found.values())))
    if not np.isfinite(length):
        return WRONG, f"the gradient is {length}"
    if length == 0:
        return FLAT, "the gradient is 0"
    size = max(float(np.abs(np.asarray(arrays[name], np.float64)).mean()) for name in found) or 1.0
    best, where = np.inf, 0.0
    for part in STEPS:
        # a step moves the numbers by this part of their size, in the mean
        step = part * size * np.sqrt(sum(array.size for array in found.values()))
        rise = value(gradient, arrays, found, step / length, seed) - value(
            gradient, arrays, found, -step / length, seed
        )
        off = abs(rise / (2 * step) - length) / length
        best, where = min((best, where), (off, part))
        if best < TOLERANCE / 4:
            break
    words = f"{len(found)} inputs, length {length:.3g}, off by {best:.2%} at a step of {where:g}"
    noise = float(np.abs(run.target.astype(np.float64) * seed).sum()) * 1e-7
    tiny = length * step_of(STEPS[0], size, found) < noise
    return (CHECKED if best < TOLERANCE else UNCHECKED if tiny else WRONG), words


def step_of(part: float, size: float, found: Mapping[str, Any]) -> float:
    return part * size * float(np.sqrt(sum(array.size for array in found.values())))


def value(gradient: Any, arrays: Mapping[str, Any], along: Mapping[str, Any], step: float, seed: Any) -> float:
    """Return the target of inputs moved along a gradient."""
    moved = {
        name: (np.asarray(array) + step * along[name]).astype(np.asarray(array).dtype) if name in along else array
        for name, array in arrays.items()
    }
    return float((gradient.forward(moved).target.astype(np.float64) * seed).sum())


def lines(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(each.verdict for each in verdicts)
    rows = [f"- {count} {verdict}" for verdict, count in counts.most_common()]
    table = ["| model | gradient | |", "|---|---|---|"]
    table += [f"| {each.id} | {each.verdict} | {each.words} |" for each in verdicts if each.verdict != NO_FLOAT]
    return "\n".join([*rows, "", *table])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=Path)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    verdicts = []
    for entry in read_manifest():
        if arguments.ids and entry.id not in arguments.ids:
            continue
        verdict = judge(arguments.cache / f"{entry.id}.onnx", entry)
        print(f"{verdict.verdict:12} {verdict.seconds:6.1f} s  {entry.id}: {verdict.words}"[:300], flush=True)
        verdicts.append(verdict)
    found = lines(verdicts)
    print(found.split("\n\n")[0])
    if arguments.write:
        arguments.write.write_text(found + "\n", encoding="utf-8")
    return int(any(each.verdict in (WRONG, FAILED) for each in verdicts))


if __name__ == "__main__":
    sys.exit(main())
