"""Globs over names with parts: `*` stays within a part, `**` crosses parts; `/` and `.` part alike.

A glob is run as a set of places in the pattern, the bits of one integer, so that none takes more than linear time: a
regular expression with several stars can take minutes on a long name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

_TOKEN = re.compile(r"\*+|[^*]")
_REPEATED = re.compile(r"(?<![^/])\*\*+(?:/\*\*+)+(?![^/])")


def name_matcher(pattern: str, *, literal: bool = False) -> Callable[[str], bool]:
    """Return the test whether a whole name fits the pattern; a leading `/` is ignored on both sides.

    `**` as a whole part stands for any number of parts, none included. `literal` makes a star an ordinary character.

    >>> name_matcher("layer1.**")("/layer1/layer1.0/conv1/Conv")
    True
    >>> name_matcher("layer1.*")("layer10.0")
    False
    """
    plain = _plain(pattern)
    if literal or "*" not in plain:
        return lambda name: _plain(name) == plain
    # A `/` beside a `**` may be missing from the name, so that it proves nothing.
    fragments = [fragment for piece in plain.split("*") if (fragment := piece.strip("/"))]
    shortest = sum(map(len, fragments))
    automaton = cache(lambda: _Automaton.build(plain))

    def fits(name: str) -> bool:
        name = _plain(name)
        # Most names fail here, and a pattern longer than all names is never built.
        if shortest > len(name) or not all(fragment in name for fragment in fragments):
            return False
        return automaton().accepts(name)

    return fits


def _plain(name: str) -> str:
    return name.replace(".", "/").removeprefix("/")


@dataclass(frozen=True, slots=True)
class _Automaton:
    """Bit `i` of a state is set where the first `i` tokens of the pattern can have been read."""

    advancing: defaultdict[str, int]  # literal token -> its places
    within: int  # places of `*`
    across: int  # places of `**`
    skipped: int  # places of a `**` that may go with the `/` after it, where a part of the name starts
    accepted: int  # states in which the name may end

    @classmethod
    def build(cls, plain: str) -> _Automaton:
        tokens = ["**" if piece[1:] else piece for piece in _TOKEN.findall(_REPEATED.sub("**", plain))]
        places: defaultdict[str, int] = defaultdict(int)
        skipped, accepted = 0, 1 << len(tokens)
        for place, token in enumerate(tokens):
            places[token] |= 1 << place
            if token == "**" and (place == 0 or tokens[place - 1] == "/"):
                if tokens[place + 1 : place + 2] == ["/"]:
                    skipped |= 1 << place
                elif place and place + 1 == len(tokens):
                    accepted |= 1 << (place - 1)
        return cls(places, places.pop("*", 0), places.pop("**", 0), skipped, accepted)

    def accepts(self, name: str) -> bool:
        state = self._closed(1, starts=True)
        for character in name:
            starts = character == "/"
            stays = state & (self.across if starts else self.across | self.within)
            state = self._closed(((state & self.advancing.get(character, 0)) << 1) | stays, starts=starts)
            if not state:
                return False
        return bool(state & self.accepted)

    def _closed(self, state: int, *, starts: bool) -> int:
        """Add the places that are reached without a character; `starts` tells that a part of the name starts here."""
        stars, skipped = self.within | self.across, self.skipped if starts else 0
        while True:
            wider = state | ((state & stars) << 1) | ((state & skipped) << 2)
            if wider == state:
                return state
            state = wider
