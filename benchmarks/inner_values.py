"""Exposes all values inside a model's functions and bodies: how many, in which time, and how much the file grows.

python benchmarks/inner_values.py MODEL      a row of docs/benchmarks.md, such as of silero_vad of the zoo
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import onnxviz
from onnxviz.graph.cut import declare
from onnxviz.graph.expose import expose
from onnxviz.graph.lift import lift
from onnxviz.graph.obstacles import Wanted

ROUNDS = 7


def main() -> None:
    model = onnxviz.open(sys.argv[1])
    flat, types = model.unfolded, model.types
    every = [value for value in flat.addresses if value in flat.graph.producers]
    acts = list(dict.fromkeys(layer.act for layer in model.catalogue if layer.act in flat.addresses))
    for what, values in (("values", every), ("layers", acts)):
        seconds = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            exposed = expose(model.graph, values, types, unfolded=flat)
            seconds.append(time.process_time() - begun)
        infos = declare(flat.graph, values, types)
        begun = time.process_time()
        lift(model.graph, [Wanted(info, flat.addresses[info.name]) for info in infos])
        lifted = time.process_time() - begun
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "exposed.onnx"
            onnxviz.Model(model.file, exposed.graph).save(path)
            grown = path.stat().st_size - model.path.stat().st_size
        milliseconds = 1000 * statistics.median(seconds)
        print(
            f"| {len(values)} {what} inside | {milliseconds:.0f} ms | {1000 * lifted:.0f} ms | {grown / 1000:.1f} kB |"
        )


if __name__ == "__main__":
    main()
