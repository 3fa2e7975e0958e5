"""What a shell completes: names that the value of an option may be, and selections of layers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

# A name comes from a file that anybody may have written, and zsh evaluates what it is offered. So a name that needs
# quotes, in a shell or in the selection language, is not offered.
_PLAIN_NAME = re.compile(r"[\w./:@%+-]+")


def one_of(names: str) -> Callable[[str], list[str]]:
    """Return what completes the value of an option in a shell: those of the names that begin as it does."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names.split() if name.startswith(incomplete)]

    return complete


def complete_colormaps(incomplete: str) -> list[str]:
    """Return the bundled colormaps that begin as a text does."""
    from onnxviz.draw.palette import COLORMAPS

    return one_of(" ".join(("auto", *COLORMAPS)))(incomplete)


def complete_selection(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the selection with its last term completed to each kind and layer of the model that begins as it does.

    The model is the one named before it; its weights are not read. Without a model all kinds are offered, and nothing
    where it cannot be opened as it is, such as a TensorFlow source.
    """
    term = re.split(r"[,&!(]\s*", incomplete)[-1]
    if "\\" in os.environ.get("COMP_WORDS", "").rpartition("\n")[2]:
        return []  # bash would put the word back without the backslashes that are typed in it
    # What stands before an option that lacks its value is not assigned to parameters.
    model = ctx.params.get("model") or next(iter(ctx.args), "")
    try:
        words = _words(str(model))
    except Exception:  # whatever it is, the command will say it; a prompt cannot
        return []
    return [incomplete.removesuffix(term) + word for word in words if word.startswith(term)]


def _words(model: str) -> Iterable[str]:
    if not model:
        from onnxviz.graph.selection.grammar import KEYWORDS

        return KEYWORDS
    from onnxviz.model import Model

    layers = Model.open(Path(os.path.expandvars(model)).expanduser()).catalogue
    names = (layer.name for layer in layers if _PLAIN_NAME.fullmatch(layer.name))
    return dict.fromkeys((*(layer.kind for layer in layers), *names))
