"""`serve`: listens at an address of this machine until it is interrupted."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from onnxviz.errors import RunError
from onnxviz.model import Model
from onnxviz.opening import open
from onnxviz.serving.serve_options import LOOPBACK, ServeOptions
from onnxviz.serving.served_model import ServedModel


def serve(
    model: Model | str | os.PathLike[str],
    options: ServeOptions | None = None,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve a page on which pictures are dropped, pasted or taken, until it is interrupted.

    `ready` is called with the page's address, which holds a token: who has it may ask, nobody else.

    Raises:
        RunError: The extra `serve` is not installed, or the address cannot be listened at.
        UnsupportedError: The model takes no pictures.
    """
    options = options or ServeOptions()
    try:
        import uvicorn

        from onnxviz.serving.application import application
        from onnxviz.serving.gate import Gate
    except ImportError as error:
        raise RunError(f"serving needs the extra serve: pip install 'onnxviz[serve]' ({error})") from None
    live = ServedModel(model if isinstance(model, Model) else open(model), options)
    with _listening(options) as listener:
        port = listener.getsockname()[1]
        names = {options.host, *(("localhost",) if options.host == LOOPBACK else ())}
        gate = Gate(frozenset(f"{name}:{port}" for name in names))
        config = uvicorn.Config(
            application(live, gate), log_level="warning", access_log=False, server_header=False, limit_concurrency=256
        )
        ready(f"http://{options.host}:{port}/?token={gate.token}")
        uvicorn.Server(config).run(sockets=[listener])


def _listening(options: ServeOptions) -> socket.socket:
    try:
        listener = socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        listener.listen()  # who comes before the server runs waits
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot listen at {options.host}:{options.port}: {reason}; --port takes another") from None
    return listener
