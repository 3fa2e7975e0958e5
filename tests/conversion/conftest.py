"""Where the tests of conversions find TensorFlow: another environment's Python, which has no pytest."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Scripts for the Python that has TensorFlow; doctest would import them here.
collect_ignore = ["article.py", "graph_nets.py", "keras_nets.py", "lite_nets.py", "nets.py", "payloads.py"]


@pytest.fixture(scope="session")
def tensorflow_python() -> str:
    """The Python that has TensorFlow: `ONNXVIZ_TENSORFLOW_PYTHON`, else this one, else the test is skipped."""
    named = os.environ.get("ONNXVIZ_TENSORFLOW_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("no TensorFlow here; ONNXVIZ_TENSORFLOW_PYTHON may name a Python that has it")
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
