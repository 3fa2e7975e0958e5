"""`onnxviz serve`: a page of this machine on which pictures are dropped."""

from __future__ import annotations

from typing import Annotated

from onnxviz.cli import groups, parameters
from onnxviz.cli.parameters import METHOD_NAMES, option
from onnxviz.cli.terminal import say


def serve(
    model: parameters.ModelPath,
    *,
    selection: groups.SelectionGroup,
    port: Annotated[int, option("--port", "The port; 0 takes one that is free.", "N", min=0)] = 0,
    host: Annotated[
        str, option("--host", "The address to listen at; another than this machine's own is open to others.", "ADDRESS")
    ] = "127.0.0.1",
    method: Annotated[
        str, option("--method", "Methods that explain the answers, or none.", "LIST", METHOD_NAMES)
    ] = "gradcam",
    picture: Annotated[str | None, option("--picture", "What the page begins with; else a cat.", "FILE")] = None,
    labels: parameters.Labels = None,
    theme: parameters.ThemeName = "dark",
    feed: groups.FeedGroup,
    run: groups.RunGroup,
    open_page: parameters.OpenPage = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Serve a page of this machine: drop a picture on it, paste one or use the camera, and the maps follow.

    Example: onnxviz serve model.onnx --open
    """
    from onnxviz.cli.stages import open_model
    from onnxviz.draw.style import Style
    from onnxviz.serving.serve import serve as run_server
    from onnxviz.serving.serve_options import LOOPBACK, ServeOptions

    options = ServeOptions(
        layers=selection.layers,
        exclude=selection.exclude,
        tap=selection.tap,
        feed=feed,
        run=run,
        style=Style(theme=theme),
        labels=labels,
        explain=() if method == "none" else parameters.comma_names(method),
        picture=picture,
        host=host,
        port=port,
    )

    def ready(address: str) -> None:
        print(address, flush=True)
        if not quiet:
            say("open this address; only who has it may ask. Ctrl-C ends.")
            if host != LOOPBACK:
                say(f"ATTENTION: {host} is open to other machines, and what they send is not encrypted")
        if open_page:
            import webbrowser

            webbrowser.open(address)

    try:
        run_server(open_model(model, quiet=quiet), options, ready, noted=say)
    except KeyboardInterrupt:  # the way to end it
        say("ended")
