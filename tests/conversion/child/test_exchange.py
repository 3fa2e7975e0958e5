"""What the child writes for its parent."""

from __future__ import annotations

import json
from pathlib import Path

from onnxviz.conversion.child.exchange import FactsFile


def test_each_stage_is_a_line_with_all_that_is_known(tmp_path: Path) -> None:
    report = FactsFile(str(tmp_path / "report.json"))
    report.stage("loading")
    report.facts["inputs"] = ["x"]
    report.stage("converting")
    report.finish({"done": True})
    first, second, last = (json.loads(line) for line in (tmp_path / "report.json").read_text("utf-8").splitlines())
    assert (first, second) == ({"stage": "loading"}, {"stage": "converting", "inputs": ["x"]})
    peak = last.pop("peak_bytes")
    assert last.pop("cpu_seconds") > 0
    assert peak is None or peak > 1 << 20
    assert last == {"stage": "converting", "inputs": ["x"], "done": True}
