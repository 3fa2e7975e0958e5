"""Absurd attributes, constants and sizes of every operator that onnx infers: no crash, no hang, no gigabytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import fix_inputs, infer_types

WORKER = Path(__file__).with_name("absurd.py")
HEAD = '<ir_version: 9, opset_import: ["": 21, "own": 1]> g'
FUNCTION = '<domain: "own", opset_import: ["": 21, "own": 1]>'


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork: a process for each operator takes minutes")
def test_every_operator_with_absurd_numbers() -> None:
    done = subprocess.run([sys.executable, str(WORKER)], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {record["case"]: record["faults"] for record in records if record["faults"]} == {}
    assert sum(record["nodes"] for record in records) > 15_000
    assert len({record["operator"] for record in records}) > 200


# Each ends the process if onnx's inference sees it; the mark is the shape that is known of `z` all the same.
ENDING = {
    "in a branch": "(float[3,3] x, int64[3,1] i, bool c) => (float[N,M] z) { z = Relu (x) b = If (c) <"
    "then_branch = t () => (a) { a = GatherND <batch_dims=-3> (x, i) },"
    "else_branch = e () => (a) { a = Identity (x) }> }",
    "in a function": "(float[3,3] x, int64[3,1] i) => (float[N,M] z) { z = Relu (x) b = own.f (x, i) }"
    f"{FUNCTION} f (x, i) => (a) {{ a = GatherND <batch_dims=-3> (x, i) }}",
    "handed on by a function": "(float[3,3] x, int64[3,1] i) => (float[N,M] z) { z = Relu (x) b = own.f <k=-3> (x, i) }"
    f"{FUNCTION} f <k> (x, i) => (a) {{ a = own.h <q: int = @k> (x, i) }}"
    f"{FUNCTION} h <q> (x, i) => (a) {{ a = GatherND <batch_dims: int = @q> (x, i) }}",
    "a function's default": "(float[3,3] x, int64[3,1] i) => (float[N,M] z) { z = Relu (x) b = own.f (x, i) }"
    f"{FUNCTION} f <k: int = -3> (x, i) => (a) {{ a = GatherND <batch_dims: int = @k> (x, i) }}",
    "a size declared below 0": "(float[3,3] x, int64[3,-1] i) => (float[N,M] z) { z = Relu (x) b = GatherND (x, i) }",
    "a size inferred below 0": "(float[3,3] x, float[1,1,2,9] y, float[1,1,5,1] w) => (float[N,M] z)"
    " <int64[2] s = {0, 0}, int64[2] e = {1, 4}, int64[2] a = {-4, 2}>"
    "{ z = Relu (x) c = Conv (y, w) b = Slice (c, s, e, a) }",
    "sliced in a function": "(float[3,3] x, float[-1,1] y) => (float[N,M] z) <int64[1] s = {0}, int64[1] e = {1}>"
    "{ z = Relu (x) b = own.f (y, s, e) }"
    f"{FUNCTION} f (y, s, e) => (a) {{ a = Slice (y, s, e) }}",
    "sliced in a function by its constants": "(float[3,3] x, float[1,-1] y) => (float[N,M] z)"
    "{ z = Relu (x) b = own.f (y) }"
    f"{FUNCTION} f (y) => (a) {{ s = Constant <value_ints=[0]> () e = Constant <value_ints=[1]> ()"
    " d = Constant <value_ints=[1]> () a = Slice (y, s, e, d) }",
}
INFERENCE = "import sys, onnx; onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))"


@pytest.mark.parametrize("name", ENDING)
def test_what_ends_inference_leaves_the_others_their_shapes(name: str, tmp_path: Path) -> None:
    model = parser.parse_model(HEAD + ENDING[name])
    onnx.save(model, tmp_path / "model.onnx")
    bare = subprocess.run([sys.executable, "-c", INFERENCE, tmp_path / "model.onnx"], capture_output=True, check=False)
    if bare.returncode == 0:
        pytest.skip("this build of onnx withstands it")
    model.graph.node.add(op_type="Relu", input=["z"], output=["last"])
    types = infer_types(Graph.from_proto(model))
    assert types["last"].shape == (3, 3)
    assert not any("\0" in value for value in types)


def test_an_input_smaller_than_a_window_is_no_crash() -> None:
    text = "(float[1,1,H,9] x, float[1,1,5,1] w) => (float[A,B,C,D] y)"
    text += " <int64[1] s = {0}, int64[1] e = {4}, int64[1] a = {2}> { c = Conv (x, w) y = Slice (c, s, e, a) }"
    graph = Graph.from_proto(parser.parse_model(HEAD + text))
    for height, sizes in ((9, (5, 4)), (2, (None, None))):
        types = infer_types(fix_inputs(graph, {"x": (1, 1, height, 9)}))
        assert (types["c"].shape[2], types["y"].shape[2]) == sizes


def damaged_model(path: Path, text: str, opset: int) -> Path:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> g {text}')
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("text", "opset", "made"),
    [
        (
            "(float[1,4] x) => (float[1,4] z) <float[4] s = {1, 1, 1, 1}>"
            "{ y, m = LayerNormalization <axis=2147483648> (x, s) z = Relu (x) }",
            17,
            "y",
        ),
        ("(float[1,4] x) => (float[1,4] z) { a, b = Split <num_outputs=1073741824> (x) z = Relu (x) }", 18, "a"),
        (
            "(float[3,3] x) => (float[3,3] z) <int64[3,1] i = {0, 1, 2}>"
            "{ a = GatherND <batch_dims=-3> (x, i) z = Relu (x) }",
            17,
            "a",
        ),
    ],
    ids=["axis", "num_outputs", "batch_dims"],
)
def test_a_damaged_node_by_the_command_line(text: str, opset: int, made: str, tmp_path: Path) -> None:
    model = damaged_model(tmp_path / "model.onnx", text, opset)

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "onnxviz", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
        return done.returncode, done.stderr

    exposed = tmp_path / "exposed.onnx"
    assert run("expose", str(model), "--layers", f"z,{made}", "-o", str(exposed))[0] == 0
    assert [info.name for info in onnx.load(exposed).graph.output] == ["z", made]
    assert run("view", str(model), "--random", "--layers", "z", "-o", "pictures")[0] == 0
    code, said = run("view", str(model), "--random", "--layers", made, "-o", "none")
    assert code == 5
    assert "onnxviz: the model is damaged: " in said and "Traceback" not in said


@pytest.mark.parametrize(
    "nodes",
    [
        "c = Identity (x) y = Slice (c, s, e, a, t)",
        "c = Identity (x) y = Slice (c, s, e)",
        "c = Slice (x, s, e, a) y = Slice (c, s, e, a)",
        "c = Transpose (x) i = Constant <value = int64[2,2] {0, 1, 2, 0}> () y = GatherND (c, i)",
        "c = Shape (x) y = Slice (c, s1, e1)",
    ],
)
def test_sound_slices_keep_their_shapes(nodes: str) -> None:
    text = "(float[N,5,6] x) => (float[A] last) <int64[2] s = {0, 1}, int64[2] e = {9, -1}, int64[2] a = {1, -1},"
    text += f" int64[2] t = {{2, 1}}, int64[1] s1 = {{0}}, int64[1] e1 = {{2}}> {{ {nodes} last = Identity (y) }}"
    graph = Graph.from_proto(parser.parse_model(HEAD + text))
    bare = onnx.shape_inference.infer_shapes(graph.proto)
    types = infer_types(graph)
    for info in bare.graph.value_info:
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in info.type.tensor_type.shape.dim]
        assert [size if isinstance(size, int) else None for size in types[info.name].shape] == sizes


def test_slices_by_what_a_function_is_given_keep_their_shapes() -> None:
    text = "(float[N,5,6] x) => (float[A,B,C] last) <int64[1] s = {1}, int64[1] e = {4}, int64[1] one = {1},"
    text += " int64[1] two = {-1}> { a = own.outer (x, s, e, one) b = own.outer (a, s, e, two) last = Identity (b) }"
    text += f"{FUNCTION} outer (v, p, q, r) => (w) {{ w = own.inner (v, p, q, r) }}"
    text += f"{FUNCTION} inner (v, p, q, r) => (w) {{ w = Slice (v, p, q, r) }}"
    types = infer_types(Graph.from_proto(parser.parse_model(HEAD + text)))
    assert types["a"].shape == ("N", 3, 6)
    assert types["b"].shape == ("N", 3, 3)


def test_a_long_chain_of_calls_is_followed_so_far() -> None:
    text = "(float[2,2] x, int64[1] i) => (float[2,2] z) { z = Relu (x) a = own.g0 (x, i) }"
    for place in range(200):
        text += f"{FUNCTION} g{place} (v, s) => (w) {{ w = own.g{place + 1} (v, s) }}"
    text += f"{FUNCTION} g200 (v, s) => (w) {{ w = Slice (v, s, s) }}"
    assert infer_types(Graph.from_proto(parser.parse_model(HEAD + text)))["z"].shape == (2, 2)


def test_slices_of_an_old_set_from_the_end_keep_their_shapes() -> None:
    text = '<ir_version: 5, opset_import: ["": 10]> g (float[N,5,6] x) => (float[A,B,C] last)'
    text += " <int64[2] s = {1, 0}, int64[2] e = {4, 2}, int64[2] axes = {-1, -2}>"
    text += " { y = Slice (x, s, e, axes) last = Identity (y) }"
    types = infer_types(Graph.from_proto(parser.parse_model(text)))
    assert (types["y"].shape, types["last"].shape) == (("N", 2, 3), ("A", 2, 3))
