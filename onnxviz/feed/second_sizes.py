"""The second try of an input that was made up: where the model refuses its sizes, others may fit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from onnxviz.errors import ExecutionError, InputError
from onnxviz.feed.feed import Feed

SECOND_SIZES = (1, 8, 16, 32, 64, 224)
"""What every size that a model leaves open becomes, one after the other, where it refuses those that were guessed."""


class Tries:
    """The feeds of one source, of which the model may refuse those whose sizes are guessed; `feed` is the next."""

    def __init__(self, made: Callable[[int | None], Feed]) -> None:
        """Make the first feed; `made` is given what all open sizes become, or None for a guess of each.

        Raises:
            InputError: The source cannot be fed.
        """
        self.feed = made(None)
        self._made = made
        self._sizes = iter(SECOND_SIZES if self.feed.has_guesses else ())
        self._shapes: list[object] = []
        self._first: ExecutionError | None = None

    def refused(self, error: ExecutionError) -> None:
        """Go on to the next feed.

        Raises:
            ExecutionError: There is none; it is the first error of all.
        """
        self._first = self._first or error
        for size in self._sizes:
            with suppress(InputError):
                feed = self._made(size)
                shapes = [array.shape for array in feed.arrays.values()]
                if feed is not self.feed and shapes not in self._shapes:
                    self._shapes.append(shapes)
                    self.feed = feed
                    return
        raise self._first from None
