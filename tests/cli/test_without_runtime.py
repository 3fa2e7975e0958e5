"""Listing and exposing need no runtime; running without one says how to get it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
sys.modules["onnxruntime"] = None  # as if it were not installed
from onnxviz.cli import main
sys.argv = ["onnxviz", *sys.argv[1:]]
main()
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_layers_and_expose_work(bundled_model: Path, tmp_path: Path) -> None:
    assert run("layers", bundled_model).returncode == 0
    assert run("expose", bundled_model, "--layers", "pool", "-o", tmp_path / "out.onnx").returncode == 0
    assert (tmp_path / "out.onnx").stat().st_size > 4_000_000


def test_view_says_how_to_get_one(bundled_model: Path, cat: Path, tmp_path: Path) -> None:
    done = run("view", bundled_model, cat, "-o", tmp_path / "maps")
    assert done.returncode == 5
    assert "pip install 'onnxviz[cpu]'" in done.stderr
    assert not (tmp_path / "maps").exists()


def test_devices_says_so_too() -> None:
    assert run("devices").returncode == 5
