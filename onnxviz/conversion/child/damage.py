"""Weights that are not there or not whole: TensorFlow finds that out while it restores them, and says it in its way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .report import Refusal


@contextmanager
def damage_told(tensorflow: Any, what: str) -> Iterator[None]:
    """Let what fails in restoring be a Refusal that begins with `what` ("the checkpoint is").

    Raises:
        Refusal: Weights are missing, damaged or cut short.
    """
    try:
        yield
    except (tensorflow.errors.OpError, OSError, IndexError) as error:
        text = " ".join(str(error).split())
        if "Op type not registered" in text:
            raise
        reason = "missing" if "Failed to find any matching files" in text else "damaged or cut short"
        raise Refusal(f"{what} {reason}\ncopy the whole folder anew, variables and all") from error
