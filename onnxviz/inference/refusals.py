"""Values that were chosen and of which a run has nothing to show: why, and what is done about it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from onnxviz.errors import ExecutionError, OnnxvizError, UnsupportedError
from onnxviz.graph.selection.choices import Choice
from onnxviz.runtime.narrow_types import Unreadable

LeftOut = Callable[[Choice, str], None]
"""Called with each of several choices that cannot be shown, and why."""


def warn(choice: Choice, reason: str) -> None:
    """Warn that a choice is left out of the activations of a run.

    Raises:
        UnsupportedError: It was asked for by its own name.
    """
    if choice.tap == "value":
        raise refusal(choice, reason)
    warnings.warn(f"{choice.name!r} is left out: {reason}", stacklevel=2)


def refusal(choice: Choice, reason: str, *, another_may: bool = False) -> OnnxvizError:
    """Return the error that says why a choice cannot be shown; for another input it may be."""
    return (ExecutionError if another_may else UnsupportedError)(f"{choice.name!r} cannot be shown: {reason}")


def reason_against(result: Any) -> str:
    """Return why a result of a run cannot be shown; empty for an array, which can."""
    if isinstance(result, np.ndarray):
        return ""
    if isinstance(result, Unreadable):
        return f"of type {result.type}, which onnxruntime does not hand out"
    if result is None:
        return "nothing came out: it is an optional without a value"
    return f"not a tensor but a {'map' if isinstance(result, dict) else type(result).__name__}"
