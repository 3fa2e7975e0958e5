"""Make a report of the bundled model, and print some of its activations for the page to be compared with.

python real.py FOLDER [PICTURE ...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import onnxviz
from onnxviz.reporting.report import ReportOptions


def main(folder: Path, pictures: list[str]) -> None:
    model = onnxviz.open(onnxviz.bundled.classifier())
    feeds = {name: model.feed(onnxviz.bundled.picture(name)) for name in pictures}
    runs = {name: model.run(feed, layers=["conv", "pool", "probabilities"]) for name, feed in feeds.items()}
    options = ReportOptions(labels=onnxviz.bundled.labels(), force=True)
    onnxviz.report(runs, folder / "report.html", model=model, source=feeds, options=options)
    random = np.random.default_rng(0)
    truth = []
    for place, maps in enumerate(runs.values()):
        for name, activation in maps.items():
            array = activation.array[0]
            channels = array.reshape(len(array), -1)
            live = np.ptp(channels, axis=1) > 0
            # A dead channel, where there is one, and two others.
            chosen = [*np.flatnonzero(~live)[:1], *random.choice(len(array), 2)]
            for channel in chosen:
                position = [int(random.integers(size)) for size in array.shape[1:] if channels.shape[1] > 1]
                value = array[channel][tuple(position)] if position else channels[channel, 0]
                spread = float(np.ptp(channels[channel])) if position else 0.0
                truth.append([place, name, int(channel), position, float(value), spread])
    print(json.dumps(truth))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["cat"])
