"""`changed`: options with other values for some of their fields, by keywords that a user wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from onnxviz.errors import UsageError
from onnxviz.words import listed, near, quoted

Options = TypeVar("Options")


def changed(options: Options, changes: Mapping[str, Any], verb: str) -> Options:
    """Return a dataclass of options with these fields changed.

    Args:
        options: what is changed.
        changes: values by the names of fields.
        verb: what takes the options, for the error.

    Raises:
        UsageError: There is no such field; the text names those that are near.
    """
    known = [field.name for field in fields(options)]  # type: ignore[arg-type]
    for name in changes:
        if name not in known:
            raise UsageError(f"{verb} takes no {quoted(name)}{near(name, known)}: there are {listed(known)}")
    return replace(options, **changes)  # type: ignore[type-var]
