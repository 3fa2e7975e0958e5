"""`serve`: listens at an address of this machine until it is interrupted."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from onnxviz.errors import RunError, UsageError
from onnxviz.model import Model
from onnxviz.opening import open
from onnxviz.serving.serve_options import LOOPBACK, ServeOptions
from onnxviz.serving.served_model import ServedModel


def serve(
    model: Model | str | os.PathLike[str],
    options: ServeOptions | None = None,
    ready: Callable[[str], None] = lambda address: None,
    noted: Callable[[str], None] = lambda text: None,
) -> None:
    """Serve a page on which pictures are dropped, pasted or taken, until it is interrupted.

    `ready` is called with the page's address, which holds a token: who has it may ask, nobody else; `noted` with what
    is to be said of the layers and the answers.

    Raises:
        RunError: The extra `serve` is not installed, or the address cannot be listened at.
        UnsupportedError: The model takes no pictures.
        UsageError: The host stands for every address of this machine: none of them would be a name to ask for.
    """
    options = options or ServeOptions()
    if options.host in ("", "0.0.0.0", "::"):
        raise UsageError(
            f"--host takes the one address by which others reach this machine, here {_own_address()}, "
            f"not {options.host or 'an empty text'}"
        )
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
        page = application(live, gate)
        config = uvicorn.Config(page, log_level="warning", access_log=False, server_header=False, limit_concurrency=256)
        if live.remark:
            noted(live.remark)
        ready(f"http://{options.host}:{port}/?token={gate.token}")
        uvicorn.Server(config).run(sockets=[listener])


def _own_address() -> str:
    """Return this machine's address in its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "192.168.1.20"


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
