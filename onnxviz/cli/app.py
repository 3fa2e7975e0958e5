"""The program `onnxviz`, its commands, and how they end when they cannot go on."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
import typer.core

from onnxviz.cli import convert, demo, devices, explain, expose, figure, layers, serve, view
from onnxviz.cli.groups import expanded
from onnxviz.errors import OutputError
from onnxviz.version import __version__

HELP = """See inside any ONNX model: its layers, its feature maps, as pictures.

Exit codes: 0 done; 1 a bug of ours; 2 usage, a selection's grammar included; 3 the model is missing or cannot be
honoured, or nothing matches; 4 input data; 5 runtime, device or converter missing or failing; 6 output exists or
cannot be written; 7 verification past its tolerance; 130 interrupted.
"""

COMMANDS = {
    command.__name__: command
    for command in (
        layers.layers,
        expose.expose,
        convert.convert,
        view.view,
        figure.figure,
        explain.explain,
        serve.serve,
        demo.demo,
        devices.devices,
    )
}


class ReaderGoneError(Exception):
    """Nobody reads standard output any more. It replaces the OSError, on which typer would end with exit code 1."""


class Commands(typer.core.TyperGroup):
    """Declares the options of the command that is called alone: declaring those of all takes 15 ms."""

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
    alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    _add(alone, name, printing(expanded(COMMANDS[name])))
    return typer.main.get_command(alone)


def _add(program: typer.Typer, name: str, called: Any) -> None:
    # The example ends the docstring, and --help: it is what is looked for, below all the options.
    text, mark, example = inspect.cleandoc(COMMANDS[name].__doc__ or "").partition("Example:")
    program.command(name, help=text, epilog=mark + example)(called)


app = typer.Typer(
    cls=Commands,
    epilog="Example: onnxviz view model.onnx cat.jpg --layers 'conv[0]'",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
for outlined in COMMANDS:
    _add(app, outlined, lambda: None)


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
