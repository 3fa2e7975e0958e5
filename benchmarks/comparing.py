"""Measures `compare` beside onnxruntime's qdq_loss_debug, whole processes in turn, for docs/benchmarks.md.

    python benchmarks/comparing.py [--work DIR] [--rounds N]     about three minutes

Float against QDQ: a U-Net at 768x768, and the bundled classifier on one input and on eight. Ours draws and writes
nothing; the usual way is what `qdq_loss_debug` documents: all values of both models made outputs, collected, matched by
name and compared. It has the errors that layers inherit, and of each quantiser the error of that alone; ours has the
former, the error of each layer on A's values, and the worst channels.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from PIL import Image
from quantised import PICTURES, Pictures, in_floats
from run import HERE, OURS, make, measure

import onnxviz

SIDE = 768


class Arrays(CalibrationDataReader):
    """Feeds one array to the quantiser."""

    def __init__(self, array: np.ndarray) -> None:
        self._left = [{"x": array}]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self._left.pop() if self._left else None


def smooth_noise(side: int) -> np.ndarray:
    """Return an input (1, 3, side, side) float32 whose neighbours are alike, as a picture's are."""
    coarse = np.random.default_rng(0).standard_normal((3, side // 16, side // 16)).astype(np.float32)
    return np.stack(
        [np.asarray(Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC)) for each in coarse]
    )[None]


def make_u_net(folder: Path) -> None:
    make(folder, "u_net", "unet.onnx", SIDE)
    array = smooth_noise(SIDE)
    np.save(folder / "unet0.npy", array)
    quantize_static(
        folder / "unet.onnx", folder / "unet-qdq.onnx", Arrays(array),
        quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
    )  # fmt: skip


def make_classifier(folder: Path) -> None:
    in_floats(folder / "classifier.onnx")
    model = onnxviz.open(folder / "classifier.onnx")
    for number in range(8):
        array = model.feed(PICTURES[number % len(PICTURES)]).arrays["image"]
        np.save(folder / f"classifier{number}.npy", array if number < len(PICTURES) else array[..., ::-1])
    quantize_static(
        folder / "classifier.onnx", folder / "classifier-qdq.onnx", Pictures(model),
        quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--make", type=Path, help="only write the models into this folder")
    arguments = parser.parse_args()
    if arguments.make:
        make_u_net(arguments.make)
        make_classifier(arguments.make)
        return
    with tempfile.TemporaryDirectory(dir=arguments.work) as name:
        folder = Path(name)
        # In a process of its own: a child's peak memory begins with that of the process it came from.
        subprocess.run([sys.executable, __file__, "--make", name], check=True, stderr=subprocess.DEVNULL)
        for net, count in (("unet", 1), ("classifier", 1), ("classifier", 8)):
            files = [f"{net}.onnx", f"{net}-qdq.onnx", *(f"{net}{number}.npy" for number in range(count))]
            compare = [*OURS, "compare", *files, "--json"]
            costs = measure(
                {
                    "ours": compare,
                    "ours, no own errors": [*compare, "--no-own"],
                    "usual": [sys.executable, str(HERE / "usual_way.py"), "differ", *files],
                },
                arguments.rounds,
                folder,
            )
            for what, cost in costs.items():
                print(f"| {net}, {count} | {what} | {cost.seconds:.2f} s | {cost.mebibytes:.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
