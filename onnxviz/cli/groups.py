"""Options that go together: each group is a function of its options that makes one value, which a command is given.

A command takes a group with a parameter such as `style: StyleGroup`, and `expanded` puts the options in its place.
"""

# Without `from __future__ import annotations`: the annotations are handed to typer as they are.
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from onnxviz.cli import parameters
from onnxviz.cli.parameters import option
from onnxviz.errors import UsageError

if TYPE_CHECKING:
    from onnxviz.draw.style import Style
    from onnxviz.feed.feed_options import FeedOptions
    from onnxviz.runtime.session import RunOptions


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes the options of its groups, and makes the groups' values of them.

    A parameter takes a group where its annotation names the group's function: `Annotated[Style, style_options]`.
    """
    options: list[inspect.Parameter] = []
    groups: dict[str, tuple[Callable[..., Any], list[str]]] = {}
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        group = next(filter(inspect.isfunction, getattr(parameter.annotation, "__metadata__", ())), None)
        own = [parameter] if group is None else list(inspect.signature(group).parameters.values())
        options += [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in own]
        if group is not None:
            groups[name] = group, [option.name for option in own]

    def run(**given: Any) -> None:
        values = {name: group(**{option: given.pop(option) for option in own}) for name, (group, own) in groups.items()}
        command(**given, **values)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return run


@dataclass(frozen=True, slots=True)
class SelectionOptions:
    """Which layers are meant, and which of their values."""

    layers: list[str] | None
    exclude: tuple[str, ...]
    tap: str


def selection_options(
    layers: parameters.Layers = None,
    exclude: parameters.Exclude = None,
    tap: parameters.Tap = "act",
) -> SelectionOptions:
    """Make the options of a selection."""
    return SelectionOptions(layers, tuple(exclude or ()), tap)


def style_options(
    scale: parameters.ScaleName = "auto",
    colormap: parameters.ColormapName = "auto",
    theme: parameters.ThemeName = "dark",
    tile: Annotated[int | None, option("--tile", "Size of a map on the picture.", "PX", min=1)] = None,
    columns: parameters.MapColumns = None,
    rows: Annotated[int | None, option("--rows", "Rows on a page.", "N", min=1)] = None,
    order: parameters.OrderName = "index",
    top: Annotated[int | None, option("--top", "Only the first K of that order; the page has all.", "K", min=1)] = None,
    channels: Annotated[
        str | None, option("--channels", "Only these, such as 0-15,32; the page has all.", "LIST")
    ] = None,
    query: parameters.AskedQuery = "auto",
    small: Annotated[bool, option("--small", "Smaller files in more time.")] = False,
    bare: Annotated[bool, option("--bare", "The maps alone: no title, captions, bars or rulers.")] = False,
    font: Annotated[str | None, option("--font", "A TrueType or OpenType font.", "FILE")] = None,
) -> "Style":
    """Make the style of the pictures."""
    from onnxviz.draw.style import Style

    return Style(
        scale=scale,
        colormap=colormap,
        theme=theme,
        tile=tile,
        columns=columns,
        rows=rows,
        order=order,
        top=top,
        channels=channels,
        query=query,
        font=font,
        small=small,
        bare=bare,
    )


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is written: pictures in a format, arrays, and a page of at most so many bytes, to be opened or not."""

    pictures: bool
    format: str
    gif: bool
    raw: Path | None
    html: bool | Path
    html_size: int
    open_page: bool


_HTML_SIZE = "40MB"


def output_options(
    format: Annotated[str, option("--format", "png, jpg, webp or tiff.", "NAME", "png jpg webp tiff")] = "png",
    no_pictures: Annotated[bool, option("--no-pictures", "Draw none: view.json and the page alone.")] = False,
    gif: Annotated[bool, option("--gif", "A film of the layers as well, of one in steps of its steps.")] = False,
    raw: Annotated[Path | None, option("--raw", "Store the arrays as well, whole and unscaled.", "FILE.npz")] = None,
    html: Annotated[
        Path | None, option("--html", "The page to explore; else report.html beside the pictures.", "FILE")
    ] = None,
    no_html: Annotated[bool, option("--no-html", "Make no page to explore.")] = False,
    html_size: Annotated[
        str, option("--html-size", "The page's largest size; it says what that takes.", "SIZE")
    ] = _HTML_SIZE,
    open_page: parameters.OpenPage = False,
) -> OutputOptions:
    """Make the options of what is written.

    Raises:
        UsageError: Two of them exclude each other, or one cannot be read.
    """
    if raw is not None and raw.suffix.lower() != ".npz":
        raise UsageError(f"--raw writes a .npz file, not {raw.name}")
    excluded = {"--html": html is not None, "--open": open_page, "--html-size": html_size != _HTML_SIZE}
    if no_html and any(excluded.values()):
        raise UsageError(f"--no-html excludes {next(name for name, given in excluded.items() if given)}")
    size = parameters.byte_count(html_size, "--html-size", 1000)
    return OutputOptions(not no_pictures, format, gif, raw, html if html is not None else not no_html, size, open_page)


def feed_options(
    preset: Annotated[
        str | None,
        option(
            "--preset",
            "imagenet, inception, caffe, zero-one ...",
            "NAME",
            "imagenet inception caffe efficientnet-lite yolo zero-one raw",
        ),
    ] = None,
    range: Annotated[str | None, option("--range", "What 0..255 is brought to.", "LO,HI")] = None,
    mean: Annotated[str | None, option("--mean", "Taken away after that; above 1 it is of 0..255.", "M[,M,M]")] = None,
    std: Annotated[str | None, option("--std", "Divided by after that.", "S[,S,S]")] = None,
    size: Annotated[str | None, option("--size", "Size to feed, such as 224x224 or 640.", "HxW")] = None,
    resize: Annotated[
        str | None, option("--resize", "squash, crop or letterbox.", "HOW", "squash crop letterbox")
    ] = None,
    filter: Annotated[
        str | None,
        option("--filter", "nearest, bilinear, bicubic or lanczos.", "NAME", "nearest bilinear bicubic lanczos"),
    ] = None,
    channel_order: Annotated[
        str | None, option("--channel-order", "Order of the channels fed.", "rgb|bgr", "rgb bgr")
    ] = None,
    draft: Annotated[bool, option("--draft", "Decode large JPEGs smaller: faster, numbers differ a little.")] = False,
    transform: Annotated[
        str, option("--transform", "For matrices with heavy tails: log.", "none|log", "none log")
    ] = "none",
    dim: Annotated[list[str] | None, option("--dim", "A size for a symbol; repeatable.", "NAME=N")] = None,
    random: Annotated[bool, option("--random", "Feed noise where nothing is given.")] = False,
    seed: Annotated[int | None, option("--seed", "The seed of that noise; else 0.", "N", min=0)] = None,
    constant: Annotated[float | None, option("--constant", "Feed one number everywhere.", "X")] = None,
) -> "FeedOptions":
    """Make the options of feeding.

    Raises:
        UsageError: A number or size cannot be read.
    """
    from onnxviz.feed.feed_options import FeedOptions

    return FeedOptions(
        preset=preset,
        range=parameters.pair(range, "--range"),
        mean=parameters.floats(mean, "--mean"),
        std=parameters.floats(std, "--std"),
        size=parameters.size(size),
        resize=resize,
        filter=filter,
        channel_order=channel_order,
        draft=draft,
        transform=transform,
        dims=parameters.dims(dim),
        random=(seed or 0) if random or seed is not None else None,
        constant=constant,
    )


@functools.wraps(feed_options)
def feed_options_if_given(**options: Any) -> "FeedOptions | None":
    """Make the options of feeding; None where none of them is given, for a command that need not feed."""
    defaults = inspect.signature(feed_options).parameters
    given = any(value != defaults[name].default for name, value in options.items())
    return feed_options(**options) if given else None


def run_options(
    device: parameters.DeviceName = "auto",
    exact: Annotated[bool, option("--exact", "Turn off all of onnxruntime's optimisation.")] = False,
    threads: Annotated[int, option("--threads", "Threads; 0 means one a core.", "N", min=0)] = 0,
    memory: Annotated[str, option("--memory", "Bound of the maps held at a time.", "SIZE")] = "512MiB",
    steps: Annotated[str, option("--steps", "Steps of Loops and Scans to show, from 0.", "A-B")] = "0-15",
) -> "RunOptions":
    """Make the options of running.

    Raises:
        UsageError: The memory or the steps cannot be read.
    """
    from onnxviz.runtime.session import RunOptions

    size, ends = parameters.byte_count(memory), parameters.ends(steps)
    return RunOptions(device=device, exact=exact, threads=threads, memory=size, steps=ends)


def sweep_options(
    classes: Annotated[
        str,
        option("--classes", "auto, folder, none, or a table of path and class.", "HOW|FILE.csv", "auto folder none"),
    ] = "auto",
    every: Annotated[int, option("--every", "Only each M-th picture.", "M", min=1)] = 1,
    workers: Annotated[
        int, option("--workers", "Threads that run the model, each with a session; 0 means one a core.", "N", min=0)
    ] = 1,
    dask: Annotated[
        str | None,
        option("--dask", "A Dask scheduler whose workers run the model, or local.", "ADDRESS|local", "local"),
    ] = None,
    batch: Annotated[int, option("--batch", "Pictures of one run.", "N", min=1)] = 1,
    restart: Annotated[bool, option("--restart", "Begin anew where an earlier start left something.")] = False,
) -> dict[str, Any]:
    """Make the fields of `SweepOptions` that say which pictures are taken, and who runs the model."""
    return {
        "classes": classes,
        "every": every,
        "workers": workers,
        "dask": dask,
        "batch": batch,
        "restart": restart,
    }


SelectionGroup = Annotated[SelectionOptions, selection_options]
StyleGroup = Annotated["Style", style_options]
OutputGroup = Annotated[OutputOptions, output_options]
FeedGroup = Annotated["FeedOptions", feed_options]
FeedGroupIfGiven = Annotated["FeedOptions | None", feed_options_if_given]
RunGroup = Annotated["RunOptions", run_options]
SweepGroup = Annotated[dict[str, Any], sweep_options]
