"""`onnxviz demo`: the main job on the bundled model and a bundled picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onnxviz.cli import parameters
from onnxviz.cli.parameters import option
from onnxviz.cli.terminal import say


def demo(
    picture: Annotated[
        str,
        option(
            "--picture",
            "cat, coffee, rocket, camera, connectome or a file.",
            "NAME|FILE",
            "cat coffee rocket camera connectome",
        ),
    ] = "cat",
    output: Annotated[Path, option("-o --output", "The folder to make.", "DIR")] = Path("onnxviz-demo"),
    theme: parameters.ThemeName = "dark",
    device: parameters.DeviceName = "auto",
    show: Annotated[bool, option("--show", "Preview the overview in the terminal.")] = False,
    show_as: parameters.ShowAs = "auto",
    open_page: parameters.OpenPage = False,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    verbose: parameters.Verbose = False,
) -> None:
    """Look inside the bundled image classifier: all its convolution and pooling layers on a bundled picture.

    Example: onnxviz demo --picture coffee
    """
    from onnxviz import bundled
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.cli.view import report
    from onnxviz.draw.style import Style
    from onnxviz.feed.feed_options import FeedOptions
    from onnxviz.runtime.session import RunOptions
    from onnxviz.viewing.options import ViewOptions
    from onnxviz.viewing.view import view

    # A connectome's weights span five orders of magnitude; without a logarithm all but a few would be black.
    feed = FeedOptions(transform="log" if picture == "connectome" else "none")
    options = ViewOptions(feed=feed, run=RunOptions(device=device), style=Style(theme=theme), force=force)
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=not json) as observer:
        record = view(bundled.classifier(), str(bundled.picture(picture)), output, options, observer)
    report(record, observer, json=json, quiet=quiet, show=parameters.preview_of(show, show_as), open_page=open_page)
    if not quiet:
        say(f"open {record.report_path or output / record.runs[0].overview} first")
        say("your own: onnxviz view MODEL PICTURE; its layers: onnxviz layers MODEL")
