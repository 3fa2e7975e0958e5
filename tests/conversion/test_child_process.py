"""The process of the other Python: what it reports, how it fails, and that it ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from onnxviz.conversion.child_process import ask_child
from onnxviz.errors import ConversionError, ModelError, OnnxvizError, UnsupportedError, UsageError

from .conftest import StandIn

Make = Callable[[str], StandIn]


def run(made: StandIn, folder: Path, stages: list[str] | None = None) -> dict[str, object]:
    request = {"output": str(folder / "model.onnx"), "report": str(folder / "report.json"), "parent": os.getpid()}
    passed = [] if stages is None else stages
    return dict(ask_child(request, made.program, folder, passed.append))


def test_its_report_is_returned_and_its_stages_are_passed_on(stand_in: Make, tmp_path: Path) -> None:
    stages: list[str] = []
    made = stand_in('report(stage="loading"); time.sleep(0.3); report(stage="converting"); time.sleep(0.3); good()')
    facts = run(made, tmp_path, stages)
    assert facts["inputs"] == ["x"]
    assert stages == ["loading", "converting"]
    assert made.requests()[0]["parent"] == os.getpid()


def test_a_line_of_the_report_that_is_half_written_is_not_read_yet(stand_in: Make, tmp_path: Path) -> None:
    stages: list[str] = []
    half = """open(request["report"], "a").write('{"stage": "conv'); time.sleep(0.3); """
    made = stand_in(
        f'report(stage="loading"); {half}open(request["report"], "a").write(\'erting"}}\\n\'); time.sleep(0.3); good()'
    )
    run(made, tmp_path, stages)
    assert stages == ["loading", "converting"]


@pytest.mark.parametrize(
    ("does", "kind", "said"),
    [
        ('report(error={"kind": "model", "text": "it is cut short"}); sys.exit(3)', ModelError, "^it is cut short$"),
        ('report(error={"kind": "unsupported", "text": "Svd at a/b"}); sys.exit(3)', UnsupportedError, "Svd at a/b"),
        ('report(error={"kind": "usage", "text": "no input z"}); sys.exit(3)', UsageError, "no input z"),
        (
            'report(error={"kind": "missing", "text": "no tensorflow"}); sys.exit(3)',
            ConversionError,
            "(?s)needs tensorflow, which '.*' does not have; install it there: pip install .*ONNXVIZ_TF_PYTHON=PATH",
        ),
        (
            'report(error={"kind": "missing", "text": "no tf_keras"}); sys.exit(3)',
            ConversionError,
            "Keras 2, and '.*' has no tf_keras; install it there with: pip install tf_keras",
        ),
        (
            'report(stage="loading", error={"kind": "failed", "type": "KeyError", "text": "tensor_7"}); sys.exit(4)',
            ConversionError,
            "failed while loading: KeyError: tensor_7$",
        ),
        ('print("ImportError: libGL.so.1"); sys.exit(1)', ConversionError, "while starting: ImportError: libGL.so.1$"),
        ("sys.exit(0)", ConversionError, "while starting: it said nothing$"),
        (
            'report(stage="converting"); time.sleep(0.4); os.kill(os.getpid(), signal.SIGKILL)',
            ConversionError,
            r"(?s)killed while converting, as the system does when memory runs out; it had 0\.\d GB.*--fold --no",
        ),
        (
            'report(stage="running TensorFlow"); os.kill(os.getpid(), signal.SIGSEGV)',
            ConversionError,
            "ended by signal 11 while running TensorFlow",
        ),
        (
            'report(stage="converting", error={"kind": "memory", "text": "x"}); sys.exit(4)',
            ConversionError,
            "memory runs out",
        ),
    ],
)
def test_each_way_to_fail_is_one_error(
    does: str, kind: type[OnnxvizError], said: str, stand_in: Make, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=said) as caught:
        run(stand_in(does), tmp_path)
    assert type(caught.value) is kind
    assert str(caught.value).count("\n") <= 1


def test_a_missing_program_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="nowhere' cannot be run as a Python: No such file"):
        ask_child({"report": str(tmp_path / "report.json")}, tmp_path / "nowhere", tmp_path, print)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_all_and_leaves_nothing(
    number: signal.Signals, code: int, stand_in: Make, lite_file: Path, tmp_path: Path
) -> None:
    pids, temporary = tmp_path / "pids", tmp_path / "temporary"
    temporary.mkdir()
    made = stand_in(
        "import subprocess\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r} + '.part', 'w').write(f'{{os.getpid()}} {{inner.pid}}')\n"
        f"os.replace({str(pids)!r} + '.part', {str(pids)!r})\n"
        "time.sleep(60)"
    )
    output = tmp_path / "out"
    output.mkdir()
    command = [sys.executable, "-m", "onnxviz", "convert", str(lite_file), "-o", str(output / "net.onnx")]
    process = subprocess.Popen(
        [*command, "--python", str(made.program)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts a program in the background lets it ignore Ctrl-C, and so may whoever runs this test.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert soon(pids.exists), process.communicate()
    children = [int(text) for text in pids.read_text().split()]
    process.send_signal(number)
    _, error = process.communicate(timeout=10)
    assert process.returncode == code
    assert "Traceback" not in error
    assert soon(lambda: not any(map(is_running, children)))
    assert [*output.iterdir(), *temporary.glob("onnxviz-*")] == []


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_it_ends_when_its_parent_was_killed(tmp_path: Path) -> None:
    child = (
        "import os, time; from onnxviz.conversion.child.job import end_with_parent; "
        "end_with_parent(os.getppid()); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    number = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    assert soon(lambda: not is_running(number))


def soon(holds: Callable[[], bool]) -> bool:
    """Wait up to 15 seconds for something to hold."""
    for _ in range(150):
        if holds():
            return True
        time.sleep(0.1)
    return False


def is_running(number: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{number}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
