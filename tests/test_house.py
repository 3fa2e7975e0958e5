"""How the house is kept: one name for one thing, plain words, one call of onnx's inference, walls that hold."""

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
FILES = sorted(PACKAGE.rglob("*.py"))


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path.relative_to(PACKAGE), ast.parse(path.read_text(encoding="utf-8"))


def is_type(node: ast.Assign) -> bool:
    """Return whether an assignment names a type: in capitals and small letters, as classes are."""
    (target,) = node.targets[:1]
    name = target.id.lstrip("_") if isinstance(target, ast.Name) else ""
    return name[:1].isupper() and not name.isupper()


def test_a_class_or_type_is_defined_once() -> None:
    homes = defaultdict(list)
    for path, tree in trees():
        for node in tree.body:
            # `_Piece` beside another module's `Piece` is found by the same search.
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(str(path))
            elif isinstance(node, ast.Assign) and is_type(node):
                homes[ast.unparse(node.targets[0]).lstrip("_")].append(str(path))
    assert len(homes) > 150
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_a_module_has_a_name_of_its_own() -> None:
    homes = defaultdict(list)
    for path, _ in trees():
        is_room = path.name == "__init__.py"
        name = path.parent.name if is_room else path.stem
        # A command is called as what it runs, and a room's main module may be called as the room.
        if name not in ("", "__main__") and path.parent.name != "cli" and (is_room or path.parent.name != name):
            homes[name].append(str(path))
    assert len(homes) > 150
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


IDIOMS = (
    r"(?<![Tt]here )\b(is|are|was|were|be) no\b(?! longer| more)",
    r"\b[Tt]ells? (whether|what|which|how|of)\b",
    r"\b(is|are) told\b",
    r"(?<![Tt]here )\b(none is|is none|are none|be none)\b",
    r"\bof such\b",
)


def test_no_sentence_has_an_idiom_that_a_newcomer_stops_at() -> None:
    idiom = re.compile("|".join(IDIOMS))
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if idiom.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("sentence", ["X is no Y", "Tell whether it is", "none is left", "of such a node", "are none"])
def test_the_idioms_are_seen(sentence: str) -> None:
    assert re.search("|".join(IDIOMS), sentence)


@pytest.mark.parametrize("sentence", ["there is no file", "it is not a file", "is no longer", "Tell the user"])
def test_good_sentences_pass(sentence: str) -> None:
    assert not re.search("|".join(IDIOMS), sentence)


def test_one_place_calls_the_inference_of_onnx() -> None:
    calling = [str(path) for path, tree in trees() if "infer_shapes" in ast.unparse(tree)]
    assert calling == [str(Path("graph/onnx_inference.py"))]


@pytest.mark.parametrize(
    ("file", "planted"),
    [
        ("inference/inference.py", "onnx"),
        ("conversion/live_model.py", "tensorflow"),
        ("viewing/view.py", "PIL"),
        ("draw/figure/svg_writer.py", "fpdf"),
    ],
)
def test_a_heavy_library_in_another_room_breaks_the_contract(tmp_path: Path, file: str, planted: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "onnxviz", ignore=shutil.ignore_patterns("__pycache__", "page"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / "onnxviz" / file
    before, mark, rest = target.read_text(encoding="utf-8").partition("from __future__ import annotations\n")
    target.write_text(f"{before}{mark}\nimport {planted}\n{rest}", encoding="utf-8")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    module = f"onnxviz.{file.removesuffix('.py').replace('/', '.')}"
    assert run.returncode == 1
    assert re.search(rf"{re.escape(module)} -> {planted}\b", run.stdout)
