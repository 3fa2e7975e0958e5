"""Code that lies in a source is not run: no marker file is written, whatever becomes of the conversion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from sys import executable

import pytest

SCRIPT = Path(__file__).resolve().parent / "payloads.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, in_tensorflow: Callable[..., str]) -> Path:
    made = tmp_path_factory.mktemp("payloads")
    in_tensorflow(SCRIPT, "build", made, made / "marker")
    return made


@pytest.fixture(scope="module")
def payloads(folder: Path) -> dict[str, dict[str, str]]:
    return {entry["name"]: entry for entry in json.loads((folder / "payloads.json").read_text("utf-8"))}


def test_the_payloads_are_live(
    folder: Path, payloads: dict[str, dict[str, str]], in_tensorflow: Callable[..., str]
) -> None:
    fired = json.loads(in_tensorflow(SCRIPT, "fire", folder, folder / "marker").splitlines()[-1])
    assert fired == [name for name, entry in payloads.items() if entry["fires"] != "never"]
    assert len(fired) >= 10


def test_no_payload_is_run(folder: Path, payloads: dict[str, dict[str, str]], tensorflow_python: str) -> None:
    fired = []
    for name, entry in payloads.items():
        target = folder / f"{name}.onnx"
        command = [executable, "-m", "onnxviz", "convert", folder / entry["source"], "-o", target]
        done = run([*map(str, command), "--python", tensorflow_python], capture_output=True, text=True)
        assert done.returncode == 3, f"{name}: {done.stderr}"
        assert "onnxviz convert --trust" in done.stderr, f"{name}: {done.stderr}"
        assert not target.exists(), name
        for made in folder.glob("marker*"):
            fired.append(name)
            made.rmdir() if made.is_dir() else made.unlink()
    assert fired == []
