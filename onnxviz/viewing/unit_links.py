"""What `mine` found, for the page of `view`: beside a channel its strongest patches, and the way to its unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from onnxviz.errors import InputError
from onnxviz.graph.selection.choices import Choice
from onnxviz.mining.mined import Mined
from onnxviz.mining.sprites import address_of, sheets_of, spots_of
from onnxviz.mining.units_page import PAGE
from onnxviz.model import Model
from onnxviz.reporting.contents import LinkedUnits
from onnxviz.words import listed, quoted


def link_units(
    folder: Path, page: Path, model: Model, choices: Sequence[Choice], noted: Callable[[str], None]
) -> Mapping[str, LinkedUnits]:
    """Return what a folder of `mine` has of these choices, by name, with addresses as seen from a page.

    Layers are the same if they have the same name and as many channels. What a user should know is `noted`.

    Raises:
        InputError: The folder holds nothing of `mine`, or none of these layers.
    """
    mined, address = Mined.load(folder), address_of(folder, page)
    counts = {choice.name: choice.layer and choice.layer.channels for choice in choices}
    found = {name: mined[name] for name, count in counts.items() if name in mined and count in (None, len(mined[name]))}
    source = f"{folder}, mined of {mined.document['model']},"
    if not found:
        raise InputError(f"{source} has none of the layers that are chosen here: it has {listed(map(quoted, mined))}")
    if len(found) < len(counts):
        noted(f"{source} has {len(found)} of the {len(counts)} layers")
    sizes = [size for _, size, _ in mined.document["command"]["model"]]
    if sizes != [path.stat().st_size for path in model.file.needed]:
        noted(f"{source} is of another file than this model: its layers are taken by their names")
    words = f"of {mined.used:,} picture{'s' * (mined.used != 1)}"
    return {
        name: LinkedUnits(f"{address}{PAGE}", words, sheets_of(units, address), spots_of(units))
        for name, units in found.items()
    }
