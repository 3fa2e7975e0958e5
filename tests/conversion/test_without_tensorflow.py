"""onnxviz imports neither TensorFlow nor what comes with it, and its core needs none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BLOCKED = ("tensorflow", "tf2onnx", "tf_keras", "keras", "h5py")
START = f"""
import importlib, pkgutil, sys
for name in {BLOCKED!r}:
    sys.modules[name] = None  # as if it were not installed
"""


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START + script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_module_can_be_imported() -> None:
    done = run(
        "import onnxviz\n"
        "names = [found.name for found in pkgutil.walk_packages(onnxviz.__path__, 'onnxviz.')]\n"
        "for name in names:\n"
        "    if name != 'onnxviz.__main__': importlib.import_module(name)\n"
        "print(len(names))"
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 80


def test_commands_on_onnx_work(bundled_model: Path, cat: Path, tmp_path: Path) -> None:
    script = "from onnxviz.cli import main\nsys.argv = ['onnxviz', *sys.argv[1:]]\nmain()"
    assert run(script, "layers", bundled_model).returncode == 0
    done = run(script, "view", bundled_model, cat, "--layers", "conv[0]", "--no-html", "-o", tmp_path / "maps")
    assert done.returncode == 0, done.stderr


def test_a_source_says_what_is_missing(lite_file: Path, tmp_path: Path) -> None:
    # The child is a process of its own: -S and no packages make a Python that surely has no TensorFlow.
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o755)
    script = "from onnxviz.cli import main\nsys.argv = ['onnxviz', *sys.argv[1:]]\nmain()"
    done = run(script, "convert", lite_file, "--python", bare, "-o", tmp_path / "o.onnx")
    assert done.returncode == 5
    assert (
        "converting needs tensorflow" in done.stderr
        and "install it there: pip install tensorflow tf2onnx" in done.stderr
    )
    assert "ONNXVIZ_TF_PYTHON=PATH, or onnxviz convert --python PATH" in done.stderr
    assert done.stderr.count("\n") == 2
    assert not (tmp_path / "o.onnx").exists()
