"""The program `onnxviz` and its commands."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from onnxviz.cli import convert, demo, devices, expose, layers, view
from onnxviz.cli.printing import printing
from onnxviz.version import __version__

HELP = """See inside any ONNX model: its layers, its feature maps, as pictures.

Exit codes: 0 done; 1 a bug of ours; 2 usage, a selection's grammar included; 3 the model is missing or cannot be
honoured, or nothing matches; 4 input data; 5 runtime, device or converter missing or failing; 6 output exists or
cannot be written; 7 verification past its tolerance; 130 interrupted.
"""

app = typer.Typer(
    help=HELP,
    epilog="Example: onnxviz view model.onnx cat.jpg --layers 'conv[0]'",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
for command in (layers.layers, expose.expose, convert.convert, view.view, demo.demo, devices.devices):
    # The example ends the docstring, and --help: it is what is looked for, below all the options.
    text, mark, example = inspect.cleandoc(command.__doc__ or "").partition("Example:")
    app.command(command.__name__, help=text, epilog=mark + example)(printing(command))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"onnxviz {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


_program.__doc__ = HELP
