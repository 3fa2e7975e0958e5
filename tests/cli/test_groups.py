# Without `from __future__ import annotations`, as in groups.py.
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from onnxviz.cli.groups import expanded
from onnxviz.draw.style import Style
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.runtime.session import RunOptions
from onnxviz.viewing.options import ViewOptions

Command = Callable[..., Any]


def sum_options(a: Annotated[int, typer.Option("--a")] = 1, b: Annotated[int, typer.Option("--b")] = 2) -> int:
    return a + b


def command(
    name: Annotated[str, typer.Argument()], *, total: Annotated[int, sum_options], end: Annotated[str, "other"] = "."
) -> None:
    print(f"{name} {total}{end}")


def test_a_group_makes_one_value_of_its_options() -> None:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(expanded(command))
    run = CliRunner().invoke
    assert run(app, ["x"]).output == "x 3.\n"
    assert run(app, ["--b", "5", "--end", "!", "x", "--a", "4"]).output == "x 9!\n"
    shown = run(app, ["--help"], env={"COLUMNS": "80"}).output
    assert 0 < shown.index("--a ") < shown.index("--b ") < shown.index("--end ")
    assert "--total" not in shown


GIVEN = {
    "--layers": "conv",
    "--exclude": "pool",
    "--tap": "op",
    "--output": "maps",
    "--scale": "std",
    "--colormap": "vik",
    "--theme": "light",
    "--tile": "20",
    "--columns": "3",
    "--rows": "4",
    "--order": "mean",
    "--top": "5",
    "--channels": "0-7",
    "--font": "f.ttf",
    "--format": "webp",
    "--raw": "a.npz",
    "--html": "p.html",
    "--html-size": "3MB",
    "--labels": "l.txt",
    "--preset": "raw",
    "--range": "-1,1",
    "--mean": "1,2,3",
    "--std": "4",
    "--size": "5x6",
    "--resize": "crop",
    "--filter": "nearest",
    "--channel-order": "bgr",
    "--transform": "log",
    "--dim": "n=2",
    "--seed": "7",
    "--constant": "0.5",
    "--device": "cuda:1",
    "--threads": "8",
    "--memory": "1KiB",
}
FLAGS = (
    "--draft",
    "--no-pictures",
    "--small",
    "--bare",
    "--same-scale",
    "--exact",
    "--fail-fast",
    "--resume",
    "--force",
)


@pytest.fixture
def viewed(
    onnxviz_command: Command, doubling_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Any, ...]]:
    """Return with what `view` is called for a command line."""

    def run(*words: str) -> tuple[Any, ...]:
        calls: list[tuple[Any, ...]] = []

        def called(model: object, *given: Any) -> None:
            calls.append(given)
            raise SystemExit

        monkeypatch.setattr("onnxviz.viewing.view.view", called)
        onnxviz_command("view", doubling_model, *words)
        return calls[0]

    return run


def test_every_option_of_view_arrives(viewed: Callable[..., tuple[Any, ...]]) -> None:
    words = [word for pair in GIVEN.items() for word in pair]
    inputs, folder, options, _ = viewed("x.npy", "y.npy", *words, *FLAGS)
    assert (list(inputs), folder) == (["x.npy", "y.npy"], Path("maps"))
    assert options == ViewOptions(
        layers=["conv"],
        exclude=("pool",),
        tap="op",
        feed=FeedOptions(
            preset="raw",
            range=(-1, 1),
            mean=(1, 2, 3),
            std=(4,),
            size=(5, 6),
            resize="crop",
            filter="nearest",
            channel_order="bgr",
            transform="log",
            draft=True,
            dims={"n": 2},
            random=7,
            constant=0.5,
        ),
        run=RunOptions(device="cuda:1", exact=True, threads=8, memory=1024),
        style=Style(
            scale="std",
            colormap="vik",
            theme="light",
            tile=20,
            columns=3,
            rows=4,
            order="mean",
            top=5,
            channels="0-7",
            font="f.ttf",
            small=True,
            bare=True,
        ),
        pictures=False,
        format="webp",
        raw=Path("a.npz"),
        html=Path("p.html"),
        html_size=3_000_000,
        labels=Path("l.txt"),
        same_scale=True,
        fail_fast=True,
        resume=True,
        force=True,
    )


def test_without_options_all_is_as_in_python(viewed: Callable[..., tuple[Any, ...]]) -> None:
    inputs, folder, options, _ = viewed()
    assert (list(inputs), folder) == ([], None)
    assert options == ViewOptions()
    assert viewed("--no-html")[2] == ViewOptions(html=False)
