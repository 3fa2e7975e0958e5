"""The program `onnxviz`, its commands, and how they end when they cannot go on."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core

from onnxviz.errors import OutputError
from onnxviz.version import __version__

HELP = """See inside any ONNX model: its layers, its feature maps, as pictures.

Exit codes: 0 done; 1 a bug of ours; 2 usage, a selection's grammar included; 3 the model is missing or cannot be
honoured, or nothing matches; 4 input data; 5 runtime, device or converter missing or failing; 6 output exists or
cannot be written; 7 verification past its tolerance; 130 interrupted.
"""

COMMANDS = (
    *("layers", "expose", "convert", "view", "figure"),
    *("explain", "maximise", "compare", "mine", "extract", "serve", "demo", "devices"),
)
"""Each is a function in the file of its name, beside this one."""


class ReaderGoneError(Exception):
    """Nobody reads standard output any more. It replaces the OSError, on which typer would end with exit code 1."""


class Commands(typer.core.TyperGroup):
    """Loads the command that is called alone and declares its options alone: all of them would take 25 ms."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command with its help and without its options, None where there is none of this name."""
        outline = super().get_command(ctx, cmd_name)
        if outline is not None:
            outline.help, outline.epilog = _help(cmd_name)
        return outline

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command that is called, the command with its options, and its arguments."""
        name, outline, rest = super().resolve_command(ctx, args)
        return name, outline and _with_options(name or ""), rest


def printing(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that flushes its output, and says so when it is interrupted; typer then ends with exit code 130.

    The command raises a ReaderGoneError when nobody reads its output, and an OutputError when the output is full.
    """

    @functools.wraps(command)
    def guarded(**options: Any) -> None:
        try:
            command(**options)
            sys.stdout.flush()
        except KeyboardInterrupt as interrupt:
            words = str(interrupt) or "interrupted; nothing that was not finished is kept"
            print(f"onnxviz: {words}", file=sys.stderr)
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


def _with_options(name: str) -> Any:
    from onnxviz.cli.groups import expanded

    alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    text, example = _help(name)
    alone.command(name, help=text, epilog=example)(printing(expanded(_command(name))))
    return typer.main.get_command(alone)


def _help(name: str) -> tuple[str, str]:
    """Return a command's help and its example, which ends --help: it is what is looked for, below all the options."""
    text, mark, example = inspect.cleandoc(_command(name).__doc__ or "").partition("Example:")
    return text, mark + example


def _command(name: str) -> Callable[..., None]:
    command: Callable[..., None] = getattr(import_module(f"onnxviz.cli.{name}"), name)
    return command


app = typer.Typer(
    cls=Commands,
    epilog="Example: onnxviz view model.onnx cat.jpg --layers 'conv[0]'",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
for outlined in COMMANDS:
    app.command(outlined)(lambda: None)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"onnxviz {__version__}")
        raise typer.Exit


@app.callback(help=HELP)
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass
