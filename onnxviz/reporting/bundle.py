"""The page's own files, joined: its modules become one classic script, its style sheets one style.

Browsers refuse `import` in pages that are opened from a disk. Modules can be joined because they use two forms only,
which are taken out: `import { name } from './other.js';` and `export` before a declaration. Other forms are refused.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files

_IMPORT = re.compile(r"""^import\s*\{([^}]*)\}\s*from\s*["']\./([\w-]+\.js)["'];[ \t]*\n""", re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?function\b|const\b|let\b|class\b)", re.M)
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function\*?|const|let|class) +([\w$]+)", re.M)
_EXPORTED = re.compile(r"^export (?:async )?(?:function\*?|const|let|class) +([\w$]+)", re.M)
_FANCY = re.compile(r"^(?:import|export)\b.*|^(?!\s*(?:\*|//|/\*)).*\bimport\s*\(.*|^var\b.*", re.M)
_PLACES = {"base.css": 0, "narrow.css": 2, "print.css": 3}
BESIDE = "'self' file:"
"""Where a page takes pictures from that lie beside it, in words of a Content-Security-Policy."""
_FORBIDDEN = ("</script", "<script", "<!--", "\r")


@dataclass(frozen=True, slots=True)
class PageFiles:
    """What is the same in every page of a kind: the body, the style and the script."""

    body: str
    style: str
    script: str

    @property
    def policy(self) -> str:
        """The Content-Security-Policy: this script, this style, pictures within the page, and nothing else."""
        return self.policy_with("data: blob:")

    def policy_with(self, pictures: str) -> str:
        """Return the same with pictures from elsewhere."""
        return (
            f"default-src 'none'; script-src '{_digest(self.script)}'; style-src '{_digest(self.style)}'; "
            f"img-src {pictures}; base-uri 'none'; form-action 'none'"
        )


_ENTRIES = {"report": "main.js", "served": "live.js", "units": "units.js"}
"""The module with which each page begins. A report asks nobody for anything: only the served page has what does."""
_UNITS_STYLES = ("base.css", "controls.css", "sprite.css", "top.css", "units.css")


@cache
def load_page(kind: str = "report") -> PageFiles:
    """Return the files of a page, joined: `report`, `served`, which asks its own server, or `units`, that of `mine`."""
    folder = files("onnxviz.reporting") / "page"
    texts = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.is_file()}
    modules = {name: text for name, text in texts.items() if name.endswith(".js")}
    styles = {name: text for name, text in texts.items() if name.endswith(".css")}
    if kind == "units":
        styles = {name: styles[name] for name in _UNITS_STYLES}
    else:
        del styles["units.css"]
    body = texts["units.html" if kind == "units" else "report.html"].strip()
    return PageFiles(body, join_styles(styles), join_modules(modules, _ENTRIES[kind]))


def join_styles(styles: Mapping[str, str]) -> str:
    """Return style sheets as one: `base.css` first; last `narrow.css` and `print.css`, which override the others.

    Raises:
        ValueError: a sheet holds `</style`, which would end its element.
    """
    for name, text in styles.items():
        if "</style" in text.lower():
            raise ValueError(f"{name} ends its own element")
    return "".join(styles[name] for name in sorted(styles, key=lambda name: (_PLACES.get(name, 1), name)))


def join_modules(modules: Mapping[str, str], entry: str | None = None) -> str:
    """Return modules as one classic script, each after those that it imports: those that `entry` needs, or all.

    >>> print(join_modules({"b.js": "import { a } from './a.js';\\na();\\n", "a.js": "export function a() {}\\n"}))
    (() => {
    'use strict';
    function a() {}
    a();
    })();

    Raises:
        ValueError: a module uses a form that cannot be joined, or two declare the same name.
    """
    order = _in_order(modules, entry)
    joined = "".join(_plain(name, modules[name]) for name in order)
    owners: dict[str, str] = {}
    for name in order:
        for declared in _DECLARED.findall(modules[name]):
            if owners.setdefault(declared, name) != name:
                raise ValueError(f"{name} and {owners[declared]} both declare {declared}")
    return f"(() => {{\n'use strict';\n{joined}}})();"


def _plain(name: str, text: str) -> str:
    text = _EXPORT.sub("", _IMPORT.sub("", text))
    fancy = _FANCY.search(text)
    if fancy:
        raise ValueError(f"{name}: {fancy.group().strip()!r} cannot be joined")
    for forbidden in _FORBIDDEN:
        if forbidden in text.lower():
            raise ValueError(f"{name} holds {forbidden!r}, which a page would read as its own")
    return text if text.endswith("\n") else f"{text}\n"


def _in_order(modules: Mapping[str, str], entry: str | None) -> list[str]:
    imported: dict[str, list[str]] = {}
    waiting = sorted(modules, reverse=True) if entry is None else [entry]
    while waiting:
        importer = waiting.pop()
        if importer in imported:
            continue
        others = imported[importer] = []
        for names, other in _IMPORT.findall(modules[importer]):
            if other not in modules:
                raise ValueError(f"{importer} imports {other}, which is not there")
            exported = {"", *_EXPORTED.findall(modules[other])}
            for name in (part.strip() for part in names.split(",")):
                if name not in exported:
                    raise ValueError(f"{importer} imports {name!r} from {other}, which exports no such name")
            others.append(other)
        waiting += others
    try:
        return list(TopologicalSorter(imported).static_order())
    except CycleError as error:
        raise ValueError(f"modules import each other: {', '.join(error.args[1])}") from None


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
