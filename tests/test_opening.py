from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxviz
from onnxviz.conversion.cache import Cached
from onnxviz.errors import ConversionError, ModelError, NotAModelError

Converting = list[tuple[Path, Path | None]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONNXVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ONNXVIZ_TF_PYTHON", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def lite(tmp_path: Path) -> Path:
    """A file that looks like a TensorFlow Lite model from outside."""
    path = tmp_path / "net.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(64))
    return path


@pytest.fixture
def conversions(doubling_model: Path, monkeypatch: pytest.MonkeyPatch) -> Converting:
    """What was converted, and by which Python: each source becomes the doubling model."""
    done: Converting = []

    def convert(source: Path, output: Path, options: Any, *, stage: Callable[[str], None]) -> object:
        stage("converting")
        shutil.copy(doubling_model, output)
        done.append((source, options.python))
        return object()

    monkeypatch.setattr("onnxviz.conversion.cache.convert", convert)
    return done


def test_a_source_is_converted_once_into_the_cache(lite: Path, cache: Path, conversions: Converting) -> None:
    stages: list[str] = []
    told: list[Cached] = []
    models = [onnxviz.open(lite, stage=stages.append, converted=told.append) for _ in range(2)]
    assert conversions == [(lite, None)]
    assert stages == ["looking into the cache", "converting", "looking into the cache"]
    assert [found.converted is None for found in told] == [False, True]
    for model in models:
        assert list(model.layers) == ["conv", "relu", "pool"]
        assert (model.path, model.file.origin) == (told[0].path, lite)
        assert cache in model.path.parents
        with pytest.raises(onnxviz.OnnxvizError, match="the model is read from it"):
            model.file.check_apart(lite)


def test_the_environment_names_the_python(lite: Path, conversions: Converting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNXVIZ_TF_PYTHON", sys.executable)
    onnxviz.open(str(lite))
    assert conversions == [(lite, Path(sys.executable))]


def test_view_takes_a_source(lite: Path, conversions: Converting, tmp_path: Path) -> None:
    record = onnxviz.view(lite, np.ones((1, 1, 2, 2), np.float32), tmp_path / "maps")
    assert record.model == str(lite)
    assert len(conversions) == 1


def test_an_onnx_file_is_opened_as_it_is(doubling_model: Path, conversions: Converting, cache: Path) -> None:
    assert onnxviz.open(doubling_model, stage=lambda name: pytest.fail(name)).path == doubling_model
    assert not conversions and not cache.exists()


def test_what_is_neither_says_what_it_is(tmp_path: Path, lite: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAModelError, match="is a folder without a saved_model"):
        onnxviz.open(tmp_path / "empty")
    with pytest.raises(ModelError, match=r"missing\.onnx"):
        onnxviz.open(tmp_path / "missing.onnx")
    with pytest.raises(NotAModelError):  # a Model itself is of ONNX alone
        onnxviz.Model.open(lite)


@pytest.mark.skipif(sys.platform == "win32", reason="the Python is a script that the system runs by its first line")
def test_without_tensorflow_python_says_what_the_command_line_says(
    lite: Path, tmp_path: Path, onnxviz_command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv("ONNXVIZ_TF_PYTHON", str(bare))
    with pytest.raises(ConversionError, match="converting needs tensorflow") as caught:
        onnxviz.open(lite)
    done = onnxviz_command("layers", lite)
    assert (done.code, done.err.replace("\n         ", "\n")) == (5, f"onnxviz: {caught.value}\n")
