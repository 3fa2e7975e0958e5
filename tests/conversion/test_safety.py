"""Nothing that lies in a source is run: each payload would write a marker file, and none does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAYLOADS = Path(__file__).with_name("payloads.py")


@pytest.fixture(scope="module")
def marker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marks") / "marker"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, marker: Path, in_tensorflow: Callable[..., str]) -> Path:
    made = tmp_path_factory.mktemp("payloads")
    in_tensorflow(PAYLOADS, "build", made, marker)
    return made


def test_no_payload_runs(
    folder: Path, marker: Path, onnxviz_command: Callable[..., Any], tensorflow_python: str, tmp_path: Path
) -> None:
    payloads = json.loads((folder / "payloads.json").read_text("utf-8"))
    assert len(payloads) >= 10
    for payload in payloads:
        target = tmp_path / f"{payload['name']}.onnx"
        done = onnxviz_command("convert", folder / payload["source"], "-o", target, "--python", tensorflow_python)
        assert not marker.exists(), payload["name"]
        assert "Traceback" not in done.err
        if payload["fires"] != "never":
            assert done.code in (3, 5), (payload["name"], done.code, done.err)
            assert not target.exists()


def test_the_payloads_would_run(folder: Path, marker: Path, in_tensorflow: Callable[..., str]) -> None:
    payloads = json.loads((folder / "payloads.json").read_text("utf-8"))
    fired = set(json.loads(in_tensorflow(PAYLOADS, "fire", folder, marker).splitlines()[-1]))
    assert {payload["name"] for payload in payloads if payload["fires"] != "never"} <= fired
