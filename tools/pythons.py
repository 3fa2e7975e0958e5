"""Runs the tests with every supported Python that is at hand, each in an environment of its own.

    python tools/pythons.py [ARGUMENT...]      those of PATH and of pyenv; .venv-3.11 ...; pytest takes the arguments

Fails where one of them fails, and says at the end which were run, with the versions of the packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
PACKAGES = ("onnx", "onnxruntime", "numpy", "pillow", "typer", "pytest")
WHICH = f"""
import platform
from importlib.metadata import version
print("Python " + platform.python_version(), *(f"{{name}} {{version(name)}}" for name in {PACKAGES}), sep=", ")
"""


def candidates(version: str) -> Iterator[str]:
    """Yield what may be an interpreter of this version."""
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from (str(folder / "bin" / "python") for folder in sorted(versions.glob(f"{version}.*"), reverse=True))


def interpreter(version: str) -> str | None:
    """Return the first candidate that starts: pyenv leaves names on the path that lead nowhere."""
    for python in candidates(version):
        if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    return None


def tested(version: str, python: str, arguments: list[str]) -> str:
    """Run the tests with one interpreter and return a line about it."""
    environment = ROOT / f".venv-{version}"
    inside = environment / ("Scripts" if os.name == "nt" else "bin")
    steps = (
        [python, "-m", "venv", "--clear", str(environment)],
        [str(inside / "pip"), "install", "--quiet", "--disable-pip-version-check", "-e", ".[cpu,test]"],
        [str(inside / "python"), "-m", "pytest", *arguments],
    )
    for step in steps:
        if subprocess.run(step, cwd=ROOT, check=False).returncode:
            return f"failed: Python {version}, at {' '.join(step)}"
    return "passed: " + subprocess.check_output([inside / "python", "-c", WHICH], text=True).strip()


def main() -> None:
    found = {version: python for version in VERSIONS if (python := interpreter(version))}
    lines = [tested(version, python, sys.argv[1:]) for version, python in found.items()]
    print(*lines, *(f"not at hand: Python {version}" for version in VERSIONS if version not in found), sep="\n")
    if not found or any(line.startswith("failed") for line in lines):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
