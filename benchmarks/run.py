"""Measures the figures of docs/benchmarks.md: whole processes, in turn, CPU time and peak memory.

    python benchmarks/run.py [--work DIR] [--rounds N]     about 15 minutes, 6 GB of disk; matplotlib, scikit-image

Each row compares ours with the usual way in one run; the numbers are medians. Ratios are what counts.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent

# Modules are compiled once, as where they are installed, not at every start.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

USUAL = [sys.executable, str(HERE / "usual_way.py")]
OURS = [sys.executable, "-m", "onnxviz"]


@dataclass(frozen=True)
class Cost:
    seconds: float
    mebibytes: float


def measure(commands: dict[str, list[str]], rounds: int, folder: Path) -> dict[str, Cost]:
    """Run the commands in turn, so many rounds, and return each one's median CPU time and peak memory."""
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(once(command, folder))
    return {
        name: Cost(statistics.median(c.seconds for c in costs), statistics.median(c.mebibytes for c in costs))
        for name, costs in found.items()
    }


def make(folder: Path, maker: str, name: str, *numbers: int) -> None:
    """Make a model in a process of its own: a child's peak memory begins with that of the process it came from."""
    script = f"import models, pathlib; models.{maker}(pathlib.Path({str(folder / name)!r}), *{numbers})"
    subprocess.run([sys.executable, "-c", script], cwd=HERE, check=True)


def once(command: list[str], folder: Path) -> Cost:
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors.decode()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--detector", type=Path, help="ch_PP-OCRv4_det_infer.onnx of the zoo")
    arguments = parser.parse_args()
    if arguments.work:
        arguments.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.work) as name:
        rows(Path(name), arguments.rounds, arguments.detector and arguments.detector.resolve())


def rows(folder: Path, rounds: int, detector: Path | None) -> None:
    # An input of 8x8 leaves little to compute, so reading, rewriting and opening show; 32x32 stands beside it.
    make(folder, "residual_stack", "big.onnx", 552, 50, 8)
    packages = ", ".join(f"{name} {version(name)}" for name in ("onnx", "onnxruntime", "numpy", "pillow"))
    print(f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {packages}\n")
    print("| work | ours | usual | careful | ratio |")
    print("|---|---|---|---|---|")
    row(
        "list all layers with shapes, 1.1 GB",
        measure({"ours": [*OURS, "layers", "big.onnx"], "usual": [*USUAL, "list_all", "big.onnx"]}, rounds, folder),
    )
    row(
        "expose, standalone (usual: cp)",
        measure(
            {
                "ours": [*OURS, "expose", "big.onnx", "--layers", "conv[:4]", "-o", "s.onnx", "--force", "-q"],
                "usual": ["cp", "big.onnx", "copy.onnx"],
                "careful": [sys.executable, "-c", "import onnx, numpy, typer"],
            },
            rounds,
            folder,
        ),
    )
    row(
        "expose, linked (usual: load, append, save)",
        measure(
            {
                "ours": [
                    *OURS,
                    "expose",
                    "big.onnx",
                    "--layers",
                    "conv[:4]",
                    "--linked",
                    "-o",
                    "l.onnx",
                    "--force",
                    "-q",
                ],
                "usual": [*USUAL, "expose_and_save", "big.onnx", "u.onnx"],
            },
            rounds,
            folder,
        ),
    )
    run_one = "import numpy, onnxviz; onnxviz.open('big.onnx').run(numpy.ones((1,3,8,8),'float32'), layers='conv[0]')"
    row(
        "first conv run, fresh process",
        measure(
            {
                "ours": [sys.executable, "-c", run_one],
                "usual": [*USUAL, "run_usual", "big.onnx", "1"],
                "careful": [*USUAL, "run_careful", "big.onnx", "1", "c.onnx"],
            },
            rounds,
            folder,
        ),
    )
    all_fetched(folder, "big.onnx", 8, rounds)
    make(folder, "residual_stack", "big.onnx", 552, 50, 32)
    all_fetched(folder, "big.onnx", 32, rounds)
    large_file(folder)
    steps(folder, rounds)
    many_calls(folder, rounds)
    bundled_view(folder, rounds)
    words(folder, rounds)
    health(folder, rounds)
    page(folder, rounds)
    figure(folder, rounds)
    made_picture(folder, rounds)
    if detector is not None:
        detector_maps(folder, detector, rounds)
    for channels, side in ((32, 149), (160, 73), (384, 35)):
        maps(folder, channels, side, rounds)
    row(
        "`--help` (usual: import typer)",
        measure({"ours": [*OURS, "--help"], "usual": [sys.executable, "-c", "import typer"]}, 3 * rounds, folder),
    )


def steps(folder: Path, rounds: int) -> None:
    """A value inside a Loop: 16 of its 1,000 steps, all of them as a scan output, and the output alone."""
    make(folder, "long_loop", "loop.onnx")
    ours = (
        "import numpy, onnxviz\n"
        "fed = {{'x': numpy.ones((1, 16, 128, 128), 'float32'), 'n': numpy.int64(1000)}}\n"
        "onnxviz.open('loop.onnx').run(fed, layers='{}')"
    )
    commands = {
        "ours": [sys.executable, "-c", ours.format('"y/body/t"')],
        "usual": [*USUAL, "scan_output", "loop.onnx"],
        "careful": [sys.executable, "-c", ours.format("y")],
    }
    row(
        "16 of 1,000 steps of a Loop over 1 MiB (usual: all; careful: the output alone)",
        measure(commands, rounds, folder),
    )


def all_fetched(folder: Path, model: str, side: int, rounds: int) -> None:
    ours = (
        f"import numpy, onnxviz; ones = numpy.ones((1,3,{side},{side}),'float32')\n"
        f"for _ in onnxviz.open({model!r}).stream(ones, layers='conv,pool', tap='op'): pass"
    )
    careful = [*USUAL, "run_careful", model, "0", "c.onnx"]
    cost = measure({"ours": [sys.executable, "-c", ours], "careful": careful}, rounds, folder)
    row(f"all conv and pool values fetched, {side}x{side}", cost)


def large_file(folder: Path) -> None:
    """A single file above 2 GB, which neither onnx nor onnxruntime can parse."""
    make(folder, "one_large_file", "large.onnx")
    np.save(folder / "ones.npy", np.ones((1, 3, 32, 32), np.float32))
    listed = once([*OURS, "layers", "large.onnx"], folder)
    row("2.5 GB single file: list", {"ours": listed})
    viewed = [*OURS, "view", "large.onnx", "ones.npy", "--layers", "conv[0]", "-o", "large"]
    row("2.5 GB single file: view first conv", {"ours": once(viewed, folder)})
    (folder / "large.onnx").unlink()


def many_calls(folder: Path, rounds: int) -> None:
    """10,000 nodes in 2,000 calls of a function, and the same nodes without it."""
    make(folder, "calls", "calls.onnx", 2000)
    listing = "import onnxviz; onnxviz.open({!r}).catalogue"
    commands = {
        name: [sys.executable, "-c", listing.format(model)]
        for name, model in (("ours", "calls.onnx"), ("usual", "plain.onnx"))
    }
    row(
        "10,000 nodes in 2,000 calls of a function: list (usual: ours of the same nodes without functions)",
        measure({**commands, "careful": [sys.executable, "-c", "import onnx, numpy"]}, rounds, folder),
    )


def bundled_view(folder: Path, rounds: int) -> None:
    models = HERE.parent / "models"
    model, cat = str(models / "efficientnet_lite0_int8.onnx"), str(models / "pictures" / "cat.jpg")
    once([*OURS, "expose", model, "--only", "-o", "cut.onnx", "--force"], folder)
    ours = [*OURS, "view", model, cat, "-o", "maps", "-q", "--no-html"]
    bare = [*USUAL, "bare_view", "cut.onnx", cat, "bare"]
    row("view of all conv and pool layers (usual: tiles only)", measure({"ours": ours, "usual": bare}, rounds, folder))


def words(folder: Path, rounds: int) -> None:
    """Compare what words, bars and legends cost with what encoding costs: the view with each of them left out."""
    parts = {part: [sys.executable, str(HERE / "parts.py"), part, "parts"] for part in ("nothing", "words", "encoding")}
    cost = measure(parts, 2 * rounds, folder)
    drawn, encoded = (
        Cost(cost["nothing"].seconds - cost[part].seconds, cost["nothing"].mebibytes) for part in ("words", "encoding")
    )
    row("of these: words, bars and legends (usual: encoding)", {"ours": drawn, "usual": encoded})


def health(folder: Path, rounds: int) -> None:
    """Measure what counting NaN, inf, dead and saturated costs: of eleven runs in a process, ten with the counts."""
    ours = (
        "import onnxviz\n"
        "model = onnxviz.open(onnxviz.bundled.classifier())\n"
        "feed = model.feed(onnxviz.bundled.picture('cat'))\n"
        "for _ in range({}):\n"
        "  for maps in model.run(feed, layers='conv,pool').values(): {}"
    )
    commands = {
        name: [sys.executable, "-c", ours.format(count, done)]
        for name, count, done in (("start", 1, "maps.health"), ("ours", 11, "maps.health"), ("runs", 11, "maps"))
    }
    cost = measure(commands, 2 * rounds, folder)
    counted, plain = (
        Cost(seconds / 10, cost[name].mebibytes)
        for name, seconds in (
            ("ours", cost["ours"].seconds - cost["runs"].seconds),
            ("runs", cost["runs"].seconds - cost["start"].seconds),
        )
    )
    row("health of all conv and pool layers, beyond the run (usual: the run)", {"ours": counted, "usual": plain})


def page(folder: Path, rounds: int) -> None:
    """Measure the page to explore alone: of eleven written in a process, the cost of ten."""
    ours = (
        "import onnxviz\n"
        "model, cat = onnxviz.open(onnxviz.bundled.classifier()), onnxviz.bundled.picture('cat')\n"
        "feed = model.feed(cat)\n"
        "maps = model.run(feed, layers='conv,pool')\n"
        "for _ in range({}):\n"
        "  options = onnxviz.ReportOptions(force=True)\n"
        "  onnxviz.report(maps, 'page.html', model=model, source=feed, options=options)"
    )
    cost = measure({name: [sys.executable, "-c", ours.format(name)] for name in ("1", "11")}, rounds, folder)
    size = (folder / "page.html").stat().st_size / 1e6
    each = Cost((cost["11"].seconds - cost["1"].seconds) / 10, cost["11"].mebibytes)
    row(f"page of all conv and pool layers of the bundled model, {size:.2f} MB", {"ours": each})


def figure(folder: Path, rounds: int) -> None:
    """Measure a figure for print of three inputs and four layers, beyond the runs that it needs."""
    models = HERE.parent / "models"
    pictures = [str(models / "pictures" / f"{name}.jpg") for name in ("cat", "coffee", "rocket")]
    layers = "conv[0],stage2/block1/expand,stage4/block1/expand,head/conv"
    runs = (
        "import onnxviz\n"
        f"with onnxviz.open(onnxviz.bundled.classifier()).session({layers!r}) as session:\n"
        f"  for picture in {pictures}: session.run(picture)"
    )
    ours = [*OURS, "figure", str(models / "efficientnet_lite0_int8.onnx"), *pictures, "--layers", layers, "-q"]
    commands = {"ours": [*ours, "-o", "figure.pdf", "--force"], "runs": [sys.executable, "-c", runs]}
    cost = measure(commands, rounds, folder)
    size = (folder / "figure.pdf").stat().st_size / 1e6
    beyond = Cost(cost["ours"].seconds - cost["runs"].seconds, cost["ours"].mebibytes)
    row(f"figure of 3 inputs, 4 layers, 16 channels as PDF, {size:.2f} MB, beyond the runs", {"ours": beyond})


def made_picture(folder: Path, rounds: int) -> None:
    """Compare a picture made for one unit with as many runs forward and back as it takes."""
    unit, value = "stage4/block3/expand#134", "stage4/block3/expand"
    runs = (
        "import numpy, onnxviz\n"
        "from onnxviz.inference.model_gradient import ModelGradient\n"
        "from onnxviz.maximising.picture_feed import PictureFeed\n"
        "model = onnxviz.open(onnxviz.bundled.classifier())\n"
        "feed = PictureFeed(model, (160, 160), onnxviz.FeedOptions())\n"
        f"value = model.layers[{value!r}].output\n"
        "options = onnxviz.RunOptions(many=True, threads=1)\n"
        "gradient = ModelGradient(feed.model.inference, value, (feed.input,), options)\n"
        "grey = feed.of(numpy.full((160, 160, 3), 0.5))\n"
        "for _ in range(160): gradient.forward(grey).backward()"
    )
    model = str(HERE.parent / "models" / "efficientnet_lite0_int8.onnx")
    ours = [*OURS, "maximise", model, "--unit", unit, "-o", "made.png", "--force", "-q"]
    commands = {"ours": ours, "usual": [sys.executable, "-c", runs]}
    row("a picture made for one unit (usual: 160 runs forward and back)", measure(commands, rounds, folder))


def detector_maps(folder: Path, detector: Path, rounds: int) -> None:
    np.save(folder / "picture.npy", np.random.default_rng(0).standard_normal((1, 3, 640, 640)).astype(np.float32))
    ours = [*OURS, "view", str(detector), "picture.npy", "--layers", "all", "-o", "det", "-q", "--no-html"]
    commands = {"ours": [*ours, "--memory", "32MiB"], "usual": [*ours, "--memory", "100GiB"]}
    row("all layers of a 640x640 detector drawn (usual: in one run)", measure(commands, rounds, folder))


def maps(folder: Path, channels: int, side: int, rounds: int) -> None:
    """Compare drawing alone: the cost of an empty process with the same imports is taken away on both sides."""
    np.save(folder / "maps.npy", np.random.default_rng(0).standard_normal((channels, side, side)).astype(np.float32))
    ours = (
        "import numpy; from pathlib import Path; from onnxviz.draw.kinds import draw_maps; "
        "from onnxviz.draw.encode import save; from onnxviz.draw.style import Caption, Style\n"
        "a = numpy.load('maps.npy')\n"
        "for _ in range({}):\n"
        "  for page, d in enumerate(draw_maps(a, 'CHW', Caption('maps'), Style(tile={side}))):\n"
        "    save(d.image, Path(f'm{{page}}.png'), enlarged=d.enlarged, small=False, text=d.text)"
    )
    empty = "import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot, numpy"
    cost = measure(
        {
            "ours": [sys.executable, "-c", ours.format(21, side=side)],
            "start": [sys.executable, "-c", ours.format(1, side=side)],
            "usual": [*USUAL, "one_axes_a_channel", "maps.npy", "u.png"],
            "empty": [sys.executable, "-c", empty],
            "skimage": [*USUAL, "skimage_montage", "maps.npy", "s.png", "21"],
            "skimage start": [*USUAL, "skimage_montage", "maps.npy", "s.png", "1"],
        },
        rounds,
        folder,
    )
    drawn = Cost((cost["ours"].seconds - cost["start"].seconds) / 20, cost["ours"].mebibytes)
    usual = Cost(cost["usual"].seconds - cost["empty"].seconds, cost["usual"].mebibytes)
    careful = Cost((cost["skimage"].seconds - cost["skimage start"].seconds) / 20, cost["skimage"].mebibytes)
    row(
        f"{channels} maps of {side}x{side} to PNG, with text (usual: one axes a channel; careful: skimage's montage)",
        {"ours": drawn, "usual": usual, "careful": careful},
    )


def row(work: str, costs: dict[str, Cost]) -> None:
    def cell(name: str) -> str:
        cost = costs.get(name)
        return "" if cost is None else f"{cost.seconds:.3f} s, {cost.mebibytes:.0f} MiB"

    ratios = [f"{costs[name].seconds / costs['ours'].seconds:.1f}x" for name in ("usual", "careful") if name in costs]
    print(f"| {work} | {cell('ours')} | {cell('usual')} | {cell('careful')} | {', '.join(ratios)} |", flush=True)


if __name__ == "__main__":
    main()
