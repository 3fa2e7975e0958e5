"""The child can run where onnxviz is not: in an older Python, loaded from its folder, with nothing else of onnxviz."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from onnxviz.conversion.child_process import SCRIPT
from onnxviz.conversion.source import KINDS

FOLDER = SCRIPT.parent
FILES = sorted(FOLDER.rglob("*.py"))
LIBRARIES = {"tensorflow", "tf2onnx", "tf_keras", "onnx", "numpy", "h5py", "google", "flatbuffers"}


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(FOLDER).as_posix() for path in FILES])
def test_a_file_is_of_python_3_9_and_imports_nothing_else_of_onnxviz(path: Path) -> None:
    depth = len(path.relative_to(FOLDER).parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"), feature_version=(3, 9))):
        if isinstance(node, ast.Import):
            roots = {name.name.partition(".")[0] for name in node.names}
            assert roots <= LIBRARIES | sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom) and node.level:
            assert node.level <= depth  # the folder of the child is the top
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] in LIBRARIES | sys.stdlib_module_names


def test_its_script_loads_it_by_its_folder_alone(tmp_path: Path) -> None:
    # -I: no path of this program reaches the other; -S: no packages, so TensorFlow is missing and that is reported.
    request = {"report": str(tmp_path / "report.json"), "parent": os.getpid(), "kind": "tflite"}
    (tmp_path / "request.json").write_text(json.dumps(request))
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(tmp_path / "request.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (3, "")
    facts = json.loads((tmp_path / "report.json").read_text("utf-8").splitlines()[-1])
    assert facts["error"] == {"kind": "missing", "text": "no tensorflow"}


def test_there_is_a_route_for_each_kind_of_source() -> None:
    from onnxviz.conversion.child.steps import ROUTES

    assert ROUTES.keys() == KINDS.keys()
