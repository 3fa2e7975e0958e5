"""Globs over names with parts: `*` stays within a part, `**` crosses parts; `/` and `.` part alike.

A glob is run as a set of places in the pattern, the bits of one integer, so that none takes more than linear time: a
regular expression with several stars can take minutes on a long name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

_TOKEN = re.compile(r"\*+|[^*]")
_SLASHES = re.compile("//+")
_REPEATED = re.compile(r"(?<![^/])\*\*+(?:/\*\*+)+(?![^/])")


def plain_name(name: str) -> str:
    """Return a name as globs see it: `/` and `.` are one, several in a row too, and a leading one is nothing.

    >>> plain_name("/layer1/layer1.0/conv1"), plain_name("call//conv1")
    ('layer1/layer1/0/conv1', 'call/conv1')
    """
    plain = name.replace(".", "/")
    return (_SLASHES.sub("/", plain) if "//" in plain else plain).removeprefix("/")


def fitting_names(pattern: str, names: Collection[str], *, literal: bool = False) -> Collection[str]:
    """Return which of these plain names fit the pattern as a whole; a leading `/` of it is ignored.

    `**` as a whole part stands for any number of parts, none included. `literal` makes a star an ordinary character.

    >>> names = [plain_name(name) for name in ("/layer1/layer1.0/conv1/Conv", "layer10.0")]
    >>> fitting_names("layer1.**", names), fitting_names("layer10.*", names)
    (['layer1/layer1/0/conv1/Conv'], ['layer10/0'])
    """
    plain = plain_name(pattern)
    if literal or "*" not in plain:
        return [plain] if plain in names else []
    # A `/` beside a `**` may be missing from the name, so that it proves nothing. Most names fail at the longest piece,
    # which is looked for in all of them at once.
    fragments = sorted({piece.strip("/") for piece in plain.split("*")} - {""}, key=len, reverse=True)
    for fragment in fragments:
        names = [name for name in names if fragment in name]
    if not names:
        return []
    automaton = _Automaton.build(plain)
    return [name for name in names if automaton.accepts(name)]


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
