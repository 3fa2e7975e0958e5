"""The process of the other Python, started, watched and ended; its failures become errors of one or two lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from onnxviz.conversion.causes import cause
from onnxviz.conversion.child.exchange import Facts, Request, SentRequest
from onnxviz.errors import ConversionError, ModelError, OnnxvizError, UnsupportedError, UsageError

SCRIPT = Path(__file__).resolve().parent / "child" / "start.py"
_POLL = 0.1

_REFUSALS = {"usage": UsageError, "unsupported": UnsupportedError, "model": ModelError}
INSTALL = "pip install 'onnxviz[tf]'"


def ask_child(request: Request, python: Path | None, folder: Path, stage: Callable[[str], None]) -> Facts:
    """Let the other Python carry out a request in `folder`, where its files go, and return what it reports.

    Raises:
        ConversionError: It lacks TensorFlow, failed or was killed.
        ModelError: It refuses the source; the text says why.
    """
    report, noise = folder / "report.json", folder / "noise.txt"
    sent: SentRequest = {**request, "report": str(report), "parent": os.getpid()}
    (folder / "request.json").write_text(json.dumps(sent), encoding="utf-8")
    with noise.open("wb") as output:
        process = _started(python, folder / "request.json", output)
        try:
            peak = _wait(process, report, stage)
        except BaseException:
            _end(process)
            raise
    facts = _read(report)
    if process.returncode == 0 and facts.get("done"):
        return facts
    raise _error(process.returncode, facts, noise.read_text("utf-8", "replace"), python, peak)


def _started(python: Path | None, request: Path, output: Any) -> subprocess.Popen[bytes]:
    program = str(python or sys.executable)
    # The other Python may be older, and must not import what these variables name for this one.
    kept = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment = {**(os.environ if python is None else kept), "PYTHONIOENCODING": "utf-8"}
    try:
        return subprocess.Popen(
            [program, str(SCRIPT), str(request)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            # A group of its own: Ctrl-C reaches this process alone, which then ends the group whole.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        raise ConversionError(f"'{program}' cannot be run as a Python: {error.strerror or error}") from None


def _wait(process: subprocess.Popen[bytes], report: Path, stage: Callable[[str], None]) -> int | None:
    """Wait for the process, pass its stages on and return the most memory that it had at any look, in bytes."""
    last, peak = "", None
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL)
        now = _read(report).get("stage", "")
        if now and now != last:
            last = now
            stage(now)
        if process.returncode is not None:
            return peak
        peak = _peak(process.pid) or peak


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started, at once: it keeps nothing outside its own folder."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _read(report: Path) -> Facts:
    """Return the facts in the last whole line of a report, none where there is no such line yet."""
    with suppress(OSError, ValueError, IndexError):
        facts: Facts = json.loads(report.read_text(encoding="utf-8").split("\n")[-2])
        if isinstance(facts, dict):
            return facts
    return {}


def _peak(process: int) -> int | None:
    """Return the most memory that a running process had, in bytes; None where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def _error(code: int, facts: Facts, noise: str, python: Path | None, peak: int | None) -> OnnxvizError:
    error = facts.get("error", {})
    text, kind = error.get("text", ""), error.get("kind", "")
    if kind == "missing":
        return ConversionError(_missing(text, python))
    if kind in _REFUSALS:
        return _REFUSALS[kind](text)
    stage = facts.get("stage") or "starting"
    if code == -getattr(signal, "SIGKILL", 9) or kind == "memory" or "std::bad_alloc" in noise:
        had = f"; it had {peak / 1e9:.1f} GB" if peak else ""
        return ConversionError(
            f"the converter was killed while {stage}, as the system does when memory runs out{had}\n"
            "close what else needs memory, or convert with what needs least: onnxviz convert --fold --no-verify"
        )
    if code < 0:
        return ConversionError(f"the converter was ended by signal {-code} while {stage}")
    return ConversionError(f"the converter failed while {stage}: {cause(error, noise)}")


def _missing(what: str, python: Path | None) -> str:
    where = f"'{python}'" if python else "this Python"
    if what == "no tf_keras":
        return f"the file is of Keras 2, and {where} has no tf_keras; install it there with: pip install tf_keras"
    if what == "no h5py":
        return f"reading the file needs h5py, which {where} lacks; install it there with: pip install h5py"
    if what.startswith("no "):
        here = f"install it with: {INSTALL}" if python is None else "install it there: pip install tensorflow tf2onnx"
        return (
            f"converting needs {what[3:]}, which {where} does not have; {here}\n"
            "or name the Python of another environment: ONNXVIZ_TF_PYTHON=PATH, or onnxviz convert --python PATH"
        )
    return what
