"""What a command is: its model, layers, options and inputs, by which its repetition is known as such."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.feed.feed import Feed
from onnxviz.feed.load import STANDARD_INPUT
from onnxviz.model import Model
from onnxviz.version import __version__

CommandFacts = Mapping[str, Any]
"""What a command is, of JSON's types alone."""

# Characters of a value that an error shows.
_LONGEST = 60

_PARTS = {
    "onnxviz": "the version of onnxviz",
    "model": "the model",
    "layers": "the selection of layers",
    "data": "the data set",
}


def command_facts(
    model: Model, values: Sequence[str], options: Mapping[str, Any], sources: Sequence[Any]
) -> CommandFacts:
    """Return what a command is: its model, the values that it shows, its options, and its inputs.

    A file is the same while its path, size and time of change are; of arrays and images the values count.
    """
    parts = {
        "onnxviz": __version__,
        "model": [_identity(path) for path in model.file.needed],
        "layers": list(values),
        "options": {name: _plain(value) for name, value in options.items()},
        "inputs": [_identity(source) for source in sources],
    }
    found: CommandFacts = json.loads(json.dumps(parts, default=str))
    return found


def difference_words(before: CommandFacts, now: CommandFacts) -> str:
    """Return in words in what two commands differ, empty if they are the same."""
    part = next((part for part in now if before.get(part) != now[part]), "")
    if part == "options":
        return _other_option(before[part], now[part])
    if part == "inputs":
        return _other_input(before[part], now[part])
    return part and f"{_PARTS[part]} is another, or has changed"


def _identity(source: Any) -> Any:
    """Return what a source is known by."""
    if isinstance(source, str) and source == STANDARD_INPUT:
        return source
    if isinstance(source, str | Path):
        path = Path(source).absolute()
        try:
            found = path.stat()
        except OSError:
            return [str(path), None, None]
        return [str(path), found.st_size, found.st_mtime_ns]
    if isinstance(source, Mapping):
        return {name: _identity(each) for name, each in source.items()}
    if isinstance(source, Feed):
        return _identity(source.arrays)
    if isinstance(source, int | float | None):
        return source
    array = np.ascontiguousarray(source)
    content = array.tobytes() if array.dtype.kind != "O" else repr(source).encode()
    return {"shape": array.shape, "dtype": str(array.dtype), "sha256": hashlib.sha256(content).hexdigest()}


def _plain(value: Any) -> Any:
    """Return an option as JSON holds it; a file of options, such as one of class names, with its time of change."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return _identity(value) if isinstance(value, Path) else value


def _other_option(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    name = next(name for name in now if before.get(name) != now[name])
    old, new = before.get(name), now[name]
    if isinstance(old, dict) and isinstance(new, dict):
        return _other_option(old, new)
    return f"the option {name.replace('_', '-')} was {json.dumps(old)[:_LONGEST]} and is {json.dumps(new)[:_LONGEST]}"


def _other_input(before: Sequence[Any], now: Sequence[Any]) -> str:
    if len(before) != len(now):
        return f"there were {len(before)} inputs and there are {len(now)}"
    old, new = next((old, new) for old, new in zip(before, now, strict=True) if old != new)
    files = isinstance(old, list) and isinstance(new, list)
    if files and old[0] == new[0]:
        return f"the input {new[0]} has changed"
    return f"the input {new[0]} was {old[0]}" if files else "the inputs are others"
