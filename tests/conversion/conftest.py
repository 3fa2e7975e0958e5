"""Where the tests of conversions find TensorFlow, and a stand-in for the Python that has it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Scripts for the Python that has TensorFlow; doctest would import them here.
collect_ignore = [
    "applications.py",
    "article.py",
    "axes_nets.py",
    "graph_nets.py",
    "hard_nets.py",
    "keras_nets.py",
    "keras_version.py",
    "lite_nets.py",
    "live_nets.py",
    "nets.py",
    "child/operators.py",
    "payloads.py",
]


@pytest.fixture(scope="session")
def tensorflow_python() -> str:
    """The Python that has TensorFlow: `ONNXVIZ_TF_PYTHON`, else this one, else the test is skipped."""
    named = os.environ.get("ONNXVIZ_TF_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("no TensorFlow here; ONNXVIZ_TF_PYTHON may name a Python that has it")
    return sys.executable


@pytest.fixture(scope="session")
def in_tensorflow(tensorflow_python: str) -> Callable[..., str]:
    """Run a script by the Python that has TensorFlow and return what it prints."""

    def run(script: str | Path, *arguments: str | Path) -> str:
        # What was meant for this Python's imports would mislead another.
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        command = [tensorflow_python, str(script), *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@dataclass(frozen=True)
class StandIn:
    """A program in the place of the Python that has TensorFlow: it keeps its requests, and runs given lines of Python.

    The lines can use `request` (a mapping), `report` (writes facts where the parent reads them), `model`
    (the path of an ONNX model) and `good` (writes that model and says that all is done, with further facts).
    """

    program: Path
    asked: Path
    versions: Path

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that it got so far."""
        lines = self.asked.read_text("utf-8").splitlines() if self.asked.exists() else []
        return [json.loads(line) for line in lines]


_STAND_IN = """#!{python}
import json, os, shutil, signal, sys, time
if sys.argv[1] == "-c":
    print(open({versions!r}).read())
    sys.exit()
model = {model!r}
with open(sys.argv[2]) as file:
    request = json.load(file)
with open({asked!r}, "a") as file:
    print(json.dumps(request), file=file)
def report(**facts):
    with open(request["report"], "a") as file:
        print(json.dumps(facts), file=file)
def good(**more):
    shutil.copyfile(model, request["output"])
    facts = dict(inputs=["x"], outputs=["y"], layers=2, versions={{"tensorflow": "0"}}, where={{}}, lost=[])
    report(**{{**facts, "done": True, **more}})
{does}
"""


@pytest.fixture
def stand_in(tmp_path: Path, doubling_model: Path) -> Callable[[str], StandIn]:
    """Make a stand-in that does what the given lines of Python say."""
    if os.name == "nt":
        pytest.skip("the stand-in is a script that the system runs by its first line")

    def make(does: str = "good()") -> StandIn:
        folder = tmp_path / "stand-in"
        folder.mkdir(exist_ok=True)
        made = StandIn(folder / "python", folder / "asked", folder / "versions")
        made.versions.write_text("tensorflow 0.0")
        text = _STAND_IN.format(
            python=sys.executable,
            model=str(doubling_model),
            asked=str(made.asked),
            versions=str(made.versions),
            does=does,
        )
        made.program.write_text(text)
        made.program.chmod(0o755)
        return made

    return make


@pytest.fixture
def lite_file(tmp_path: Path) -> Path:
    """A file that looks like a source from outside."""
    path = tmp_path / "net.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(64))
    return path
