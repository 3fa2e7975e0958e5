"""Who may ask: the holder of the token, in a browser that shows this page and no other."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_BYTES = 20_000_000
"""Bytes of the largest picture file that is taken."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a request must carry.

    A page of another site can send requests to this machine; it knows no token, its browser names another Origin, and
    where it has turned its own name to this machine's address, another Host.

    Attributes:
        hosts: the names, with the port, under which the page is reached.
        token: the secret in the page's address.
    """

    hosts: frozenset[str]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def refusal(self, headers: Mapping[str, str], token: str) -> str:
        """Return why a request is refused, empty if it is not; header names are in small letters."""
        if headers.get("host", "") not in self.hosts:
            return "this page is reached under another address: take the one that onnxviz serve printed"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] not in self.hosts:
            return "a page of another origin may not ask"
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return "the token is missing or wrong: take the whole address that onnxviz serve printed"
        return ""
