"""Measures the conversion of Inception-v4, and the article's experiment in both its ways.

    python benchmarks/converting.py --python TENSORFLOW_PYTHON [--work DIR] [--rounds N]

TENSORFLOW_PYTHON has TensorFlow, tf2onnx and matplotlib (for the old way). Whole processes with their children, in
turn; CPU seconds and peak memory of the largest process, medians. About 10 minutes at 3 rounds, 2 GB of disk.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from run import Cost, measure

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "inception_v4"
MATRIX = str(ROOT / "models" / "connectome_aal2_80.csv")
ENDS = ["--inputs", "input:0", "--outputs", "InceptionV4/Logits/Predictions:0"]
LAYERS = "conv[0], join & depth=4, join & depth=21"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.work:
        arguments.work.mkdir(parents=True, exist_ok=True)
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    with tempfile.TemporaryDirectory(dir=arguments.work) as name:
        folder = Path(name)
        subprocess.run([arguments.python, str(EXAMPLE / "slim.py"), str(folder / "net.pb")], check=True)
        print(f"{platform.system()} {platform.machine()}; here {versions(sys.executable, 'onnxruntime', 'numpy')};")
        print(f"there {versions(arguments.python, 'tensorflow', 'tf2onnx', 'numpy', 'matplotlib')}\n")
        conversion(folder, arguments.python, arguments.rounds)
        experiment(folder, arguments.python, arguments.rounds)


def conversion(folder: Path, python: str, rounds: int) -> None:
    ours = [sys.executable, "-m", "onnxviz", "convert", "net.pb", *ENDS, "--python", python, "--force", "-q", "-o"]
    theirs = [
        python,
        "-m",
        "tf2onnx.convert",
        "--graphdef",
        "net.pb",
        *ENDS,
        "--opset",
        "17",
        "--output",
        "theirs.onnx",
    ]
    rows = {
        "tf2onnx's command (folded)": theirs,
        "`--fold --no-verify`": [*ours, "folded.onnx", "--fold", "--no-verify"],
        "every layer kept, `--no-verify`": [*ours, "kept.onnx", "--no-verify"],
        "every layer kept, verified": [*ours, "verified.onnx"],
    }
    table("convert Inception-v4", measure(rows, rounds, folder))
    for name in ("theirs", "folded", "kept"):
        print(f"{name}.onnx: {(folder / f'{name}.onnx').stat().st_size / 1e6:.1f} MB")


def experiment(folder: Path, python: str, rounds: int) -> None:
    feeding = ["--preset", "inception", "--resize", "squash", "--transform", "log"]
    view = [sys.executable, "-m", "onnxviz", "view", "kept.onnx", MATRIX, "--layers", LAYERS, *feeding, "-q"]
    rows = {
        "before.py: TensorFlow and matplotlib": [python, str(EXAMPLE / "before.py"), "net.pb", MATRIX, "before"],
        "`onnxviz view` of the converted model": [*view, "-o", "maps", "--force"],
    }
    table("32, 160 and 384 maps of the matrix", measure(rows, rounds, folder))


def table(work: str, costs: dict[str, Cost]) -> None:
    """Print a table whose first row is what the others are compared with."""
    first = next(iter(costs.values()))
    print(f"\n| {work} | CPU | peak memory | CPU, of the first row | memory |\n|---|---|---|---|---|")
    for name, cost in costs.items():
        shares = f"{cost.seconds / first.seconds:.2f} | {cost.mebibytes / first.mebibytes:.2f}"
        print(f"| {name} | {cost.seconds:.1f} s | {cost.mebibytes:.0f} MiB | {shares} |", flush=True)


def versions(python: str, *packages: str) -> str:
    script = (
        "import importlib.metadata as m, platform\n"
        f"print('Python', platform.python_version(), *(f', {{p}} {{m.version(p)}}' for p in {packages!r}), sep='')"
    )
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip().replace("Python", "Python ")


if __name__ == "__main__":
    main()
