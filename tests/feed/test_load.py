from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.feed.feed_options import FeedOptions
from tests.feed.feeding import COLOURS, feed, refusal, spec


def test_numbers_and_what_is_not_a_source() -> None:
    assert feed(spec("N", 2), {"x": [[1, 2], [3, 4]]}, FeedOptions()).arrays["x"].tolist() == [[1, 2], [3, 4]]
    assert feed(spec(2), {"x": (np.float32(1), 2)}, FeedOptions()).arrays["x"].tolist() == [1, 2]
    assert refusal(spec(1), object()) == (
        "object cannot be fed: give a path, a picture, an array, numbers or a mapping by input"
    )
    assert refusal(spec(1), {"x": []}).startswith("list cannot be fed: ")
    assert refusal(spec(1), {"x": [[1, 2], [3]]}).startswith("the list cannot be fed: ")


def test_a_list_of_sources_is_never_one_batch(picture: Path) -> None:
    path, array, image = str(picture), np.zeros((3, 2, 2), np.float32), Image.fromarray(COLOURS)
    expected = (
        "a list of 2 inputs is 2 runs, and one run is fed here: give them one by one, "
        "or a batch as one array (numpy.stack)"
    )
    for entries in ([path, path], [picture, picture], (array, array), [image, image], [array, path]):
        assert refusal(spec("N", 3, 2, 2), entries) == expected
        assert refusal(spec("N", 3, 2, 2), {"x": entries}) == expected
    assert refusal(spec("N", 2), [[1, 2], [3, 4]]) == expected


class Pipe(io.BytesIO):
    terminal = False

    def isatty(self) -> bool:
        return self.terminal


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes, *, terminal: bool = False) -> None:
    pipe = Pipe(data)
    pipe.terminal = terminal
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe))


def test_standard_input(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piped(monkeypatch, picture.read_bytes())
    result = feed(spec(1, 2, 2, 3), "-")
    assert result.arrays["x"][0].tolist() == COLOURS.tolist()
    assert (result.stem, result.fed[0].source) == ("stdin", "standard input")
    stream = io.BytesIO()
    np.save(stream, np.ones((1, 2, 2, 3), np.float32))
    piped(monkeypatch, stream.getvalue())
    assert feed(spec(1, 2, 2, 3), "-", FeedOptions()).arrays["x"].sum() == 12


def test_standard_input_without_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    what = "'-' stands for a picture or .npy file from a pipe"
    piped(monkeypatch, b"")
    assert refusal(spec(1, 2, 2, 3), "-") == f"standard input is empty: {what}"
    piped(monkeypatch, b"", terminal=True)
    assert refusal(spec(1, 2, 2, 3), "-") == f"nothing is piped into standard input: {what}"
