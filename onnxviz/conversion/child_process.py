"""The process of the other Python, started, watched and ended; its failures become errors of one or two lines.

The cause of a failure is found in an exception's text, or in what the converter printed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from onnxviz.conversion.child.exchange import Facts, Failure, Request
from onnxviz.errors import ConversionError, ModelError, OnnxvizError, UnsupportedError, UsageError

SCRIPT = Path(__file__).resolve().parent / "child" / "start.py"
_POLL = 0.1

_REFUSALS = {"usage": UsageError, "unsupported": UnsupportedError, "model": ModelError}
_INSTALL = "pip install 'onnxviz[tf]'"
_LONGEST = 400

# Lines of TensorFlow and Python that explain nothing.
_NOISE = re.compile(
    r"^(WARNING|INFO|I\d{4}|W\d{4}|E\d{4}|\d{4}-\d\d-\d\d .*: [IW] )|cudart_stub|computation_placer|cpu_feature_guard|"
    r"TF-TRT|absl::InitializeLog|^\s*$|^Traceback|^\s+File |^\s+\^|^\s{2,}\w.*[(=]|oneDNN|rebuild TensorFlow"
)

_CLASS = (
    "the file needs the class '{0}', which only the program that made it has\n"
    "in that program: model.export('folder'), then: onnxviz convert folder"
)
_KNOWN: tuple[tuple[str, str], ...] = (
    (r"Could not locate class '([^']+)'", _CLASS),
    (r"Unknown (?:layer|object): '?([^'\s]+?)'?[.\s]", _CLASS),
    (r"Opset (\d+) is not supported", "tf2onnx does not write opset {0}; give --opset 18 or less"),
    (r"No space left on device", "no space left on device"),
    (r"Op type not registered '([^']+)'", "the source uses the operator {0}, which this TensorFlow does not have"),
)


def ask_child(request: Request, python: Path | None, folder: Path, stage: Callable[[str], None]) -> Facts:
    """Let the other Python carry out a request in `folder`, where its files go, and return what it reports.

    Raises:
        ConversionError: It lacks TensorFlow, failed or was killed.
        ModelError: It refuses the source; the text says why.
    """
    report, noise = Path(request["report"]), folder / "noise.txt"
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
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


def cause(error: Failure, noise: str) -> str:
    """Return why the converter failed, in one or two lines.

    >>> cause({"type": "TypeError", "text": "Could not locate class 'Sub'. Make sure ..."}, "").splitlines()[0]
    "the file needs the class 'Sub', which only the program that made it has"
    >>> cause({}, "WARNING: All log messages\\nImportError: libGL.so: cannot open")
    'ImportError: libGL.so: cannot open'
    """
    text = " ".join(error.get("text", "").split())
    for pattern, sentence in _KNOWN:
        found = re.search(pattern, text or noise)
        if found:
            return sentence.format(*found.groups())
    if text:
        kind = error.get("type")
        return _short(f"{kind}: {text}" if kind else text)
    lines = [line.strip() for line in noise.splitlines() if not _NOISE.search(line)]
    return _short(lines[-1]) if lines else "it said nothing"


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
        here = f"install it with: {_INSTALL}" if python is None else "install it there: pip install tensorflow tf2onnx"
        return (
            f"converting needs {what[3:]}, which {where} does not have; {here}\n"
            "or name the Python of another environment: ONNXVIZ_TF_PYTHON=PATH, or onnxviz convert --python PATH"
        )
    return what


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
