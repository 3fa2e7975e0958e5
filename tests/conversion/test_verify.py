"""The proof that both agree: of a model worked out on paper, with what TensorFlow is said to have computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnxviz.conversion.verify import verify
from onnxviz.errors import VerificationError

INPUT = np.array([[[[1, 2], [3, 4]]]], np.float32)
# conv weighs by 2 and -1, relu and the mean follow: r is (2x, 0), y its means 5 and 0.
RELU = np.stack([2 * INPUT[0, 0], 0 * INPUT[0, 0]])[None]
MEANS = np.array([5, 0], np.float32).reshape(1, 2, 1, 1)


def check(
    model: Path,
    folder: Path,
    y: Any = MEANS,
    r: Any = None,
    where: Any = None,
    random: Any = (),
    r_step: float = 0.0,
    **entry: Any,
) -> Any:
    arrays = {"x": INPUT, "y": np.asarray(y, np.float32)}
    values = [{"tensor": "y", "key": "y", "output": True, "repeats": True, "rounding": 0.0, "step": 0.0, **entry}]
    if r is not None:
        arrays["r"] = np.asarray(r, np.float32)
        inner = {"tensor": "relu:0", "key": "r", "output": False, "repeats": "relu:0" not in random}
        values.append({**values[0], **inner, "step": values[0]["step"] or r_step})
    np.savez(folder / "arrays.npz", **arrays)
    facts = {"reference": {"inputs": {"x": "x"}, "values": values}, "where": where or {}}
    return verify(model, facts, folder / "arrays.npz")


def test_equal_values_agree(doubling_model: Path, tmp_path: Path) -> None:
    found = check(doubling_model, tmp_path)
    assert (found.output, found.layer, found.compared, found.tolerance) == (0, 0, 1, 1e-4)


def test_a_layer_is_compared_where_it_went_and_in_its_own_order(doubling_model: Path, tmp_path: Path) -> None:
    # The map says that the tensor is the value r with its channels brought to the end.
    where = {"relu:0": {"value": "r", "order": [0, 2, 3, 1]}}
    found = check(doubling_model, tmp_path, r=RELU.transpose(0, 2, 3, 1), where=where)
    assert (found.compared, found.layer) == (2, 0)
    with pytest.raises(VerificationError, match=r"differs from TensorFlow by 0\.12 of the largest value at 'r'"):
        check(doubling_model, tmp_path, r=moved(RELU).transpose(0, 2, 3, 1), where=where)


def moved(values: np.ndarray) -> np.ndarray:
    result = values.copy()
    result[0, 0, 0, 0] += 1
    return result


@pytest.mark.parametrize(
    ("entry", "tolerance"),
    [
        ({}, None),
        ({"rounding": 2e-4}, 1.6e-3),
        ({"step": 4e-4}, 1.2e-3),
        ({"rounding": 1e-4}, None),
        ({"step": 3e-4}, None),
    ],
)
def test_the_tolerance_is_eight_times_the_models_own_rounding_or_three_steps(
    entry: dict[str, float], tolerance: float | None, doubling_model: Path, tmp_path: Path
) -> None:
    y = MEANS * np.float32(1.001)
    if tolerance is not None:
        found = check(doubling_model, tmp_path, y, **entry)
        assert found.tolerance == pytest.approx(tolerance)
        assert found.output == pytest.approx(1e-3, rel=0.01)
    else:
        with pytest.raises(VerificationError, match=r"at 'y', tolerance .*; nothing was written"):
            check(doubling_model, tmp_path, y, **entry)


@pytest.mark.parametrize(
    ("entry", "y", "tolerance"),
    [
        ({"rounding": 1.0}, 1.009, 1e-2),
        ({"rounding": 1.0}, 1.02, None),  # a model whose own rounding says nothing proves nothing
        ({"rounding": 1.0, "step": 1 / 127}, 1.02, 3 / 127),
        ({"rounding": 1.0, "step": 1 / 127}, 1.03, None),
    ],
)
def test_no_rounding_excuses_more_than_a_hundredth_but_that_of_8_bits(
    entry: dict[str, float], y: float, tolerance: float | None, doubling_model: Path, tmp_path: Path
) -> None:
    if tolerance is not None:
        assert check(doubling_model, tmp_path, MEANS * y, **entry).tolerance == pytest.approx(tolerance)
    else:
        with pytest.raises(VerificationError, match=r"by 0\.0[23]\d* .*nothing was written"):
            check(doubling_model, tmp_path, MEANS * y, **entry)


def test_each_layer_is_given_what_tensorflow_had_before_it(doubling_model: Path, tmp_path: Path) -> None:
    # TensorFlow's r is a tenth off, as its few digits allow, and its means are those of that r.
    where = {"relu:0": {"value": "r", "order": None}}
    found = check(doubling_model, tmp_path, y=1.1 * MEANS, r=1.1 * RELU, where=where, r_step=0.05)
    assert (found.by_layer, found.worst) == (True, "r")
    assert (found.layer, found.output) == (pytest.approx(1 / 11), pytest.approx(1 / 11))
    with pytest.raises(VerificationError, match="at 'y'"):
        check(doubling_model, tmp_path, y=1.2 * MEANS, r=1.1 * RELU, where=where, r_step=0.05)


def test_what_numbers_cannot_hold_is_cut_off_before_comparing(doubling_model: Path, tmp_path: Path) -> None:
    where = {"relu:0": {"value": "r", "order": None}}
    cut_off = RELU.clip(0, 6)
    with pytest.raises(VerificationError, match="at 'r'"):
        check(doubling_model, tmp_path, y=[[[[4.5]], [[0]]]], r=cut_off, where=where)
    # 2, 4, 6 and 8 become 2, 4, 6 and 6, of which the mean is 4.5.
    found = check(doubling_model, tmp_path, y=[[[[4.5]], [[0]]]], r=cut_off, where=where, limits=(0, 6))
    assert (found.by_layer, found.layer) == (True, 0)


def test_a_tensor_below_its_own_steps_is_not_what_proves(doubling_model: Path, tmp_path: Path) -> None:
    where = {"relu:0": {"value": "r", "order": None}}
    found = check(doubling_model, tmp_path, r=1.3 * RELU, where=where, r_step=1.0)
    assert (found.worst, found.tolerance) == ("y", 1e-4)


def test_a_layer_that_does_not_repeat_is_not_compared_but_told(doubling_model: Path, tmp_path: Path) -> None:
    where = {"relu:0": {"value": "r", "order": None}}
    with pytest.raises(VerificationError):
        check(doubling_model, tmp_path, r=RELU + 9, where=where)
    found = check(doubling_model, tmp_path, r=RELU + 9, where=where, random={"relu:0"})
    assert (found.random, found.compared, found.layer) == (("relu:0",), 1, 0)


def test_outputs_that_do_not_repeat_prove_nothing(doubling_model: Path, tmp_path: Path) -> None:
    with pytest.raises(
        VerificationError, match=r"(?s)outputs change from run to run.*nothing was written.*--no-verify"
    ):
        check(doubling_model, tmp_path, repeats=False)


def test_a_small_difference_is_within_the_least_tolerance(doubling_model: Path, tmp_path: Path) -> None:
    assert check(doubling_model, tmp_path, MEANS + np.float32(4e-4)).output == pytest.approx(8e-5, rel=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_on_one_side_alone_differs(bad: float, doubling_model: Path, tmp_path: Path) -> None:
    y = MEANS.copy()
    y[0, 1] = bad
    with pytest.raises(VerificationError):
        check(doubling_model, tmp_path, y)


def test_another_shape_is_said(doubling_model: Path, tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match=r"'y' is \(1, 2, 1, 1\) in the converted model and \(2,\)"):
        check(doubling_model, tmp_path, MEANS.ravel())


def test_an_output_that_is_gone_is_said(doubling_model: Path, tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="no output 'z'"):
        check(doubling_model, tmp_path, tensor="z")


SCORES = """<ir_version: 8, opset_import: ["": 17]> g (float[1,4] x) => (float[1,2] v, int64[1,2] i)
<int64[1] k = {2}> { s = Relu (x) v, i = TopK (s, k) }"""


def choosing(tmp_path: Path, scores: list[float], chosen: list[int], best: list[float]) -> Any:
    """Verify a model that picks two of four scores, against what TensorFlow is said to have picked."""
    onnx.save(onnx.parser.parse_model(SCORES), tmp_path / "choosing.onnx")
    arrays = {
        "x": np.array([scores], np.float32),
        "s": np.array([scores], np.float32),
        "v": np.array([best], np.float32),
        "i": np.array([chosen], np.int64),
    }
    np.savez(tmp_path / "arrays.npz", **arrays)
    fixed = {"repeats": True, "rounding": 0.0, "step": 0.0}
    values = [{"tensor": name, "key": name, "output": name != "s", **fixed} for name in ("s", "v", "i")]
    facts = {"reference": {"inputs": {"x": "x"}, "values": values}, "where": {}}
    return verify(tmp_path / "choosing.onnx", facts, tmp_path / "arrays.npz")


def test_another_choice_between_equals_is_not_a_fault(tmp_path: Path) -> None:
    found = choosing(tmp_path, [0.5, 0.25, 0.5, 0.5], [2, 3], [0.5, 0.5])
    assert (found.tied, found.compared, found.layer, found.by_layer) == (("v", "i"), 1, 0, True)
    assert choosing(tmp_path, [0.5, 0.25, 0.5, 0.5], [0, 2], [0.5, 0.5]).tied == ()


def test_another_choice_between_what_differs_is_one(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="at 'i'"):
        choosing(tmp_path, [0.5, 0.25, 0.4, 0.3], [2, 3], [0.5, 0.4])
    # Nor does a tie behind it hide a layer that is wrong before it.
    with pytest.raises(VerificationError, match="at 's'"):
        onnx_scores = [0.5, 0.25, 0.5, -0.5]
        choosing(tmp_path, onnx_scores, [2, 0], [0.5, 0.5])
