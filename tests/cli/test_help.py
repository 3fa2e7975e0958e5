"""What `--help` and completion of each command offer, held word for word by the files in help/.

They are read from the commands, not from the screen: how typer lays its text out differs from version to version.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from onnxviz.cli.app import COMMANDS, app

HELP = Path(__file__).parent / "help"


def described(command: Any, context: typer.Context) -> Iterator[str]:
    """Give the help of a command and a line for each option: names, metavar, default, text, and values to complete."""
    yield from (command.help, "")
    for parameter in command.params:
        names = " ".join((*parameter.opts, *parameter.secondary_opts))
        default = parameter.default if isinstance(parameter.default, str | int | float | Path) else None
        marks = [f"${parameter.envvar}"] * bool(parameter.envvar) + ["repeatable"] * bool(
            getattr(parameter, "multiple", False) or parameter.nargs == -1
        )
        yield " | ".join((names, parameter.metavar or "", repr(default), *marks, parameter.help or ""))
        completed = [item.value for item in parameter.shell_complete(context, "") if item.type == "plain"]
        if completed:
            yield f"    completed: {' '.join(completed)}"
    yield from ("", command.epilog or "")


def program() -> tuple[Any, typer.Context]:
    group = typer.main.get_command(app)
    return group, typer.Context(group)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command(name: str) -> None:
    group, context = program()
    _, command, _ = group.resolve_command(context, [name])
    assert "\n".join(described(command, typer.Context(command))) + "\n" == (HELP / f"{name}.txt").read_text("utf-8")


def test_the_help_of_the_program() -> None:
    group, context = program()
    lines = list(described(group, context))
    # Typer's own, --install-completion and --show-completion, are worded by typer.
    own = [line for line in lines if "completion |" not in line]
    listed = [
        f"{name}: {group.get_command(context, name).get_short_help_str(200)}" for name in group.list_commands(context)
    ]
    assert "\n".join((*own, *listed)) + "\n" == (HELP / "onnxviz.txt").read_text("utf-8")
