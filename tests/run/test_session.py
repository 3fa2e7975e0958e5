from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from onnxviz.errors import DeviceError, RunError, UnsupportedError, UsageError
from onnxviz.run.devices import devices, providers_of
from onnxviz.run.execute import Piece, execute
from onnxviz.run.session import Placement, RunOptions, Session, check_taken, joined


def model(op: str, domain: str = "") -> bytes:
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], domain=domain)],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])],
    )
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def test_a_session_runs_and_says_where(tmp_path: Path) -> None:
    session = Session(model("Neg"), tmp_path, RunOptions())
    (result,) = session.run({"x": np.array([1, -2], np.float32), "unused": 0}, ["y"])
    assert result.tolist() == [-1, 2]
    assert session.placement.device == "cpu"
    assert session.placement.nodes == session.placement.total == 1


def test_an_absent_device_is_an_error_and_no_silent_fall_back(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"'cuda' is not in the installed onnxruntime; pip install 'onnxviz\[gpu\]'"):
        Session(model("Neg"), tmp_path, RunOptions(device="cuda"))
    with pytest.raises(UsageError, match="unknown device 'gpu9'; known are auto, cpu, cuda"):
        providers_of("gpu9")


def test_an_operator_that_onnxruntime_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"no operator com\.acme:Fold"):
        Session(model("Fold", "com.acme"), tmp_path, RunOptions())


def test_a_wrong_shape_is_a_run_error(tmp_path: Path) -> None:
    session = Session(model("Neg"), tmp_path, RunOptions())
    with pytest.raises(RunError, match=r"could not run the model: .*Expected: 2"):
        session.run({"x": np.zeros(3, np.float32)}, ["y"])


def test_the_levels() -> None:
    assert [RunOptions().level, RunOptions(exact=True).level, RunOptions(many=True).level] == [
        "extended",
        "disabled",
        "all",
    ]


def test_pieces_carry_what_later_ones_read(tmp_path: Path) -> None:
    second = onnx.ModelProto.FromString(model("Abs"))
    second.graph.node[0].input[0], second.graph.node[0].output[0] = "y", "z"
    second.graph.input[0].name, second.graph.output[0].name = "y", "z"
    pieces = [Piece(model("Neg"), ("x",), ("y",)), Piece(second.SerializeToString(), ("y",), ("z",))]
    found = list(execute(pieces, {"x": np.array([1, -2], np.float32)}, tmp_path, RunOptions()))
    assert [(name, array.tolist()) for name, array in found] == [("y", [-1, 2]), ("z", [1, 2])]


def test_kept_sessions_are_used_again(tmp_path: Path) -> None:
    kept: dict[bytes, Session] = {}
    pieces = [Piece(model("Neg"), ("x",), ("y",))]
    placements: list[object] = []
    for _ in range(2):
        list(execute(pieces, {"x": np.zeros(2, np.float32)}, tmp_path, RunOptions(), placements.append, kept))
    assert len(kept) == 1
    assert placements[0] is placements[1]


def test_the_cpu_is_usable_and_the_rest_says_why_not() -> None:
    found = {device.name: device for device in devices()}
    assert found["cpu"].usable
    assert all(device.reason for device in found.values())


def test_a_device_is_judged_by_the_whole_run() -> None:
    pieces = [Placement("cuda", "CUDAExecutionProvider", "asked for", nodes, 3) for nodes in (0, 2, 0)]
    assert (joined(pieces).nodes, joined(pieces).total) == (2, 9)
    check_taken(joined(pieces))
    with pytest.raises(DeviceError, match="device 'cuda' took none of the 6 nodes"):
        check_taken(joined([pieces[0], pieces[2]]))
    unknown = Placement("cuda", "CUDAExecutionProvider", "asked for", None, None)
    assert joined([pieces[0], unknown]).nodes is None
    check_taken(joined([pieces[0], unknown]))
