from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxviz
from onnxviz.activations import Activation, Activations
from onnxviz.reporting.bundle import join_modules, join_styles, load_page


def test_modules_come_after_those_they_import() -> None:
    joined = join_modules(
        {
            "a.js": 'import {\n  second,\n  third,\n} from "./b.js";\nsecond(third);\n',
            "b.js": "import { first } from './c.js';\nexport async function second() {\n  first();\n}\n"
            "export const third = 3;\n",
            "c.js": "export function first() {}",
        }
    )
    assert joined == (
        "(() => {\n'use strict';\nfunction first() {}\nasync function second() {\n  first();\n}\nconst third = 3;\n"
        "second(third);\n})();"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import first from './b.js';\n", "cannot be joined"),
        ("import * as all from './b.js';\n", "cannot be joined"),
        ("export default 3;\n", "cannot be joined"),
        ("export { first };\n", "cannot be joined"),
        ("const later = import('./b.js');\n", "cannot be joined"),
        ("import { first as second } from './b.js';\n", "exports no such name"),
        ("import { other } from './b.js';\n", "exports no such name"),
        ("import { first } from './gone.js';\n", "is not there"),
        ("import { first } from './b.js';\nconst first = 1;\n", "both declare first"),
        ("const end = '</script>';\n", "</script"),
        ("const start = '<!--';\n", "<!--"),
    ],
)
def test_what_cannot_be_joined_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        join_modules({"a.js": text, "b.js": "export function first() {}\n"})


def test_modules_that_import_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="import each other"):
        join_modules(
            {
                "a.js": "import { b } from './b.js';\nexport const a = 1;\n",
                "b.js": "import { a } from './a.js';\nexport const b = 1;\n",
            }
        )


def test_types_in_comments_are_no_imports() -> None:
    text = "/** @typedef {import('./b.js').Thing} Thing */\n/**\n * @param {import('./b.js').Thing} thing\n */\n"
    assert text in join_modules({"a.js": text, "b.js": "export const b = 1;\n"})


def test_sheets_that_change_others_come_after_them() -> None:
    assert join_styles({"narrow.css": "3", "base.css": "1", "tiles.css": "2"}) == "123"
    with pytest.raises(ValueError, match=r"tiles\.css ends its own element"):
        join_styles({"tiles.css": "a::after { content: '</STYLE>' }"})


def test_of_modules_those_are_joined_that_an_entry_needs() -> None:
    modules = {
        "a.js": "import { b } from './b.js';\nb();\n",
        "b.js": "export function b() {}\n",
        "c.js": "export function b() {}\n",
    }
    assert join_modules(modules, "a.js") == "(() => {\n'use strict';\nfunction b() {}\nb();\n})();"


def test_each_page_has_what_it_needs_alone() -> None:
    report, served, units = (load_page(kind).script for kind in ("report", "served", "units"))
    assert "fetch(" in served and "fetch(" not in report + units
    assert "class UnitsPage" in units and "class UnitsPage" not in report
    assert "class Stage" in report and "class Stage" not in units


@pytest.mark.parametrize("kind", ["report", "units"])
def test_the_page_names_nothing_outside_itself(kind: str) -> None:
    page = load_page(kind)
    text = page.body + page.style + page.script
    text = text.replace('url("${file}")', "")  # the sheets of `mine` beside the page
    assert not re.search(
        r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//|url\((?!#)|@import|fetch\(|XMLHttpRequest|WebSocket", text
    )
    assert "<script" not in page.body.lower()
    assert not re.search(r"\son\w+\s*=|\sstyle\s*=", page.body)  # the policy would refuse these


def test_only_the_page_s_own_script_and_style_may_run(tmp_path: Path, read_report: Callable[[Path], Any]) -> None:
    maps = Activations([Activation("conv", "c", "act", np.ones((1, 2, 3, 3), np.float32), "NCHW")])
    onnxviz.report(maps, tmp_path / "r.html")
    report = read_report(tmp_path / "r.html")
    (script,) = (text for tag, attributes, text in report.elements if tag == "script" and not attributes)
    (style,) = (text for tag, _, text in report.elements if tag == "style")
    rules = dict(rule.strip().split(" ", 1) for rule in report.policy.split(";"))
    for name, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(name) == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # The script stands last, so that all data is there when it runs.
    assert report.text.rstrip().endswith(f"<script>{script}</script>\n</body>\n</html>")


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(
    tmp_path: Path, read_report: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = Activations([Activation('"><b>', "c", "act", np.ones((1, 2, 3, 3), np.float32), "NCHW")])
    done = onnxviz.report(maps, tmp_path / "r.html")
    (tmp_path / "frame.html").write_text(done._repr_html_(), encoding="utf-8")
    ((tag, attributes, _),) = read_report(tmp_path / "frame.html").elements
    assert (tag, attributes["sandbox"]) == ("iframe", "allow-scripts allow-downloads")
    assert attributes["srcdoc"] == (tmp_path / "r.html").read_text("utf-8")
    monkeypatch.setattr("onnxviz.reporting.report._LARGEST_INLINE", 1000)
    assert "too much to show in a notebook: open the file" in done._repr_html_()
    assert "iframe" not in done._repr_html_()
