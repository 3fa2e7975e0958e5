"""Values inside functions, If, Loop and Scan as a run shows them, against numbers worked out by hand."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxviz
from onnxviz.errors import ExecutionError, UnsupportedError, UsageError
from onnxviz.layout import Steps
from tests.models import model_of

X = np.array([[1.0, -2.0]], np.float32)
YES, NO = np.array(True), np.array(False)

BRANCHES = """g (float[1,2] x, bool k) => (float[1,2] y) {
    a = Abs (x)
    y = If (k) <
        then_branch = t () => (float[1,2] p) { one = Add (a, a) p = Neg (one) },
        else_branch = f () => (float[1,2] q) { q = Relu (a) }
    >
}"""

# v: x, -x, x ...; w = -v; only every other step goes through the then_branch.
LOOP = """g (float[1,2] x, int64 n) => (float[1,2] y) {
    go = Constant <value = bool {1}> ()
    two = Constant <value = int64 {2}> ()
    y = Loop (n, go, x) <body = b (int64 i, bool c, float[1,2] v) => (bool d, float[1,2] w) {
        d = Identity (c)
        w = Neg (v)
        odd = Mod (i, two)
        is_odd = Cast <to = 9> (odd)
        z = If (is_odd) <
            then_branch = t () => (float[1,2] p) { p = Abs (w) },
            else_branch = f () => (float[1,2] q) { q = Exp (w) }
        >
    }>
}"""

# v grows by one value a step.
GROWING = """g (float[K] x, int64 n) => (float[Z] y) {
    go = Constant <value = bool {1}> ()
    h = Constant <value = float[1] {5}> ()
    y = Loop (n, go, x) <body = b (int64 i, bool c, float[Q] v) => (bool d, float[W] w) {
        d = Identity (c)
        t = Neg (v)
        w = Concat <axis = 0> (v, h)
    }>
}"""

# The inner Loop makes as many steps as the number of the outer one: 0, 1, 2 ...
NESTED = """g (float[1,2] x, int64 n) => (float[1,2] y) {
    go = Constant <value = bool {1}> ()
    y = Loop (n, go, x) <body = b (int64 i, bool c, float[1,2] v) => (bool d, float[1,2] w) {
        d = Identity (c)
        w = Loop (i, c, v) <body = bb (int64 j, bool e, float[1,2] u) => (bool f, float[1,2] s) {
            f = Identity (e)
            s = Add (u, u)
        }>
    }>
}"""

SCAN = """g (float[2] x, float[T,2] xs) => (float[2] y, float[T,2] ys) {
    y, ys = Scan <num_scan_inputs = 1, body = b (float[2] s, float[2] e) => (float[2] t, float[2] o) {
        t = Add (s, e)
        o = Neg (t)
    }> (x, xs)
}"""

SEQUENCES = """g (float[1,2] x) => (float[1,2] y) {
    a = Neg (x)
    alike = SequenceConstruct (x, a)
    b = Concat <axis = 1> (x, a)
    unlike = SequenceConstruct (x, b)
    mapped = SequenceMap (alike) <body = b (float[1,2] e) => (float[1,2] o) { d = Add (e, e) o = Neg (d) }>
    place = Constant <value = int64 {1}> ()
    y = SequenceAt (mapped, place)
    held = Optional (y)
    held_list = Optional (alike)
}"""


def run(
    path: Path, text: str, layers: str, options: onnxviz.RunOptions | None = None, **fed: object
) -> onnxviz.Activations:
    model = model_of(path / "m.onnx", text)
    return model.run(fed, layers=layers, run=options)


def test_what_the_taken_branch_computes_is_shown(tmp_path: Path) -> None:
    found = run(tmp_path, BRANCHES, '"y/then_branch/one","y/then_branch/p","y","a"', x=X, k=YES)
    arrays = {name: item.array.tolist() for name, item in found.items()}
    assert arrays == {
        "a": [[1, 2]],
        "y/then_branch/one": [[2, 4]],
        "y/then_branch/p": [[-2, -4]],
        "y": [[-2, -4]],
    }
    assert found["y/then_branch/one"].layout == "NC"


def test_what_the_other_branch_would_compute_is_left_out_by_name(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", BRANCHES)
    reason = "it was not computed for this input: 'y' took else_branch"
    with pytest.warns(UserWarning, match=f"'y/then_branch/one' is left out: {reason}") as caught:
        assert list(model.run({"x": X, "k": NO}, layers="add, act")) == ["y/else_branch/q"]
    assert len(caught) == 1
    with pytest.raises(ExecutionError, match=f"'y/then_branch/one' cannot be shown: {reason}$"):
        model.run({"x": X, "k": NO}, layers='"y/then_branch/one"')
    (streamed,) = model.stream({"x": X, "k": NO}, layers='"y/else_branch/q"')
    assert streamed.array.tolist() == [[1, 2]]


def test_a_weight_of_a_branch_is_refused(tmp_path: Path) -> None:
    text = """g (float[1,2] x) => (float[1,2] y) <bool c = {1}> {
        y = If (c) <
            then_branch = t () => (float[1,2] p) <float[1] w = {3}> { o = Mul (x, w) p = Neg (o) },
            else_branch = f () => (float[1,2] q) { q = Neg (x) }
        >
    }"""
    assert run(tmp_path, text, '"y/then_branch/o"', x=X)["y/then_branch/o"].array.tolist() == [[3, -6]]
    with pytest.raises(UnsupportedError, match="'y/then_branch/w' is a weight of the model"):
        run(tmp_path, text, '"y/then_branch/w"', x=X)


def test_a_session_takes_the_branch_of_each_input(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", BRANCHES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with model.session("add, act") as session:
            names = [list(session.run({"x": X, "k": k})) for k in (YES, NO, NO, YES)]
            again = session.run({"x": 2 * X, "k": YES})
    assert names == [["y/then_branch/one"], ["y/else_branch/q"], ["y/else_branch/q"], ["y/then_branch/one"]]
    assert again["y/then_branch/one"].array.tolist() == [[4, 8]]


def test_an_input_that_decides_which_branch_runs_is_fed(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", BRANCHES)
    needed = {spec.name: spec.use.is_needed for spec in model.inference.inputs(["y/then_branch/one"])}
    assert needed == {"x": True, "k": True}
    assert not model.inference.inputs(["a"])[1].use.is_needed


def test_classes_come_out_of_an_if(tmp_path: Path) -> None:
    text = """g (float[1,3] x, bool k) => (float[1,3] p) {
        p = If (k) <
            then_branch = t () => (float[1,3] q) { b = Neg (x) q = Softmax (b) },
            else_branch = f () => (float[1,3] q) { q = Softmax (x) }
        >
    }"""
    model = model_of(tmp_path / "m.onnx", text)
    options = onnxviz.ViewOptions(layers='"p/then_branch/b"', labels=("a", "b", "c"), html=False)
    fed = {"x": np.array([[1, 2, 9]], np.float32), "k": YES}
    assert onnxviz.view(model, fed, tmp_path / "out", options).runs[0].top[0].name == "a"


def test_the_pixels_of_a_position_inside(tmp_path: Path) -> None:
    text = """g (float[1,1,6] x, int64 n, float[1,1,3] w) => (float[1,1,6] y) {
        go = Constant <value = bool {1}> ()
        y = Loop (n, go, x) <body = b (int64 i, bool c, float[1,1,6] v) => (bool d, float[1,1,6] e) {
            d = Identity (c)
            [conv] o = Conv <pads = [1, 1]> (x, w)
            e = Add (o, v)
        }>
    }"""
    model = model_of(tmp_path / "m.onnx", text)
    fed = {"x": np.ones((1, 1, 6), np.float32), "n": np.int64(2), "w": np.ones((1, 1, 3), np.float32)}
    assert model.run(fed, layers="conv")["y/body/conv"].array.shape == (2, 1, 1, 6)
    assert np.flatnonzero(model.region("conv", (2,), fed).masks[0]).tolist() == [1, 2, 3]


def test_steps_of_a_loop_lead_the_array(tmp_path: Path) -> None:
    found = run(tmp_path, LOOP, '"y/body/w","y/body/i","y"', x=X, n=np.int64(3))
    steps = found["y/body/w"]
    assert steps.array.tolist() == [[[-1, 2]], [[1, -2]], [[-1, 2]]]
    assert (steps.layout, steps.steps) == ("SNC", Steps(0, 2, 3))
    assert (found["y/body/i"].array.tolist(), found["y/body/i"].layout) == ([0, 1, 2], "S")
    assert found["y"].array.tolist() == [[-1, 2]]
    assert found["y"].steps is None


def test_a_value_of_a_branch_has_the_steps_that_took_it(tmp_path: Path) -> None:
    found = run(tmp_path, LOOP, '"y/body/z/then_branch/p","y/body/z/else_branch/q"', x=X, n=np.int64(5))
    branches = found["y/body/z/then_branch/p"], found["y/body/z/else_branch/q"]
    assert [one.steps for one in branches] == [Steps(0, 1, 2), Steps(0, 2, 3)]
    assert branches[0].array.tolist() == [[[1, 2]], [[1, 2]]]
    assert np.allclose(branches[1].array, [np.exp([[-1, 2]])] * 3)


@pytest.mark.parametrize(
    ("kept", "steps", "first"),
    [
        ((0, 15), Steps(0, 15, 40), 1),
        ((38, 60), Steps(38, 39, 40), 1),
        ((7, 7), Steps(7, 7, 40), -1),
    ],
)
def test_sixteen_steps_are_kept_or_those_that_are_asked_for(
    tmp_path: Path, kept: tuple[int, int], steps: Steps, first: int
) -> None:
    options = onnxviz.RunOptions(steps=kept)
    found = run(tmp_path, LOOP, '"y/body/v"', options, x=X, n=np.int64(40))["y/body/v"]
    assert found.steps == steps
    assert len(found.array) == steps.last - steps.first + 1
    assert found.array[0].tolist() == [[first, -2 * first]]


def test_steps_that_were_not_made_are_said(tmp_path: Path) -> None:
    for trips, kept, why in ((0, (0, 15), "no step was made"), (3, (5, 9), "it has 3 steps; none of 5 to 9")):
        with pytest.raises(ExecutionError, match=f"^'y/body/v' cannot be shown: {why}$"):
            run(tmp_path, LOOP, '"y/body/v"', onnxviz.RunOptions(steps=kept), x=X, n=np.int64(trips))
    with pytest.raises(UsageError, match="the first before the last: not 5 to 3"):
        onnxviz.RunOptions(steps=(5, 3))


def test_steps_of_unlike_sizes_are_shown_one_by_one(tmp_path: Path) -> None:
    found = run(tmp_path, GROWING, '"y/body/t"', x=X[0], n=np.int64(3))
    assert {name: item.array.tolist() for name, item in found.items()} == {
        "y/body/t[0]": [-1, 2],
        "y/body/t[1]": [-1, 2, -5],
        "y/body/t[2]": [-1, 2, -5, -5],
    }
    assert [item.steps for item in found.values()] == [Steps(0, 0, 3), Steps(1, 1, 3), Steps(2, 2, 3)]


def test_steps_of_a_loop_in_a_loop_are_counted_as_they_are_made(tmp_path: Path) -> None:
    found = run(tmp_path, NESTED, '"y/body/w/body/s"', x=X, n=np.int64(4))["y/body/w/body/s"]
    # One step, then two, then three: each doubles.
    assert found.array[:, 0, 0].tolist() == [2, 4, 8, 16, 32, 64]
    assert found.steps == Steps(0, 5, 6)


@pytest.mark.parametrize(("kept", "values"), [((0, 15), [2, 3, 4, 5]), ((1, 2), [3, 4])])
def test_steps_of_a_scan(tmp_path: Path, kept: tuple[int, int], values: list[int]) -> None:
    options = onnxviz.RunOptions(steps=kept)
    found = run(tmp_path, SCAN, '"y/body/t"', options, x=X[0], xs=np.ones((4, 2), np.float32))["y/body/t"]
    assert found.array[:, 0].tolist() == values
    assert found.steps == Steps(kept[0], min(kept[1], 3), 4)


def test_elements_of_sequences_are_shown(tmp_path: Path) -> None:
    found = run(tmp_path, SEQUENCES, '"alike","unlike","mapped","mapped/body/d"', x=X)
    assert found["alike"].array.tolist() == [[[1, -2]], [[-1, 2]]]
    assert (found["alike"].layout, found["alike"].steps) == ("SNC", Steps(0, 1, 2, "element"))
    assert found["mapped/body/d"].array.tolist() == [[[2, -4]], [[-2, 4]]]
    assert found["mapped"].array.tolist() == [[[-2, 4]], [[2, -4]]]
    assert [found[f"unlike[{place}]"].array.shape for place in (0, 1)] == [(1, 2), (1, 4)]


def test_optionals_show_what_they_hold(tmp_path: Path) -> None:
    found = run(tmp_path, SEQUENCES, "held,held_list", x=X)
    assert found["held"].array.tolist() == [[2, -4]]
    assert found["held_list"].array.tolist() == [[[1, -2]], [[-1, 2]]]


def test_sizes_inside_are_measured(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", GROWING.replace("t = Neg (v)", "t = Relu (v)"))
    assert [layer.shape for layer in model.catalogue if layer.act == "y/body/t"] == [("Q",)]
    measured = model.measured({"x": X[0], "n": np.int64(1)})
    assert measured.layers["y/body/t"].shape == (2,)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read where Linux has it")
def test_memory_does_not_grow_with_the_steps(tmp_path: Path) -> None:
    """400 steps of 1 MiB, 4 kept: what this takes beyond the plain run is a few of them."""
    text = LOOP.replace("float[1,2]", "float[1,16,128,128]")
    model_of(tmp_path / "m.onnx", text)
    script = """
import sys, numpy, onnxviz
from pathlib import Path
model = onnxviz.open(sys.argv[1])
fed = {"x": numpy.ones((1, 16, 128, 128), numpy.float32), "n": numpy.int64(400)}
for layers in ("y", '"y/body/w","y/body/z/then_branch/p"'):
    model.run(fed, layers=layers, run=onnxviz.RunOptions(steps=(0, 3)))
    print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "m.onnx")], capture_output=True, text=True, check=True
    )
    plain, kept = map(int, done.stdout.split())
    assert kept - plain < 60


CALLS = """g (float[1,2] x, bool k) => (float[1,2] y) {
    h = loc.block <scale: float = 2.0> (x, k)
    y = loc.block (h, k)
}
<domain: "loc", opset_import: ["" : 17]>
block <scale: float = 3.0> (v, c) => (w) {
    s = Constant <value_float: float = @scale> ()
    u = Mul (v, s)
    w = If (c) <
        then_branch = t () => (float[1,2] p) { a = Abs (u) p = Neg (a) },
        else_branch = f () => (float[1,2] q) { q = Exp (u) }
    >
}"""


@pytest.mark.parametrize(
    ("text", "fed"),
    [
        (BRANCHES, {"x": X, "k": YES}),
        (CALLS, {"x": X, "k": YES}),
        (CALLS, {"x": X, "k": NO}),
        (LOOP, {"x": X, "n": np.array(5)}),
        (NESTED, {"x": X, "n": np.array(4)}),
        (SCAN, {"x": X[0], "xs": np.ones((4, 2), np.float32)}),
    ],
)
def test_what_is_shown_is_what_a_file_with_more_outputs_hands_out(
    tmp_path: Path, text: str, fed: dict[str, np.ndarray]
) -> None:
    """Two ways to every value inside: opened in memory, and handed out by its holders in a file that expose writes."""
    header = '<ir_version: 8, opset_import: ["" : 17, "loc" : 1]>'
    onnx.save(onnx.parser.parse_model(header + text), tmp_path / "m.onnx")
    model = onnxviz.open(tmp_path / "m.onnx")
    values = [value for value in model.unfolded.addresses if value not in model.unfolded.graph.weights]
    names = ",".join(f'"{value}"' for value in values)
    exposed = model.expose(layers=names)
    exposed.save(tmp_path / "e.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(tmp_path / "e.onnx", options)
    outputs = [choice.value for choice in exposed.exposed]
    handed = dict(zip(outputs, session.run(outputs, fed), strict=True))
    choices = [choice for choice in exposed.exposed if np.size(handed[choice.value])]
    shown = model.run(fed, layers=[f'"{choice.name}"' for choice in choices], run=onnxviz.RunOptions(exact=True))
    assert len(choices) > 1
    for choice in choices:
        expected = handed[choice.value]
        stacked = np.stack(expected) if isinstance(expected, list) else expected
        assert np.array_equal(shown[choice.name].array, stacked.reshape(shown[choice.name].array.shape))
