"""How the package is kept: each name once, plain English, one type inference, libraries in their rooms."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "onnxviz"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TEXTS = [*SOURCES, *sorted(PACKAGE.rglob("*.js")), *sorted(PACKAGE.rglob("*.css"))]

# What an engineer who learnt English at school reads twice, with what to say instead.
IDIOMS = {
    r"(?<![Tt]here )\b(is|are|was|were|be) no\b(?! (longer|more|such))": "is not a",
    r"(?<![Tt]here )\b(is|are|was|were) none\b": "is not one",
    r"\bthat (is|are) none\b": "that is not one",
    r"\bnone is\b": "there is not one",
    r"\bTell (if|whether|what|which|how|where)\b": "Return whether",
    r"\bis told\b": "say who tells it to whom",
    r"\bof such\b": "of these",
}


def types_defined(path: Path) -> Iterator[str]:
    """Yield the classes, aliases of types and type variables that a module defines, private ones included."""
    tree = ast.parse(path.read_text("utf-8"))
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", getattr(node, "name", None))]
        )
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        # In this house only types are written so: `Axes = ...`, never `AXES` or `axes`.
        yield from (name for name in names if re.fullmatch(r"_?[A-Z][a-z0-9]\w*", name))


def test_a_type_has_its_name_alone() -> None:
    places = defaultdict(list)
    for path in SOURCES:
        for name in types_defined(path):
            places[name.removeprefix("_")].append(path.relative_to(PACKAGE).as_posix())
    assert len(places) > 150
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_module_has_its_name_alone_but_for_a_command_and_its_room() -> None:
    places = defaultdict(list)
    for path in SOURCES:
        module = path.parent if path.name == "__init__.py" else path
        if path.stem != "__main__" and module != PACKAGE:
            places[module.stem].append(module.relative_to(PACKAGE).as_posix())
    # `cli/view.py` is the command of `viewing/view.py`, `graph/graph.py` is what the room is about.
    twice = {
        name: [place for place in found if not place.startswith("cli/") and place != f"{name}/{name}.py"]
        for name, found in places.items()
    }
    assert len(places) > 120
    assert {name: found for name, found in twice.items() if len(found) > 1} == {}
    assert {name: found for name, found in places.items() if len(found) > 2} == {}


@pytest.mark.parametrize("idiom", IDIOMS)
def test_the_words_are_plain(idiom: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in TEXTS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(idiom, line)
    ]
    assert found == [], f"say: {IDIOMS[idiom]}"


def test_types_are_inferred_in_one_place() -> None:
    calls = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if "infer_shapes" in (getattr(node, "attr", ""), getattr(node, "id", ""), getattr(node, "name", ""))
    }
    assert calls == {"graph/shapes.py"}


@pytest.mark.parametrize(
    ("module", "library"), [("inference.py", "onnx"), ("conversion/live_model.py", "tensorflow"), ("inputs.py", "PIL")]
)
def test_an_import_outside_of_its_room_breaks_the_contract(module: str, library: str, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "onnxviz", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "onnxviz" / module).open("a", encoding="utf-8") as file:
        file.write(f"\nimport {library}\n")
    # The script's folder comes first in the path of `python -c`: the copy is what is looked at.
    script = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    name = module.removesuffix(".py").replace("/", ".")
    assert f"onnxviz.{name} -> {library}" in done.stdout
