"""Measures the figures of `mine` and `extract` in docs/benchmarks.md on the pictures of mining_pictures.py.

    python benchmarks/mining.py FOLDER [--pictures N] [--many N]

FOLDER holds the pictures in folders, one a class. Runs are compared in turn in one process, whole passes in processes
of their own; CPU time, medians. `--many 100000` lists the pictures so often that there are so many, to see memory stay
flat.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

import onnxviz
from onnxviz import FeedOptions
from onnxviz.extraction.extract_options import ExtractOptions
from onnxviz.feed.make import FeedMaker
from onnxviz.feed.preprocessing import model_preprocessing
from onnxviz.mining.mine_options import MineOptions
from onnxviz.mining.mining_job import fill
from onnxviz.mining.state import Rows, state_of
from onnxviz.mining.survey import survey
from onnxviz.results.observer import Observer
from onnxviz.runtime.executor import Piece
from onnxviz.sweeping.dataset import find_dataset
from onnxviz.sweeping.model_run import item_of

MODEL = onnxviz.bundled.classifier()
ROUNDS, RUNS = 9, 8


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=768)
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--child")
    arguments = parser.parse_args()
    if arguments.child:
        PASSES[arguments.child](arguments.folder)
        print(json.dumps({"peak": peak()}), flush=True)
        return
    print(f"onnxruntime {onnxruntime.__version__}, {os.cpu_count()} cores")
    runs(arguments.folder)
    with tempfile.TemporaryDirectory() as name:
        feeds(Path(name))
        passes(chosen(arguments.folder, arguments.pictures, Path(name)))
        if arguments.many:
            many(arguments.folder, arguments.many, Path(name))


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the median CPU milliseconds of each way, taken in turn."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            for _ in range(RUNS):
                way()
            if turn:
                found[name].append((time.process_time() - start) / RUNS * 1e3)
    return {name: statistics.median(times) for name, times in found.items()}


def runs(folder: Path) -> None:
    """One run with reductions in the graph, against the plain forward pass and against maps fetched and reduced."""
    model = onnxviz.open(MODEL)
    dataset = find_dataset([str(folder)])
    found = survey(model, dataset, MineOptions(layers="conv"), Observer())
    fed = model.feed(item_of(dataset.sources[0])).arrays
    options = replace(found.job.run.run)

    def opened(piece: Piece) -> Callable[[], list[np.ndarray]]:
        executor = model.inference.executor(options, keep=True)
        executor.prepare(piece)
        return lambda: [array for _, array in executor.run([piece], fed)]

    plain = opened(model.inference.whole([spec.name for spec in model.outputs]).pieces[0])
    maps = opened(model.inference.whole([layer.choice.value for layer in found.reduced.layers]).pieces[0])
    ours = opened(found.job.run.piece)

    def by_numpy() -> None:
        for array in maps():
            flat = array.reshape(*array.shape[:2], -1)
            np.take_along_axis(flat, flat.argmax(axis=2)[..., None], axis=2)
            flat.mean(axis=2)

    times = in_turn({"plain": plain, "maps": maps, "by numpy": by_numpy, "ours": ours})
    leaves = sum(array.nbytes for array in ours()), sum(array.nbytes for array in maps())
    print("one picture, all 49 conv layers:", {name: f"{ms:.1f} ms" for name, ms in times.items()})
    print(
        f"  ours / plain {times['ours'] / times['plain']:.2f}x, "
        f"by numpy / ours {times['by numpy'] / times['ours']:.2f}x"
    )
    print(f"  leaves onnxruntime: {leaves[0] / 1e6:.2f} MB for {leaves[1] / 1e6:.1f} MB")
    rows, job = Rows.of_size(256, found.job.channels), found.job
    arrays = dict(zip(job.run.piece.outputs, ours(), strict=True))
    for number in range(256):
        for layer in job.layers:
            fill(rows, slice(number, number + 1), layer, arrays)
    rows.greatest[:] += np.random.default_rng(0).standard_normal(rows.greatest.shape).astype(np.float32)
    start = time.process_time()
    for layer in job.layers:
        ceiling = np.full(layer.channels, layer.ceiling, np.float32)
        state_of(rows.part(256, layer.part), np.arange(256), np.zeros(256, int), ceiling, (9, 32))
    print(f"  state of {job.channels:,} channels: {(time.process_time() - start) / 256 * 1e3:.2f} ms a picture")


def feeds(into: Path) -> None:
    """One picture from its file to the array that is fed, against Pillow's own decoding and resizing."""
    model = onnxviz.open(MODEL)
    preprocessing = model_preprocessing(model.metadata)
    for width, height in ((224, 224), (500, 375), (4000, 3000)):
        path = into / f"{width}.jpg"
        Image.open(onnxviz.bundled.picture("cat")).resize((width, height)).save(path, quality=90)

        def by_pillow(path: Path = path) -> np.ndarray:
            with Image.open(path) as image:
                fit = preprocessing.place((image.height, image.width), (224, 224))
                drawn = np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC, fit.box))
            return np.multiply(drawn.transpose(2, 0, 1), np.float32(1 / 128), dtype=np.float32) - np.float32(127 / 128)

        whole, small = (FeedMaker(model.inputs, FeedOptions(draft=draft), model.metadata) for draft in (False, True))
        times = in_turn(
            {
                "Pillow": by_pillow,
                "feed": lambda path=path, maker=whole: maker.arrays(path),
                "--draft": lambda path=path, maker=small: maker.arrays(path),
            }
        )
        print(f"{width}x{height}:", {name: f"{ms:.2f} ms" for name, ms in times.items()})


def chosen(folder: Path, count: int, into: Path) -> Path:
    """Return a folder of links to so many pictures, taken evenly."""
    sources = find_dataset([str(folder)]).sources
    for number in range(count):
        source = Path(sources[number * len(sources) // count]).resolve()
        link = into / "pictures" / source.parent.name / f"{number:05}{source.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
    return into / "pictures"


def mined(folder: Path, workers: int) -> None:
    from onnxviz.mining import mine as mining

    target = Path(tempfile.mkdtemp()) / "units"
    draw = mining.draw_sheets

    def measured(*given: object) -> object:
        print(json.dumps({"pass": time.process_time(), "peak before sheets": peak()}), flush=True)
        return draw(*given)

    mining.draw_sheets = measured
    onnxviz.mine(MODEL, folder, target, MineOptions(layers="conv", workers=workers))
    size = sum(path.stat().st_size for path in (target / "sheets").iterdir())
    print(json.dumps({"sheets_mb": size / 1e6}), flush=True)
    shutil.rmtree(target.parent)


def plain_pass(folder: Path) -> None:
    model = onnxviz.open(MODEL)
    with model.session("probabilities", run=onnxviz.RunOptions(threads=1)) as session:
        for source in find_dataset([str(folder)]).sources:
            session.run(source)


def extracted(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as target:
        options = ExtractOptions(layers="conv", pool="mean", classes="none")
        onnxviz.extract(MODEL, folder, Path(target) / "features", options)


PASSES: Mapping[str, Callable[[Path], None]] = {
    "mine": lambda folder: mined(folder, 1),
    "two": lambda folder: mined(folder, 2),
    "plain": plain_pass,
    "extract": extracted,
}


def peak() -> float:
    """Return the most MiB that this process held; what getrusage says of it begins with what its parent held."""
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) / 1024


def child(name: str, folder: Path) -> tuple[float, float, float, list[dict[str, float]]]:
    """Run a pass in a process of its own; return CPU and wall seconds, peak MiB, and what it said."""
    command = [sys.executable, __file__, str(folder), "--child", name]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = [json.loads(line) for line in process.stdout.read().splitlines()]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} failed")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start, said.pop()["peak"], said


def passes(folder: Path) -> None:
    count = len(find_dataset([str(folder)]))
    for name in ("plain", "mine", "two", "extract"):
        cpu, wall, memory, said = child(name, folder)
        facts = {key: round(value, 1) for each in said for key, value in each.items()}
        print(f"{count} pictures, {name}: {cpu / count * 1e3:.1f} ms CPU each, {wall:.0f} s, {memory:.0f} MiB {facts}")


def many(folder: Path, count: int, into: Path) -> None:
    """Mine the same pictures under so many names, without sheets, and say the peak of memory."""
    sources = find_dataset([str(folder)]).sources
    for number in range(count):
        link = into / "many" / f"{number // 1000:04}" / f"{number:07}.jpg"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(sources[number % len(sources)]).resolve())
    cpu, wall, memory, said = child("mine", into / "many")
    print(f"{count:,} listed pictures: {cpu:.0f} s CPU, {wall:.0f} s, peak {memory:.0f} MiB, before sheets {said[0]}")


if __name__ == "__main__":
    main()
