"""The command line: one file a command, which parses, calls one function and prints."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper

from onnxviz.errors import OnnxvizError, RunError


def main() -> None:
    """Run the command line; an error of the documented kinds becomes one message and an exit code."""
    # numpy's algebra is small here, and its threads would spin against onnxruntime's: an overview of 58 layers took
    # 1.26 s of CPU on busy cores, 0.39 s with one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A pipe on Windows takes the system's code page, which lacks most of the letters that a name may have.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # SIGTERM removes what is half-written and ends the converter, as Ctrl-C does.
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    from onnxviz.cli.app import ReaderGoneError, app

    try:
        app()
    except OnnxvizError as error:
        from onnxviz.cli.terminal import say

        # Indented, so that a second line's caret still points at its place in the first.
        say(f"onnxviz: {error}".replace("\n", "\n         "))
        sys.exit(error.exit_code)
    except MemoryError as error:
        from onnxviz.cli.terminal import say

        reason = f": {error}" if str(error) else ""
        say(f"onnxviz: memory ran out{reason}; feed something smaller or choose fewer layers")
        sys.exit(RunError.exit_code)
    except ReaderGoneError:
        sys.exit(0)
