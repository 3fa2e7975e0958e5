"""What a shell completes: the names that the value of an option may be."""

from __future__ import annotations

from collections.abc import Callable


def one_of(names: str) -> Callable[[str], list[str]]:
    """Return what completes the value of an option in a shell: those of the names that begin as it does."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names.split() if name.startswith(incomplete)]

    return complete


def complete_colormaps(incomplete: str) -> list[str]:
    """Return the bundled colormaps that begin as a text does."""
    from onnxviz.draw.palette import COLORMAPS

    return one_of(" ".join(("auto", *COLORMAPS)))(incomplete)
