"""Differentiates the models of zoo.json and holds each gradient against differences along it.

    gradients.py CACHE [--write FILE] [ID ...]

The target is the sum of a model's first float output, each value times a random number, with respect to its float
inputs. Along the gradient the target must rise by its length: by central differences in float32, the best of thirteen
steps within 2 %. A model without a gradient must be refused by a typed error that names the operator.
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
STEPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7)
ROUGH = 0.1
CHECKED, ROUGHLY, FLAT, UNCHECKED, WRONG = "checked", "checked within 10 %", "zero", "too small for float32", "wrong"
THROUGH = "straight through: what is rounded has no differences to hold it against"
REFUSED, NO_FLOAT, UNRUN, FAILED = "refused", "no float input", "not run", "failed"


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
        rounds = any(node.op in ("QuantizeLinear", "DynamicQuantizeLinear") for node in model.unfolded.graph.nodes)
        verdict = THROUGH if rounds and verdict in (WRONG, UNCHECKED) else verdict
    except OnnxvizError as error:
        return Verdict(entry.id, REFUSED, " ".join(str(error).split()), time.process_time() - start)
    except Exception as error:
        return Verdict(entry.id, FAILED, f"{type(error).__name__}: {error}", time.process_time() - start)
    return Verdict(entry.id, verdict, words, time.process_time() - start)


def target(model: onnxviz.Model) -> str | None:
    """Return what stands before a Softmax or Sigmoid: saturated, they leave float32 nothing of a slope."""
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
    if best < ROUGH:
        return (CHECKED if best < TOLERANCE else ROUGHLY), words
    return (UNCHECKED if tiny else WRONG), words


def step_of(part: float, size: float, found: Mapping[str, Any]) -> float:
    return part * size * float(np.sqrt(sum(array.size for array in found.values())))


def value(gradient: Any, arrays: Mapping[str, Any], along: Mapping[str, Any], step: float, seed: Any) -> float:
    """Return the target of inputs moved along a gradient, NaN where it has other sizes there."""
    moved = {
        name: (np.asarray(array) + step * along[name]).astype(np.asarray(array).dtype) if name in along else array
        for name, array in arrays.items()
    }
    target = gradient.forward(moved).target
    if target.shape != seed.shape:
        return float("nan")  # a Loop took another number of steps: there is no difference from that
    return float((target.astype(np.float64) * seed).sum())


def page(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(each.verdict for each in verdicts)
    floats = [each for each in verdicts if each.verdict not in (NO_FLOAT, UNRUN)]
    return (
        "# Gradients of the zoo\n\n"
        f"{len(floats)} models of the zoo that run and have a float input, differentiated by `make gradients`: the\n"
        "first float output, before its Softmax or Sigmoid if it has one, times random numbers, with respect to all\n"
        "float inputs. Along the gradient the target rises by its length, by central differences in float32, the best\n"
        f"of {len(STEPS)} steps within {TOLERANCE:.0%}. This would pass a small error; "
        "[the tests of nodes](gradient_nodes.md) are stricter.\n\n"
        "| outcome | models |\n|---|---|\n"
        + "".join(f"| {verdict} | {count} |\n" for verdict, count in counts.most_common())
        + "\n| model | outcome | |\n|---|---|---|\n"
        + "".join(f"| {each.id} | {each.verdict} | {each.words.replace('|', '/')} |\n" for each in floats)
    )


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
    print(*Counter(each.verdict for each in verdicts).items())
    if arguments.write:
        arguments.write.write_text(page(verdicts), encoding="utf-8")
    return int(any(each.verdict in (WRONG, FAILED) for each in verdicts))


if __name__ == "__main__":
    sys.exit(main())
