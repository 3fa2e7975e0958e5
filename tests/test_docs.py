"""The commands and the Python code of the documentation run as they stand there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
import typer

from onnxviz.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])


@pytest.fixture
def folder(tmp_path: Path, bundled_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("model.onnx", "int8.onnx"):
        shutil.copy(bundled_model, tmp_path / name)
    for picture in ("cat.jpg", "coffee.jpg"):
        shutil.copy(ROOT / "models" / "pictures" / picture, tmp_path)
        (tmp_path / "photos" / picture[:-4]).mkdir(parents=True)
        shutil.copy(tmp_path / picture, tmp_path / "photos" / picture[:-4])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_code_run(page: Path, folder: Path, onnxviz_command: Callable[..., object]) -> None:
    if page.name == "compare.md" and tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 32):
        pytest.skip("onnxruntime 1.24 cannot run what its quantiser makes of the classifier; 1.32 can")
    if page.name == "extract.md":
        pytest.importorskip("sklearn")
    for language, block in re.findall(r"^```(sh|python)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        if language == "python":
            exec(compile(block, str(page), "exec"), {})
            continue
        for line in block.splitlines():
            # Conversions need TensorFlow: tests/conversion has them. What serves does not end: tests/serving has it.
            if line.startswith("onnxviz ") and not line.startswith(("onnxviz convert ", "onnxviz serve ")):
                done = onnxviz_command(*shlex.split(line, comments=True)[1:])
                assert done.code == 0, f"{line}\n{done.err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_sections(page: Path) -> None:
    for target, section in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text("utf-8")):
        headings = re.findall(r"^#+ (.*)", ((page.parent / target) if target else page).read_text("utf-8"), re.M)
        assert section in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, section


def test_every_command_is_in_the_table_of_commands() -> None:
    listed = re.findall(r"^\| `(\w+)[^`]*` \|", (ROOT / "docs" / "commands.md").read_text("utf-8"), re.M)
    assert set(typer.main.get_command(app).commands) <= set(listed)  # type: ignore[attr-defined]


def test_the_notebook_runs(folder: Path) -> None:
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text("utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict[str, object] = {}
    for source in sources:
        exec(compile(source, "notebook", "exec"), names)
    assert len(sources) >= 5
    assert names["maps"]["first"].array.shape == (1, 32, 112, 112)
    assert names["maps"]["first"]._repr_png_().startswith(b"\x89PNG")
