"""Writes the reference of docs/python.md, below its mark: every public name with its docstring.

python tools/python_reference.py [--check]      --check writes nothing and fails where the page is not up to date
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generated import keep

import onnxviz

PAGE = Path(__file__).resolve().parent.parent / "docs" / "python.md"
MARK = "<!-- What follows is made from the docstrings by `make reference`. -->\n"
WIDTH = 100
SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?:    .*\n|\n)+)", re.M)
ENTRY = re.compile(r"^    ([\w*]+): (.*(?:\n {8}.*)*)", re.M)


def reference() -> str:
    """Return all of the reference."""
    names = [name for name in onnxviz.__all__ if name != "__version__"]
    public = {name: getattr(onnxviz, name) for name in names}
    functions = {name: each for name, each in public.items() if inspect.isfunction(each)}
    options = {name: each for name, each in public.items() if name == "Style" or name.endswith("Options")}
    modules = {name: each for name, each in public.items() if inspect.ismodule(each)}
    classes = {name: each for name, each in public.items() if name not in {*functions, *options, *modules}}
    errors = {name: classes.pop(name) for name in list(classes) if issubclass(classes[name], Exception)}
    parts = [
        "## Functions\n",
        *(function(f"onnxviz.{name}", each, "###") for name, each in functions.items()),
        "## Classes\n",
        *(described(f"onnxviz.{name}", each) for name, each in classes.items()),
        "## Options\n\nFrozen values: `dataclasses.replace` makes another of one.\n",
        *(table(f"onnxviz.{name}", each) for name, each in options.items()),
        "## Files that come with it\n",
        *(module(f"onnxviz.{name}", each) for name, each in modules.items()),
        "## Errors\n",
        *(error(name, each) for name, each in errors.items()),
    ]
    return "\n".join(parts)


def function(name: str, each: Any, level: str) -> str:
    """Return a heading, the signature and the docstring."""
    return f"{level} {name}\n\n```py\n{signature(name, each)}\n```\n\n{text(each)}"


def signature(name: str, each: Any) -> str:
    """Return a signature as it is written, one line an argument if it is long."""
    made = inspect.signature(each)
    found = [one for one in made.parameters.values() if one.name not in ("self", "cls")]
    arguments = [argument(one) for one in found]
    only_by_name = [one.kind is one.KEYWORD_ONLY for one in found]
    if True in only_by_name:
        arguments.insert(only_by_name.index(True), "*")
    end = f") -> {made.return_annotation}"
    line = f"{name}({', '.join(arguments)}{end}"
    return line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {one},\n" for one in arguments) + end


def argument(one: inspect.Parameter) -> str:
    """Return an argument with its type and its default; a default that is a function is `...`."""
    stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
    words = f"{stars}{one.name}: {one.annotation}"
    if one.default is one.empty:
        return words
    return f"{words} = {'...' if callable(one.default) else repr(one.default)}"


def text(each: object, *, without: tuple[str, ...] = ()) -> str:
    """Return a docstring as Markdown: its sections as lists, its examples as code."""
    found = (inspect.getdoc(each) or "") + "\n"

    def as_list(match: re.Match[str]) -> str:
        title, body = match.groups()
        if title in without:
            return ""
        entries = ENTRY.findall(body)
        lines = [f"* `{name}`: {joined(words)}" for name, words in entries] or [joined(body)]
        return f"\n{title}:\n\n" + "\n".join(lines) + "\n"

    found = SECTION.sub(as_list, found)
    found = re.sub(r"(^>>> (?:.+\n)+)", r"```pycon\n\1```\n", found, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", found).rstrip() + "\n"


def joined(words: str) -> str:
    return " ".join(words.split())


def described(name: str, each: type) -> str:
    """Return a class: its docstring, then its properties and methods."""
    parts = [f"### {name}\n", text(each)]
    if dataclasses.is_dataclass(each) and "Attributes:" not in parts[1]:
        fields = [
            f"`{field.name}: {field.type}`" for field in dataclasses.fields(each) if not field.name.startswith("_")
        ]
        parts.append(f"Fields: {', '.join(fields)}.\n")
    properties = [
        f"* `{member}`: {joined(inspect.getdoc(made) or '')}" for member, made in members(each, properties=True)
    ]
    if properties:
        parts.append("Properties:\n\n" + "\n".join(properties) + "\n")
    short = name.removeprefix("onnxviz.")
    parts += [function(f"{short}.{member}", made, "####") for member, made in members(each, properties=False)]
    return "\n".join(parts)


def members(each: type, *, properties: bool) -> Iterator[tuple[str, Any]]:
    """Yield a class's own public properties, or its methods."""
    for name, member in vars(each).items():
        if name.startswith("_") or isinstance(member, types.MemberDescriptorType):
            continue
        is_property = not callable(member) and not isinstance(member, (classmethod, staticmethod))
        if is_property == properties:
            yield name, member if is_property else getattr(each, name)


def table(name: str, each: type) -> str:
    """Return a table of options; each must be described in the docstring, or in that of a base."""
    docs = [inspect.getdoc(kind) or "" for kind in reversed(each.__mro__) if dataclasses.is_dataclass(kind)]
    described = {entry: joined(words) for text in docs for entry, words in ENTRY.findall(text + "\n")}
    fields = dataclasses.fields(each)
    missing = [field.name for field in fields if field.name not in described]
    if missing:
        raise SystemExit(f"{name}: its docstring does not describe {', '.join(missing)}")
    rows = [
        f"| `{field.name}` | `{cell(field.type)}` | `{default(field)}` | {cell(described[field.name])} |"
        for field in fields
    ]
    head = "| option | type | default | what it does |\n|---|---|---|---|\n"
    return f"### {name}\n\n{text(each, without=('Attributes',))}\n{head}" + "\n".join(rows) + "\n"


def cell(words: object) -> str:
    return str(words).replace("|", "\\|")


def default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    assert not isinstance(field.default_factory, dataclasses._MISSING_TYPE)
    made = field.default_factory
    return "{}" if made is dict else f"{made.__name__}()"


def module(name: str, each: types.ModuleType) -> str:
    """Return a module's functions."""
    found = {
        key: made for key, made in vars(each).items() if inspect.isfunction(made) and made.__module__ == each.__name__
    }
    parts = [function(f"{name}.{key}", made, "####") for key, made in found.items() if not key.startswith("_")]
    return "\n".join([f"### {name}\n", text(each), *parts])


def error(name: str, each: type) -> str:
    """Return the root of the errors with the tree of them all."""
    home = inspect.getdoc(sys.modules[each.__module__]) or ""
    first, _, tree = home.partition("\n\n")
    return f"### onnxviz.{name}\n\n{text(each)}\n{first}\n\n```text\n{tree.rstrip()}\n```\n"


def main() -> None:
    before = PAGE.read_text("utf-8")
    if MARK not in before:
        raise SystemExit(f"{PAGE} has no line that is\n{MARK}")
    keep(PAGE, f"{before.partition(MARK)[0]}{MARK}\n{reference()}")


if __name__ == "__main__":
    main()
