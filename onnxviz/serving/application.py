"""The page and its answers as an ASGI application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from onnxviz.errors import InputError, OnnxvizError
from onnxviz.serving.gate import MOST_BYTES, Gate
from onnxviz.serving.served_model import ServedModel, places_of

MOST_WAITING = 32
"""Pictures that wait for the model at most; the page of a further one is asked to come again."""

_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}


def application(live: ServedModel, gate: Gate) -> Starlette:
    """Return the application: `GET /` is the page, `POST /update` takes a picture and returns its maps.

    The model runs in one thread, one picture after the other; nothing is stored, and no file can be asked for.

    Raises:
        InputError: The picture with which the page begins cannot be read.
    """
    return Starlette(routes=_Answers(live, gate).routes)


class _Answers:
    def __init__(self, live: ServedModel, gate: Gate) -> None:
        self._live = live
        self._gate = gate
        self._page = live.page(gate.token)
        self._waiting = 0
        self._one = CapacityLimiter(1)
        self.routes = [Route("/", self.page), Route("/update", self.update, methods=["POST"])]

    async def page(self, request: Request) -> Response:
        self._check(request)
        return Response(self._page, media_type="text/html", headers=_HEADERS)

    async def update(self, request: Request) -> Response:
        self._check(request)
        picture = await _body(request)
        wanted = places_of(request.query_params.get("layers", ""))
        if self._waiting >= MOST_WAITING:
            raise HTTPException(503, "the model is busy with other pictures", {"Retry-After": "1"})
        self._waiting += 1
        try:
            found = await to_thread.run_sync(self._live.update, picture, wanted, limiter=self._one)
        except OnnxvizError as error:
            return PlainTextResponse(str(error), 400 if isinstance(error, InputError) else 500, _HEADERS)
        finally:
            self._waiting -= 1
        return Response(found, media_type="application/json", headers=_HEADERS)

    def _check(self, request: Request) -> None:
        refusal = self._gate.refusal(request.headers, request.query_params.get("token", ""))
        if refusal:
            raise HTTPException(403, refusal)


async def _body(request: Request) -> bytes:
    """Return what a request carries, and read no more of it than a picture may have."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise HTTPException(413, f"a picture may have {MOST_BYTES // 1_000_000} MB at most")
        parts.append(part)
    return b"".join(parts)
