"""An earlier overview as the pattern for new ones: which layers it shows, and which of their channels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnxviz.errors import InputError, NoMatchError
from onnxviz.graph.selection.choices import Choice
from onnxviz.results.record import LISTING

ShownChannels = Mapping[str, tuple[int, ...]]
"""The channels that an overview shows of each layer in it, by the name of the choice; none of a vector."""


def find_likeness(path: Path, choices: Sequence[Choice]) -> ShownChannels:
    """Return what the first overview of an earlier `view` shows, as layers of these choices.

    Layers are the same by their names. Where no name is known and both commands show as many layers, as of two exports
    of one network, they are the same by their order.

    Raises:
        InputError: The file cannot be read as a `view.json`.
        NoMatchError: None of its layers is among the choices.
    """
    names, shown = _read(path / LISTING if path.is_dir() else path)
    own = [choice.name for choice in choices]
    if set(own).isdisjoint(shown) and len(own) == len(names):
        shown = {mine: shown[name] for mine, name in zip(own, names, strict=True) if name in shown}
    found = {name: channels for name, channels in shown.items() if name in own}
    if not found:
        raise NoMatchError(f"the overview of {path} shows none of the {len(own)} layers that are chosen here")
    return found


def _read(path: Path) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """Return the names of all layers of the first run of a `view.json`, and the channels of those in its overview."""
    try:
        layers = json.loads(path.read_text(encoding="utf-8"))["runs"][0]["layers"]
        shown = {str(layer["name"]): layer["overview"] for layer in layers if layer["overview"] is not None}
        return [str(layer["name"]) for layer in layers], {
            name: tuple(int(channel) for channel in channels) for name, channels in shown.items()
        }
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}") from None
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{str(path)!r} is not a view.json with an overview to go by: {error!r}") from None
