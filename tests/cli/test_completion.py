"""What shells are offered, by way of the scripts and variables through which they ask for it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.models import model_of

Command = Callable[..., object]
Complete = Callable[[str], list[str]]

MODEL = """g (float[1, 1, 4, 4] x) => (float[1, 1, 4, 4] y) {
    [stem] a = MaxPool <kernel_shape = [1, 1]> (x)
    [sum] b = Add (a, a)
    ["stage 1"] c = MaxPool <kernel_shape = [1, 1]> (b)
    ["stage;rm"] d = MaxPool <kernel_shape = [1, 1]> (c)
    ["stage$(rm)"] e = MaxPool <kernel_shape = [1, 1]> (d)
    ["stage`rm`"] f = MaxPool <kernel_shape = [1, 1]> (e)
    ["stage/1.pool:0"] y = MaxPool <kernel_shape = [1, 1]> (f)
}"""


@pytest.fixture
def complete(onnxviz_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """Return what fish is offered for a line; m.onnx is in the current folder."""
    model_of(tmp_path / "m.onnx", MODEL)
    monkeypatch.chdir(tmp_path)
    # Else the program would be named, and asked, as part of `python -m pytest`.
    monkeypatch.setattr(sys.modules["__main__"], "__package__", "")
    monkeypatch.setenv("_ONNXVIZ_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")

    def offered(line: str) -> list[str]:
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        done = onnxviz_command()
        assert done.err == ""
        return [line for line in done.out.splitlines() if line]

    return offered


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("onnxviz view m.onnx --layers st", ["stem", "stage/1.pool:0"]),
        ("onnxviz view m.onnx --layers ", ["pool", "add", "stem", "sum", "stage/1.pool:0"]),
        ("onnxviz layers m.onnx --all --layers pool,s", ["pool,stem", "pool,sum", "pool,stage/1.pool:0"]),
        ("onnxviz view m.onnx x.npy --exclude su", ["sum"]),
        ("onnxviz expose m.onnx --layers 'pool[0], !(ad", ["pool[0], !(add"]),
        ('onnxviz view m.onnx --layers "pool & depth<4, su', ["pool & depth<4, sum"]),
        ("onnxviz view m.onnx --layers=su", ["sum"]),
        ("onnxviz view --layers a", ["all", "act", "add", "attention"]),
        ("onnxviz view $FOLDER/m.onnx --layers su", ["sum"]),
        ("onnxviz view ~/m.onnx --layers su", ["sum"]),
    ],
)
def test_kinds_and_layers_complete_a_selection(
    complete: Complete, typed: str, completed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FOLDER", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert complete(typed) == completed


def test_what_cannot_be_opened_offers_nothing(
    complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxviz.conversion.cache.cached", lambda *given, **more: pytest.fail("converted"))
    (tmp_path / "broken.onnx").write_bytes(b"\x08")
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\x08\x01")
    for name in ("gone.onnx", "broken.onnx", "m.h5", "saved"):
        assert complete(f"onnxviz view {name} --layers p") == []


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("onnxviz vi", ["view"]),
        ("onnxviz view --the", ["--theme"]),
        ("onnxviz view m.onnx --theme ", ["dark", "light"]),
        ("onnxviz view m.onnx --scale s", ["signed", "symmetric", "std"]),
        ("onnxviz view m.onnx --colormap v", ["viridis", "vik"]),
        ("onnxviz view m.onnx --layers st", ["stem", "stage/1.pool:0"]),
        ("onnxviz view m.onnx --layers 'pool[0],su", ["pool[0],sum"]),
        # The backslashes would be lost.
        (r"onnxviz view m.onnx --layers pool\[0\],su", []),
        # Nothing of ours: bash then completes files.
        ("onnxviz view m", []),
    ],
)
def test_bash_completes(typed: str, completed: list[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    model_of(tmp_path / "m.onnx", MODEL)
    script = f"""
        eval "$(onnxviz --show-completion bash)"
        COMP_WORDS=({" ".join(map(shlex.quote, typed.split(" ")))})
        COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
        _onnxviz_completion onnxviz
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [bash, "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": places},
        cwd=tmp_path,
    )
    assert (done.stdout.split(), done.stderr) == (completed, "")
