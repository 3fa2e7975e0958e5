"""Options that several commands share, and the functions that turn their texts into values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from onnxviz.cli.completion import complete_colormaps, complete_selection, one_of
from onnxviz.errors import UsageError


def model_path(text: str) -> Path:
    """Return a model's path. An empty text, such as an unset variable of a shell, does not mean the current folder.

    Raises:
        UsageError: The text is empty.
    """
    if not text:
        raise UsageError("the model's path is empty")
    return Path(text)


METHOD_NAMES = (
    "gradcam gradcam++ xgradcam hirescam layercam eigencam gradient gradient-input smoothgrad integrated guided "
    "deconvnet rollout occlusion rise"
)
"""The methods of `explain` and of `view --explain`."""


def comma_names(text: str) -> tuple[str, ...]:
    """Return names with commas between them.

    >>> comma_names("gradcam, rise,")
    ('gradcam', 'rise')
    """
    return tuple(name.strip() for name in text.split(",") if name.strip())


def option(names: str, text: str, metavar: str | None = None, values: str = "", **more: Any) -> Any:
    """Return an option; `values` are those that a shell completes. Typer's own type for it is not public."""
    if values:
        more["autocompletion"] = one_of(values)
    return typer.Option(*names.split(), metavar=metavar, help=text, **more)


ModelPath = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="An ONNX file, or what onnxviz convert takes.", show_default=False, parser=model_path
    ),
]
InputFiles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT...",
        help="Pictures, .npy, .npz, .csv, .wav, .txt, folders, globs, NAME=FILE, or -.",
        show_default=False,
    ),
]
Layers = Annotated[
    list[str] | None,
    option(
        "--layers",
        "What to take, such as conv or 'conv[0],pool'; may be repeated.",
        "SEL",
        autocompletion=complete_selection,
    ),
]
Exclude = Annotated[
    list[str] | None, option("--exclude", "What to leave out.", "SEL", autocompletion=complete_selection)
]
Tap = Annotated[str, option("--tap", "act: after norm and nonlinearity; op: before.", "act|op", "act op")]
ThemeName = Annotated[str, option("--theme", "dark or light.", "dark|light", "dark light")]
ScaleName = Annotated[
    str,
    option(
        "--scale",
        "auto, clipped, channel, signed, layer, percentile, symmetric, std or fixed:LO,HI.",
        "MODE",
        "auto clipped channel signed layer percentile symmetric std fixed:",
    ),
]
ColormapName = Annotated[
    str, option("--colormap", "viridis, magma, gray, vik ...", "NAME", autocompletion=complete_colormaps)
]
MapColumns = Annotated[int | None, option("--columns", "Maps in a row.", "N", min=1)]
OrderName = Annotated[str, option("--order", "index, deviation, mean or listed.", "HOW", "index deviation mean listed")]
TopCount = Annotated[int | None, option("--top", "Only the first K of that order.", "K", min=1)]
ChannelList = Annotated[str | None, option("--channels", "Only these, such as 0-15,32.", "LIST")]
DeviceName = Annotated[
    str,
    option(
        "--device", "auto, cpu, cuda, cuda:1, openvino ...", "NAME", "auto cpu cuda tensorrt openvino directml coreml"
    ),
]
SameScale = Annotated[bool, option("--same-scale", "One --scale for a layer of all inputs; runs each twice.")]
Like = Annotated[Path | None, option("--like", "Overviews with the layers and channels of an earlier one.", "DIR")]
Units = Annotated[Path | None, option("--units", "What mine left: strongest patches, on the page.", "DIR")]
Labels = Annotated[Path | None, option("--labels", "Class names, one a line; else the model's own.", "FILE")]
Resume = Annotated[bool, option("--resume", "Go on where this command was interrupted.")]
FailingShares = Annotated[
    str | None, option("--fail-on", "Exit with 7 past such shares, as nan,inf,dead=0.5,saturated=0.05.", "LIST")
]
FailFast = Annotated[bool, option("--fail-fast", "Stop at the first input that cannot be used.")]
OpenPage = Annotated[bool, option("--open", "Open the page in the browser.")]
Json = Annotated[bool, option("--json", "Print one JSON document.")]
ShowAs = Annotated[
    str,
    option(
        "--show-as",
        "auto, kitty, sixel or blocks: how --show draws.",
        "HOW",
        "auto kitty sixel blocks",
        callback=lambda text: one_of_words(text, "--show-as", SHOWN_AS),
    ),
]
AskedQuery = Annotated[
    str,
    option(
        "--query",
        "Whose attention: Y,X of its tokens, a number, class, mean or matrix.",
        "TOKEN",
        "class mean matrix",
    ),
]
Force = Annotated[bool, option("--force", "Replace what exists.")]
Quiet = Annotated[bool, option("--quiet -q", "Say nothing but results and errors.")]
Verbose = Annotated[bool, option("--verbose -v", "Say each session and each layer with the seconds since the start.")]


SHOWN_AS = ("auto", "kitty", "sixel", "blocks")
"""How a terminal may be told to draw pictures."""


def one_of_words(text: str, option: str, words: Sequence[str]) -> str:
    """Return a text that is one of some words.

    Raises:
        UsageError: It is another.
    """
    if text not in words:
        raise UsageError(f"{option} takes {', '.join(words[:-1])} or {words[-1]}, not {text!r}")
    return text


def preview_of(show: bool, show_as: str) -> str:
    """Return how pictures are previewed, empty for not at all: `--show-as` alone asks for it, too."""
    return show_as if show or show_as != "auto" else ""


def floats(text: str | None, option: str) -> tuple[float, ...] | None:
    """Return the numbers of a comma-separated text.

    Raises:
        UsageError: One of them is not a number.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} takes numbers with commas between them, not {text!r}") from None


def pair(text: str | None, option: str) -> tuple[float, float] | None:
    """Return two numbers of a text such as `-1,1`."""
    numbers = floats(text, option)
    if numbers is None:
        return None
    if len(numbers) != 2:
        raise UsageError(f"{option} takes two numbers, such as -1,1, not {text!r}")
    return numbers[0], numbers[1]


def size(text: str | None) -> tuple[int, int] | None:
    """Return height and width of a text such as `480x640`, or `640` for a square.

    >>> size("480x640")
    (480, 640)
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) for part in parts):
        raise UsageError(f"--size takes height x width, such as 480x640, or one number for a square, not {text!r}")
    return int(parts[0]), int(parts[-1])


def length(text: str, option: str = "--width") -> float:
    """Return centimetres of a text such as `8.9cm`, `89mm`, `3.5in`, `252pt` or `8.9`.

    >>> length("89mm"), length("8.9")
    (8.9, 8.9)
    """
    units = {"cm": 1.0, "mm": 0.1, "in": 2.54, "pt": 2.54 / 72}
    bare = text.strip().lower()
    unit = bare[-2:] if bare[-2:] in units else ""
    try:
        number = float(bare.removesuffix(unit))
    except ValueError:
        raise UsageError(f"{option} takes a length such as 8.9cm, 89mm or 3.5in, not {text!r}") from None
    return round(number * units[unit or "cm"], 6)


def labels_of(text: str | None) -> tuple[str, ...] | None:
    """Return the labels of a text with commas between them."""
    return None if text is None else tuple(part.strip() for part in text.split(","))


def byte_count(text: str, option: str = "--memory", kilo: int = 1024) -> int:
    """Return the bytes of a text such as `512MiB`, `2GB` or `1000000`; a k is `kilo` unless it is written ki.

    >>> byte_count("512MiB"), byte_count("40MB", "--html-size", 1000)
    (536870912, 40000000)
    """
    if text.strip().lower().removesuffix("b").endswith("i"):
        kilo = 1024
    units = {"": 1, "k": kilo, "m": kilo**2, "g": kilo**3}
    bare = text.strip().lower().removesuffix("b").removesuffix("i")
    number, unit = (bare[:-1], bare[-1]) if bare and bare[-1] in units else (bare, "")
    try:
        count = int(float(number) * units[unit])
    except (ValueError, OverflowError):
        count = 0
    if count < 1:
        raise UsageError(f"{option} takes a size such as 512MiB or 2GiB, not {text!r}")
    return count


def ends(text: str) -> tuple[int, int]:
    """Return the first and the last number of a text such as `0-15`, or `7` for one alone.

    >>> ends("16-31"), ends("7")
    ((16, 31), (7, 7))
    """
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise UsageError(f"--steps takes the first and the last, such as 0-15, or one number, not {text!r}")
    return int(first), int(last or first)


def dims(texts: Sequence[str] | None) -> dict[str, int]:
    """Return sizes by symbol of texts such as `batch=1`."""
    found: dict[str, int] = {}
    for text in texts or ():
        name, _, number = text.rpartition("=")
        if not name or not number.isdecimal():
            raise UsageError(f"--dim takes NAME=N, such as height=480, not {text!r}")
        found[name] = int(number)
    return found


DataSet = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Folders with all below them, globs, pictures, @list.txt, .npy batches.",
        show_default=False,
    ),
]
Estimate = Annotated[bool, option("--estimate", "Say what it will take, and write nothing.")]
