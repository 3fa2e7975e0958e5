"""The names that an author gave, found in those of a graph's nodes by taking off what TensorFlow put around them."""

from __future__ import annotations

import re

_CALLS = re.compile(r"^(?:(?:Stateful)?PartitionedCall(?:_\d+)?/)+")
_COUNTED = re.compile(r"_\d+$")


def authors_names(names: list[str]) -> list[str]:
    """Return the names without TensorFlow's calls and without the counter that Keras 3 appends when it traces again.

    The counter goes only where all scopes at a level end in the same counter as the model's own scope, so that names
    stay different. A layer that is then still called `conv_1` was called so by its author. Names without a scope stay.

    >>> authors_names(["StatefulPartitionedCall/net_1/a_1/convolution", "StatefulPartitionedCall/net_1/b_2_1/Relu"])
    ['net/a/convolution', 'net/b_2/Relu']
    >>> authors_names(["net_1/a/convolution", "net_1/b_1/Relu"])
    ['net_1/a/convolution', 'net_1/b_1/Relu']
    """
    plain = [_CALLS.sub("", name) for name in names]
    if len(set(plain)) < len(plain):
        return names
    roots = {name.partition("/")[0] for name in plain if "/" in name}
    counter = _COUNTED.search(next(iter(roots))) if len(roots) == 1 else None
    split = [name.split("/") for name in plain]
    if counter is None or not _all_end_in(split, 1, counter.group()):
        return plain
    return ["/".join(parts) for parts in _without(split, counter.group())]


def _all_end_in(split: list[list[str]], level: int, counter: str) -> bool:
    """Return whether there are scopes at a level, and all end in the counter."""
    scopes = {parts[level] for parts in split if len(parts) > level + 1}
    return bool(scopes) and all(scope.endswith(counter) for scope in scopes)


def _without(split: list[list[str]], counter: str) -> list[list[str]]:
    """Take the counter off the scopes of the first level, and of further levels as long as all scopes there have it."""
    if not _all_end_in(split, 0, counter):
        return split
    below: dict[str, list[list[str]]] = {}
    for parts in split:
        if len(parts) > 1:
            below.setdefault(parts[0], []).append(parts[1:])
    renamed = {scope: iter(_without(rest, counter)) for scope, rest in below.items()}
    return [[parts[0][: -len(counter)], *next(renamed[parts[0]])] if len(parts) > 1 else parts for parts in split]
