"""What `compare --impact` advises, against chance: which quantisers of an int8 model to leave in float.

    python benchmarks/impact.py --pictures FOLDER [--seed 0] MODEL.onnx...     a minute or two for each model

Each model is quantised by onnxruntime (QDQ, a scale for each channel), calibrated with eight pictures. Four more
choose the quantisers, eight others check them: the SQNR of the outputs before a last Softmax with 0, 5, 10 and 20 of
the costliest in float, and with as many drawn at random, the mean of ten draws.
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import tempfile
from pathlib import Path

from faults import EXACT, named, quantised

import onnxviz
from onnxviz.comparing.impact import SwitchedModel, logit_pairs, sqnr_with
from onnxviz.feed.feed import Feed

CALIBRATION, CHOOSE, CHECK, DRAWS = 8, 4, 8, 10


def score(source: Path, pictures: list[Path], folder: Path, seed: int) -> None:
    named(source, folder / "float.onnx")
    model = onnxviz.open(folder / "float.onnx")
    feeds = [dict(model.feed(path).arrays) for path in pictures[: CALIBRATION + CHOOSE + CHECK]]
    quantised(folder / "float.onnx", folder / "int8.onnx", feeds[:CALIBRATION])
    inputs = feeds[CALIBRATION:]
    found = onnxviz.compare(folder / "float.onnx", folder / "int8.onnx", inputs, run_a=EXACT, run_b=EXACT)
    impact = found.impact()
    assert (impact.choosers, impact.checked) == (CHOOSE, CHECK), impact
    switched = SwitchedModel(found.runs, logit_pairs(found.runs))
    checked: list[Feed] = []
    found.runs.inputs.each(checked.append)
    draw = random.Random(seed)
    print(f"{source.name}: {len(switched.switches)} quantisers")
    for count, chosen in impact.left_in_float:
        drawn = [draw.sample(range(len(switched.switches)), count) for _ in range(DRAWS if count else 1)]
        chance = [
            sqnr_with(switched, checked[CHOOSE:], [each for each in range(len(switched.switches)) if each not in left])
            for left in drawn
        ]
        print(f"  {count} in float: {chosen:.1f} dB, at random {statistics.mean(chance):.1f} dB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    pictures = sorted(arguments.pictures.iterdir())
    random.Random(arguments.seed).shuffle(pictures)
    for source in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            score(source, pictures, Path(folder), arguments.seed)


if __name__ == "__main__":
    main()
