"""A reader of reports that shares no code with what writes them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest


class Elements(HTMLParser):
    """All elements of a page in order, each with its attributes and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))
        self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            tag, attributes, text = self.found[-1]
            self.found[-1] = tag, attributes, text + data


@dataclass(frozen=True)
class ReadReport:
    """A report as a browser would take it apart."""

    text: str
    elements: list[tuple[str, dict[str, str | None], str]]

    @property
    def index(self) -> Mapping[str, Any]:
        (found,) = (text for _, attributes, text in self.elements if attributes.get("id") == "index")
        return json.loads(found)

    @property
    def policy(self) -> str:
        (found,) = (each["content"] for tag, each, _ in self.elements if tag == "meta" and "http-equiv" in each)
        return str(found)

    @property
    def blocks(self) -> dict[int, bytes]:
        return {
            int(str(attributes["id"]).removeprefix("block-")): zlib.decompress(base64.b64decode(text, validate=True))
            for tag, attributes, text in self.elements
            if tag == "script" and str(attributes.get("id")).startswith("block-")
        }

    def numbers(self, place: int, name: str, run: int = 0) -> np.ndarray:
        """Return a statistic of the stored channels of a layer."""
        part = self.index["layers"][place]["runs"][run]
        return np.frombuffer(base64.b64decode(part["stats"][name]), "<f8" if part.get("wide") else "<f4")

    def values(self, place: int, run: int = 0) -> np.ndarray:
        """Return the values of a layer, (kept channels, *extent) float64."""
        layer = self.index["layers"][place]
        part = layer["runs"][run]
        data = self.blocks[part["block"]]
        if part["exact"]:
            return np.frombuffer(data, "<f8" if part.get("wide") else "<f4").astype(np.float64)
        shape = (len(layer["kept"]), *part.get("extent", layer["extent"]))
        count = (2 if part["extra"] else 1) * int(np.prod(shape))
        planes = np.frombuffer(data, np.uint8, count).reshape(-1, *shape)
        ends = [self.numbers(place, name, run).astype(np.float64) for name in ("low", "high")]
        low, high = (end.reshape(-1, *[1] * (len(shape) - 1)) for end in ends)
        with np.errstate(all="ignore"):
            share = (planes[0] + 0.5) / 256
            values = np.where(high == low, low, low * (1 - share) + high * share)
        # A bit for each code 0 and 255 in turn, eight to a byte: whether the value is that end itself.
        bits = (f"{byte:08b}" for byte in data[count:])
        exact = iter("".join(bits))
        for place in np.argwhere((planes[0] == 0) | (planes[0] == 255)):
            if next(exact) == "1":
                values[tuple(place)] = (high if planes[0][tuple(place)] else low)[place[0]].item()
        if part["extra"]:
            for mark, value in ((1, np.nan), (2, np.inf), (3, -np.inf)):
                values = np.where(planes[1] == mark, value, values)
        return values


@pytest.fixture
def read_report() -> Callable[[Path], ReadReport]:
    def read(path: Path) -> ReadReport:
        text = path.read_bytes().decode("utf-8")
        parser = Elements()
        parser.feed(text)
        parser.close()
        return ReadReport(text, parser.found)

    return read


@pytest.fixture
def assert_close() -> Callable[[np.ndarray, np.ndarray], None]:
    """Compare what a report holds with the maps (C, ...): within range / 512 of each channel, non-finite exactly."""

    def check(stored: np.ndarray, maps: np.ndarray) -> None:
        assert stored.shape == maps.shape
        for found, true in zip(stored, maps.astype(np.float64), strict=True):
            finite = np.isfinite(true)
            assert np.array_equal(np.isnan(found), np.isnan(true))
            assert np.array_equal(found[~finite & ~np.isnan(true)], true[~finite & ~np.isnan(true)])
            if finite.any():
                low, high = true[finite].min(), true[finite].max()
                with np.errstate(all="ignore"):
                    # What float64 rounds in decoding, and float32 in encoding, comes on top.
                    room = (high / 512 - low / 512) * (1 + 1e-4) + np.spacing(max(abs(low), abs(high)))
                    assert (np.abs(found[finite] - true[finite]) <= room).all()

    return check
