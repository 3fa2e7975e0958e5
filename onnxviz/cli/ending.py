"""How a command ends when it cannot go on: nobody reads its output, standard output is full, or Ctrl-C was pressed."""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec

from onnxviz.errors import OutputError

Parameters = ParamSpec("Parameters")


class ReaderGoneError(Exception):
    """Nobody reads standard output any more. It replaces the OSError, on which typer would end with exit code 1."""


def printing(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Return a command that flushes its output, and says so when it is interrupted; typer then ends with exit code 130.

    The command raises a ReaderGoneError when nobody reads its output, and an OutputError when the output is full.
    """

    @functools.wraps(command)
    def guarded(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        try:
            command(*arguments, **options)
            sys.stdout.flush()
        except KeyboardInterrupt:
            print("onnxviz: interrupted; nothing that was not finished is kept", file=sys.stderr)
            raise
        except OSError as error:
            gone = error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)
            if not gone and error.errno != errno.ENOSPC:
                raise
            # Python flushes the rest at exit, which would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if gone:
                raise ReaderGoneError from None
            raise OutputError("cannot write to standard output: no space left on device") from None

    return guarded
