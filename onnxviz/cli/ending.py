"""How a command ends that cannot go on: its reader has left, standard output is full, or Ctrl-C came."""

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
    """Nobody reads standard output any more; typer would end with exit code 1 on the OSError that this stands for."""


def printing(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Return a command that flushes what it printed, and whose failure to print is a ReaderGoneError or OutputError.

    Where it is interrupted, it says so; typer then ends with exit code 130.
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
            # What is still held back would fail once more when Python flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if gone:
                raise ReaderGoneError from None
            raise OutputError("cannot write to standard output: no space left on device") from None

    return guarded
