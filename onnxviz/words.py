"""Words for messages: safe names, near names, "a, b and 3 more", numbers, widths, and what is said only once."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from itertools import takewhile

_LONGEST_SHOWN = 60
_LONGEST_QUOTED = 120
_LONGEST_COMPARED = 200


def printable(text: str) -> str:
    """Return a text with all characters escaped that would move the cursor, change colours or turn the line round.

    >>> printable("a" + chr(27) + "[31m")
    'a\\\\x1b[31m'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def shown(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Return a name or text as it is safe to print, without the middle of a long one."""
    if len(text) > longest:
        text = text[: longest // 2] + "…" + text[-(longest // 2 - 1) :]
    return printable(text)


def quoted(name: str) -> str:
    """Return a name in quotes as an error shows it: control characters escaped, cut where it is absurdly long."""
    return repr(name if len(name) <= _LONGEST_QUOTED else name[:_LONGEST_QUOTED] + "…")


def listed(words: Iterable[str], most: int = 3) -> str:
    """Return words with commas between them, the first few of many.

    >>> listed("ab"), listed("abcde")
    ('a, b', 'a, b, c and 2 more')
    """
    every = list(words)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")


def common_path(names: Sequence[str]) -> str:
    """Return the parts that all names begin with and no name consists of.

    >>> common_path(["a/b/c", "a/b/d/e"]), common_path(["ab", "ac"])
    ('a/b/', '')
    """
    first, last = min(names), max(names)
    same = takewhile(lambda place: first[place : place + 1] == last[place], range(len(last)))
    return first[: first.rfind("/", 0, sum(1 for _ in same)) + 1]


def number_text(value: float, digits: int = 3) -> str:
    """Write a number for the eye, with so many digits where it has a fraction.

    >>> [number_text(value) for value in (0.0, 2.0, -0.12345, 110.4, 1234567, 3.2e-7, float("nan"), float("inf"))]
    ['0', '2', '-0.123', '110', '1.23e6', '3.2e-7', 'NaN', 'inf']
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return "0" if float(value) == 0 else text
    mantissa, exponent = text.split("e")
    # Thousands of a scale read better than 1.23e+03.
    return f"{value:.0f}" if 0 <= int(exponent) < 5 else f"{mantissa}e{int(exponent)}"


def near(word: str, candidates: Iterable[str], most: int = 3) -> str:
    """Return `; near: ...` with the candidates that look like a word or contain it, or an empty text.

    >>> near("vridis", ["viridis", "magma"]), near("cat", ["crate", "tiger cat"])
    ('; near: `viridis`', '; near: `tiger cat`, `crate`')
    """
    if not word or len(word) > _LONGEST_COMPARED:
        return ""
    plain = word.casefold()
    folded: dict[str, str] = {}
    for candidate in candidates:
        folded.setdefault(candidate.casefold(), candidate)
    folded.pop("", None)
    holding = sorted((name for name in folded if plain in name), key=len) if len(plain) > 2 else []
    as_a_word = [name for name in holding if plain in name.replace(",", " ").split()]
    close = get_close_matches(plain, folded, n=most, cutoff=0.6)
    found = list(dict.fromkeys((*as_a_word, *close, *holding)))[:most]
    return "; near: " + ", ".join(f"`{shown(folded[name])}`" for name in found) if found else ""


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for an East Asian letter, none for a combining mark.

    >>> width_of("conv"), width_of("\\u7573\\u307f\\u8fbc\\u307f")
    (4, 8)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return what says the first sentence that it is called with, and passes over all that follow.

    >>> note = once(print)
    >>> note("converted to opset 13"), note("converted to opset 13")
    converted to opset 13
    (None, None)
    """
    said: list[str] = []

    def first(text: str) -> None:
        if not said:
            said.append(text)
            say(text)

    return first


def size_text(count: int | None) -> str:
    """Return a number of bytes in the unit that fits.

    >>> size_text(1605632)
    '1.5 MiB'
    """
    if count is None:
        return "?"
    if count < 1024:
        return f"{count} B"
    power = min(3, (count.bit_length() - 1) // 10)
    return f"{count / 1024**power:.1f} {'KMG'[power - 1]}iB"
