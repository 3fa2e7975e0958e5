"""Where `explain` leaves its results: a folder with pictures, for each input a sheet and a page, and `explain.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from onnxviz.draw.check_plot import CheckPlot
from onnxviz.draw.encode import save
from onnxviz.draw.explanation_sheet import SheetCheck, SheetColumn, SheetHead, SheetRow, draw_explanations
from onnxviz.errors import OutputError
from onnxviz.explaining.explain_options import ExplainOptions
from onnxviz.explaining.explanation import Explanation
from onnxviz.explaining.explanation_page import write_page
from onnxviz.explaining.target import Target
from onnxviz.feed.feed import Feed
from onnxviz.files import making_folder, safe_name, writing
from onnxviz.model import Model
from onnxviz.results.folder import Folder, default_directory, holds_only
from onnxviz.version import __version__
from onnxviz.words import number_text

LISTING, PAGE = "explain.json", "index.html"
SCHEMA = "onnxviz.explain/"


@dataclass(frozen=True, slots=True)
class ExplainRecord:
    """All that one call of `explain` did.

    Attributes:
        directory: the folder that was made.
        document: what `explain.json` holds.
        failures: the inputs that could not be used, each with the reason.
    """

    directory: Path
    document: dict[str, Any]
    failures: Sequence[tuple[str, str]]


class ExplanationFolder:
    """The folder of one command while it works; it appears whole when the block ends well, or not at all."""

    def __init__(
        self,
        model: Model,
        inputs: Any,
        directory: str | os.PathLike[str] | None,
        options: ExplainOptions,
        needed: Sequence[Path],
    ) -> None:
        """Choose the place.

        Raises:
            OutputError: It is, or holds, what the command needs.
        """
        name = str(default_directory(model, inputs)).removesuffix("-maps") + "-why"
        self._path = Path(directory) if directory is not None else Path(name)
        Folder(self._path, options.raw).check(model, needed)
        self._model, self._options = model, options
        self._stack = ExitStack()
        self._runs: list[dict[str, Any]] = []
        self._arrays: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Make the folder under the name that it has until it is whole.

        Raises:
            OutputError: Its place is taken by what onnxviz did not make.
        """
        self._folder = self._stack.enter_context(
            making_folder(self._path, force=self._options.force, ours=lambda path: holds_only(path, LISTING, SCHEMA))
        )
        return self

    def __exit__(self, *details: Any) -> None:
        """Give the folder its name, or remove it after an error."""
        self._stack.__exit__(*details)

    def add(self, feed: Feed, place: int | None, found: Sequence[Explanation]) -> None:
        """Draw the explanations of one input; `place` numbers it among several."""
        name = "." if place is None else f"{place + 1:03}-{safe_name(feed.stem)}"
        (self._folder / name).mkdir(exist_ok=True)
        entries = []
        for number, one in enumerate(found):
            file = f"{one.method}-{safe_name(one.target.name, 40)}-{number:02}.png"
            save(
                one.drawn(self._options.theme),
                self._folder / name / file,
                enlarged=False,
                small=False,
                text=self._text(one),
            )
            entry = {**one.as_json(), "file": file}
            if self._options.raw is not None:
                entry["array"] = f"{len(self._runs):03}-{number:03}"
                self._arrays[entry["array"]] = one.array
            entries.append(entry)
        sheet = self._sheet(feed, found)
        save(sheet.image, self._folder / name / "sheet.png", enlarged=False, small=False, text=sheet.text)
        write_page(self._folder / name / PAGE, self._model.file.origin.name, feed, found)
        sources = {fed.name: fed.source for fed in feed.fed}
        run = {"name": feed.stem, "source": sources, "directory": name, "sheet": "sheet.png", "page": PAGE}
        self._runs.append({**run, "fed": [fed.as_json() for fed in feed.fed], "explanations": entries})

    def end(self, failures: Sequence[tuple[str, str]], exported: Mapping[str, Any] | None = None) -> ExplainRecord:
        """Write `explain.json`, with what was exported, and the arrays that are asked for."""
        document = {
            "schema": f"{SCHEMA}1",
            "onnxviz": __version__,
            "model": str(self._model.file.origin),
            "runs": self._runs,
            "failures": [{"source": source, "error": error} for source, error in failures],
            **({"export": exported} if exported is not None else {}),
        }
        files = [f"{run['directory']}/{entry['file']}" for run in self._runs for entry in run["explanations"]]
        files += [f"{run['directory']}/{file}" for run in self._runs for file in (run["sheet"], PAGE)]
        document["files"] = sorted(Path(file).as_posix() for file in files)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
        try:
            (self._folder / LISTING).write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{LISTING} cannot be written: {error.strerror or error}") from error
        if self._options.raw is not None:
            with writing(self._options.raw, force=self._options.force) as target:
                np.savez(target, **self._arrays)
        return ExplainRecord(self._path, document, failures)

    def _text(self, one: Explanation) -> dict[str, str]:
        where = f" at {one.layer}" if one.layer else ""
        return {"Title": f"{one.target.name}: {one.method}{where}", "Description": one.says}

    def _sheet(self, feed: Feed, found: Sequence[Explanation]) -> Any:
        by_layer = self._options.layers is not None  # else the layers of a method's targets may differ
        columns: dict[tuple[str, str], Explanation] = {}
        by_target: dict[Target, dict[tuple[str, str], Explanation]] = {}  # two classes may have one name
        for one in found:
            column = one.method, one.layer if by_layer else ""
            columns.setdefault(column, one)
            by_target.setdefault(one.target, {})[column] = one
        rows = []
        for target, made in by_target.items():
            shown = [made.get(column) for column in columns]
            pictures = [None if one is None else one.drawn(self._options.theme) for one in shown]
            checks = [None if one is None else _sheet_check(one) for one in shown]
            lines = target_lines(next(iter(made.values())))
            rows.append(SheetRow(target.name, lines, pictures, checks if any(checks) else ()))
        heads = [SheetColumn(name, made_of(one), one.says) for (name, _), one in columns.items()]
        source = ", ".join(Path(fed.source).name for fed in feed.fed)
        head = SheetHead(f"Why? {feed.stem}", f"{self._model.file.origin.name}  ·  {source}", found[0].picture)
        return draw_explanations(head, heads, rows, self._options.theme, self._options.font)


def _sheet_check(one: Explanation) -> SheetCheck | None:
    check = one.check
    if check is None:
        return None
    curves, random = check.curves, check.random
    plot = CheckPlot(curves.deletion, curves.insertion, random.deletion, random.insertion)
    return SheetCheck(plot, check.lines)


def made_of(one: Explanation) -> str:
    """Return what an explanation was made of and with, in a few words."""
    said = {name: number_text(value) if isinstance(value, float) else value for name, value in one.settings.items()}
    parts = [value if name == "cells" else f"{name} {value}" for name, value in said.items() if name != "seed"]
    return ", ".join(map(str, filter(None, (one.layer, *parts)))) or "input"


def target_lines(one: Explanation) -> list[str]:
    """Return what is said of a target under its name."""
    target = one.target
    lines = [f"class {target.index}"] if target.kind == "class" else []
    if target.score is not None and target.score != one.value:
        lines.append(f"{number_text(target.score)} at the output")
    return [*lines, f"value {number_text(one.value)}"]
