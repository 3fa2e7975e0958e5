"""What the files of the repository owe each other: sizes, links, commands and generated pages."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MIB = 1 << 20
LARGEST = 6 * MIB
SECOND_LEVEL = ("docs", "examples", "models")
# Tests write of people called me and ada.
PLACE_OF_ONE_MACHINE = re.compile(
    rb"(?<![\w.])/(?:(?:home|Users)/(?!me\b|ada\b)\w|(?:root|work|mnt|srv)/\w)|[A-Z]:\\Users\\"
)
TARGET = re.compile(r"^([\w.-]+):(?!=)", re.M)


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not in a clone")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def targets() -> set[str]:
    return set(TARGET.findall((ROOT / "Makefile").read_text("utf-8")))


def called(path: Path) -> set[str]:
    """Return the make targets that a file calls."""
    words = re.findall(r"\bmake ((?:[a-z][\w.-]*\s?)+)", path.read_text("utf-8"))
    return {word for line in words for word in line.split("\n")[0].split()}


def test_no_file_is_large() -> None:
    assert [path for path in tracked() if path.stat().st_size > LARGEST] == []


def test_no_file_names_a_place_of_one_machine() -> None:
    mine = {Path(__file__).resolve()}
    found = {path: PLACE_OF_ONE_MACHINE.search(path.read_bytes()) for path in tracked() if path not in mine}
    assert {path.name: match.group() for path, match in found.items() if match} == {}


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    found = (path for folder in SECOND_LEVEL for path in (ROOT / folder).rglob("*.md"))
    pages = {path.resolve() for path in found if "node_modules" not in path.parts} - {index}
    pages |= set(ROOT.glob("*.md")) | {ROOT / "docs" / "notebook.ipynb"}
    linked = re.findall(r"\]\(([^)]+)\)", index.read_text("utf-8"))
    assert {(index.parent / target).resolve() for target in linked} == pages


@pytest.mark.parametrize(
    "name", [".ci/run", ".github/workflows/ci.yml", ".pre-commit-config.yaml", "CONTRIBUTING.md", "RELEASING.md"]
)
def test_only_targets_that_exist_are_made(name: str) -> None:
    made = called(ROOT / name)
    assert made
    assert made - {"check"} <= targets()


def test_every_check_runs_in_ci() -> None:
    (line,) = re.findall(r"^check: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert set(line.split()) - {"test"} <= called(ROOT / ".ci" / "run")


@pytest.mark.parametrize("script", ["python_reference.py", "floors.py", "holders.py", "quantised_drawing.py"])
def test_what_is_generated_is_up_to_date(script: str) -> None:
    command = [sys.executable, str(ROOT / "tools" / script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_architecture_names_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    names = set(re.findall(r"`([\w./]+(?:\.py|/))`", page))
    assert len(names) > 30
    assert [
        name for name in sorted(names) if not any((home / name).exists() for home in (ROOT, ROOT / "onnxviz"))
    ] == []


def test_the_version_is_the_same_everywhere() -> None:
    (cited,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    assert f'"{cited}"' in (ROOT / "onnxviz" / "version.py").read_text("utf-8")


def test_benchmarks_make_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = runpy.run_path(str(ROOT / "benchmarks" / "run.py"))["main"]
    folders: list[Path] = []
    monkeypatch.setitem(main.__globals__, "rows", lambda folder, *_: folders.append(folder))
    monkeypatch.setattr(sys, "argv", ["run.py", "--work", str(tmp_path / "new" / "folder")])
    main()
    assert [folder.parent for folder in folders] == [tmp_path / "new" / "folder"]
