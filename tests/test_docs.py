"""The commands and the Python code of the documentation run as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])


@pytest.fixture
def folder(tmp_path: Path, bundled_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(bundled_model, tmp_path / "model.onnx")
    for picture in ("cat.jpg", "coffee.jpg"):
        shutil.copy(ROOT / "models" / "pictures" / picture, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_code_run(page: Path, folder: Path, onnxviz_command: Callable[..., object]) -> None:
    for language, block in re.findall(r"^```(sh|python)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        if language == "python":
            exec(compile(block, str(page), "exec"), {})
            continue
        for line in block.splitlines():
            if line.startswith("onnxviz "):
                done = onnxviz_command(*shlex.split(line, comments=True)[1:])
                assert done.code == 0, f"{line}\n{done.err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
