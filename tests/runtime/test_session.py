from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from onnxviz.errors import DeviceError, ExecutionError, RunError, UnsupportedError, UsageError
from onnxviz.runtime.devices import Placement, devices, providers_of
from onnxviz.runtime.executor import Executor, Piece
from onnxviz.runtime.placements import check_taken, joined
from onnxviz.runtime.session import RunOptions, Session


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


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"])
def test_narrow_floats_are_taken(name: str, tmp_path: Path) -> None:
    cast = helper.make_node("Cast", ["x"], ["y"], to=onnx.TensorProto.FLOAT)
    taken = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(np.dtype(name)), [2])
    made = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    graph = helper.make_graph([cast], "g", [taken], [made])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = Session(proto.SerializeToString(), tmp_path, RunOptions())
    (result,) = session.run({"x": np.array([1.5, -2], name)}, ["y"])
    assert result.tolist() == [1.5, -2]


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
    with pytest.raises(ExecutionError, match=r"could not run the model: .*Expected: 2"):
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
    found = list(Executor(tmp_path, RunOptions()).run(pieces, {"x": np.array([1, -2], np.float32)}))
    assert [(name, array.tolist()) for name, array in found] == [("y", [-1, 2]), ("z", [1, 2])]


@pytest.mark.parametrize(("keep", "opened"), [(True, 1), (False, 2)])
def test_a_kept_session_is_used_again(tmp_path: Path, keep: bool, opened: int) -> None:
    placements: list[Placement] = []
    runner = Executor(tmp_path, RunOptions(), keep=keep, placed=placements.append)
    for number in (1, 2):
        ((_, array),) = runner.run([Piece(model("Neg"), ("x",), ("y",))], {"x": np.full(2, number, np.float32)})
        assert array.tolist() == [-number, -number]
    assert len(placements) == opened


def test_another_piece_takes_the_place_of_the_one_kept(tmp_path: Path) -> None:
    opened: list[weakref.ref[Session]] = []

    class Watched(Executor):
        def open(self, skeleton: bytes) -> Session:
            assert all(session() is None for session in opened)  # two at a time would take twice the memory
            session = super().open(skeleton)
            opened.append(weakref.ref(session))
            return session

    runner = Watched(tmp_path, RunOptions(), keep=True)
    for op in ("Neg", "Abs", "Neg"):
        list(runner.run([Piece(model(op), ("x",), ("y",))], {"x": np.zeros(2, np.float32)}))
    assert len(opened) == 3


def test_the_cpu_is_usable_and_the_rest_says_why_not() -> None:
    found = {device.name: device for device in devices()}
    assert found["cpu"].usable
    assert all(device.reason for device in found.values())


COREML = "CoreMLExecutionProvider"


def test_an_automatic_device_that_takes_nothing_gives_way_to_the_cpu() -> None:
    idle = Placement("coreml", COREML, "coreml works here", 0, 9, automatic=True)
    found = joined([idle])
    check_taken(found)
    assert (found.device, found.nodes, found.total) == ("cpu", 9, 9)
    assert found.reason == "coreml works here, but took none of the nodes"
    taken = joined([idle, replace(idle, nodes=2, total=3)])
    assert (taken.device, taken.nodes, taken.total) == ("coreml", 2, 12)


def test_an_automatic_device_that_cannot_open_the_model_gives_way_to_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    opening = onnxruntime.InferenceSession

    def opens_on_the_cpu_only(*arguments: object, providers: list[str], **options: object) -> object:
        tried.append(providers[0])
        if providers[0] == COREML and len(tried) > 1:  # the first one is the model of one node
            raise RuntimeError("no")
        return Listed(opening(*arguments, providers=["CPUExecutionProvider"], **options), providers[0])

    class Listed:
        def __init__(self, session: object, provider: str) -> None:
            self._session, self._provider = session, provider

        def get_providers(self) -> list[str]:
            return [self._provider]

        def __getattr__(self, name: str) -> object:
            return getattr(self._session, name)

    available = lambda: [COREML, "CPUExecutionProvider"]  # noqa: E731
    monkeypatch.setattr(onnxruntime, "get_available_providers", available)
    monkeypatch.setattr(onnxruntime, "InferenceSession", opens_on_the_cpu_only)
    runner = Executor(tmp_path, RunOptions())
    pieces = [Piece(model("Neg"), ("x",), ("y",))]
    for _ in range(2):
        ((_, array),) = runner.run(pieces, {"x": np.array([1, -2], np.float32)})
    assert array.tolist() == [-1, 2]
    assert (runner.placement.device, runner.placement.reason) == ("cpu", "coreml cannot open the model")
    # It is looked for once, tried once, and not again for the next run.
    assert tried == [COREML, COREML, "CPUExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: 1 / 0)
    with pytest.raises(RunError):
        list(Executor(tmp_path, RunOptions(device="coreml")).run(pieces, {"x": np.zeros(2, np.float32)}))


def test_a_device_is_kept_where_the_cpu_cannot_open_the_model_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def opens_only_the_first(*arguments: object, providers: list[str], **options: object) -> object:
        tried.append(providers[0])
        if len(tried) > 1:  # the first one is the model of one node
            raise RuntimeError("no")
        return SimpleNamespace(get_providers=lambda: providers)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [COREML, "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", opens_only_the_first)
    runner = Executor(tmp_path, RunOptions())
    for _ in range(2):
        with pytest.raises(RunError):
            runner.open(model("Neg"))
    assert tried == [COREML, *[COREML, "CPUExecutionProvider"] * 2]


def test_a_device_is_judged_by_the_whole_run() -> None:
    pieces = [Placement("cuda", "CUDAExecutionProvider", "asked for", nodes, 3) for nodes in (0, 2, 0)]
    assert (joined(pieces).nodes, joined(pieces).total) == (2, 9)
    check_taken(joined(pieces))
    with pytest.raises(DeviceError, match="device 'cuda' took none of the 6 nodes"):
        check_taken(joined([pieces[0], pieces[2]]))
    unknown = Placement("cuda", "CUDAExecutionProvider", "asked for", None, None)
    assert joined([pieces[0], unknown]).nodes is None
    check_taken(joined([pieces[0], unknown]))
