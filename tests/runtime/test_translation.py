"""What onnxruntime refuses, and what is said of it: the cause, without C++."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxviz
from onnxviz.errors import ExecutionError, MissingOperatorError, OnnxvizError, RunError, UnsupportedError
from onnxviz.runtime.translation import explained, plain_text

X = np.ones((1, 3, 4, 4), np.float32)


def refusal(path: Path, node: onnx.NodeProto, dtype: int = TensorProto.FLOAT, **more: object) -> OnnxvizError:
    """Return the error of running a model of one node that takes `x` and the weight `w` and makes `y`."""
    weight = numpy_helper.from_array(np.ones((1, 3, 1, 1), helper.tensor_dtype_to_np_dtype(dtype)), "w")
    x = helper.make_tensor_value_info("x", dtype, [1, 3, 4, 4])
    y = helper.make_tensor_value_info("y", more.get("made", dtype), None)
    graph = helper.make_graph([node], "g", [x], [y], [weight])
    opsets: Sequence[onnx.OperatorSetIdProto] = [
        helper.make_opsetid("", more.get("opset", 17)),
        *more.get("domains", ()),
    ]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=more.get("ir", 8)), path)
    with pytest.raises(OnnxvizError) as caught:
        onnxviz.open(path).run(X, layers="y")
    return caught.value


def conv(*inputs: str) -> onnx.NodeProto:
    return helper.make_node("Conv", inputs or ["x", "w"], ["y"], "conv0")


@pytest.mark.parametrize(
    ("node", "more", "text"),
    [
        (
            conv(),
            {"dtype": TensorProto.DOUBLE},
            "onnxruntime has Conv for float32, and not for float64 (node 'conv0')",
        ),
        (
            conv(),
            {"opset": 99},
            r"the model is of opset 99 of ai.onnx; onnxruntime, as it is installed, knows up to opset",
        ),
        (conv(), {"ir": 99}, "the model is of IR version 99; onnxruntime, as it is installed, knows up to"),
        (helper.make_node("Fold", ["x"], ["y"], domain="acme"), {}, "onnxruntime has no operator acme:Fold"),
        (
            helper.make_node("Fold", ["x"], ["y"], domain="acme"),
            {"domains": [helper.make_opsetid("acme", 1)]},
            "onnxruntime has no operator acme:Fold, which the model uses",
        ),
        (helper.make_node("Fold", ["x"], ["y"]), {}, "onnxruntime has no operator Fold in opset 17"),
        (
            helper.make_node("Relu", ["x"], ["y"], "r"),
            {"made": TensorProto.INT64},
            "the model is not sound: it declares 'y' as int64, and 'r' makes float32",
        ),
        (
            conv(),
            {"dtype": TensorProto.INT32},
            "the model is not sound: Conv ('conv0') does not take int32, the type of its input 'x'",
        ),
    ],
)
def test_a_model_that_is_refused_is_refused_for_its_cause(
    tmp_path: Path, node: onnx.NodeProto, more: dict[str, object], text: str
) -> None:
    error = refusal(tmp_path / "m.onnx", node, **more)
    assert isinstance(error, UnsupportedError)
    assert text in str(error)
    assert "std::" not in str(error)


def test_an_operator_of_old_says_where_it_begins() -> None:
    text = "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for Gemm(6) node with name 'n'"
    error = explained(RuntimeError(text), "open the model")
    lacking = "onnxruntime has no implementation of Gemm in version 6 of its operators; it has one from version 7 on"
    assert isinstance(error, UnsupportedError)
    assert str(error) == lacking


@pytest.mark.parametrize(
    "text",
    [
        "Could not find an implementation for Swish(9) node with name 'n0'",
        "Failed to find kernel for Swish(9) (node:'n0' ep:'CPUExecutionProvider'). Kernel not found",
        "Failed to find kernel for Swish(9) (node:'n0' ep:'CPUExecutionProvider'). Op with name (n0) domain () and "
        "type (Swish) kernel is not supported in CPUExecutionProvider. Encountered following errors: ( Version "
        "mismatch. node_version: 9 kernel start version: 6 kernel_end_version: 8 )",
    ],
)
def test_a_missing_implementation_is_one_meaning_in_all_wordings(text: str) -> None:
    error = explained(RuntimeError(f"[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : {text}"), "open the model")
    assert isinstance(error, MissingOperatorError)
    assert (error.op, error.node, error.exit_code) == ("Swish", "n0", 3)
    assert str(error) == "onnxruntime has no implementation of Swish in version 9 of its operators"


def test_a_mode_that_is_not_supported_refuses_the_model() -> None:
    """What onnxruntime says of a GRU whose first axis is the batch."""
    text = (
        "[ONNXRuntimeError] : 1 : FAIL : Exception during initialization: /onnxruntime_src/onnxruntime/core/providers/"
        "cpu/rnn/deep_cpu_gru.h:56 onnxruntime::DeepCpuGruOp::DeepCpuGruOp(const onnxruntime::OpKernelInfo&) layout_ "
        "== 0 was false. Batchwise recurrent operations (layout == 1) are not supported. If you need support create a "
        "github issue with justification."
    )
    error = explained(RuntimeError(text), "open the model")
    refusal = "onnxruntime refuses the model: Batchwise recurrent operations (layout == 1) are not supported"
    assert (type(error), str(error)) == (UnsupportedError, refusal)


@pytest.mark.parametrize(
    "place",
    [
        "/onnxruntime_src/onnxruntime/core/a.h:64 onnxruntime::B::Init(ptrdiff_t, ptrdiff_t) ",
        "/Users/me/1/s/onnxruntime/core/a.h:64 onnxruntime::B::Init(ptrdiff_t, ptrdiff_t) ",
        r"D:\a\_work\1\s\onnxruntime\core\a.h:64 onnxruntime::B::Init ",
        "a.h:64 Init ",
    ],
)
def test_what_was_checked_is_left_out_where_words_follow(place: str) -> None:
    begin = "Name:'n' Status Message: "
    assert plain_text(f"{begin}{place}axis == 1 || axis == most was false. 3 by 4") == f"{begin}3 by 4"
    assert plain_text(f"{begin}{place}axis == 1 was false.") == f"{begin}axis == 1 was false."


@pytest.mark.parametrize(
    "text",
    [
        "std::bad_alloc",
        "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Expand node. Name:'c0' Status "
        "Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* onnxruntime::BFCArena::"
        "AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of "
        "size 4398046511104",
    ],
)
def test_memory_that_runs_out_is_called_so(text: str) -> None:
    error = explained(RuntimeError(text), "run the model", ExecutionError)
    assert isinstance(error, ExecutionError)
    assert str(error).startswith("memory ran out while onnxruntime tried to run the model")
    assert ("4096 GiB" in str(error)) == ("4398046511104" in text)


@pytest.mark.parametrize(
    "signature",
    [
        "void a::Validate(const std::unordered_map<std::__cxx11::basic_string<char>, int>&, bool, int)",
        "virtual OrtValue* onnxruntime::OpKernelContext::OutputMLValue(int, const onnxruntime::TensorShape&)",
        "static void SafeIntExceptionHandler<onnxruntime::OnnxRuntimeException>::SafeIntOnOverflow()",
        "onnxruntime::(anonymous namespace)::Find(int (*)(bool)) const [with T = float]",
        "a::f()::<lambda(int)>::operator()(int) const",
        "onnxruntime::StringNormalizer::Locale::Locale(const std::string&)::<lambda()>",
        "operator()",
    ],
)
def test_signatures_are_left_out(signature: str) -> None:
    text = f"[ONNXRuntimeError] : 1 : FAIL : Name:'n' /onnxruntime_src/a/b.cc:46 {signature} Too large (3) for it"
    assert plain_text(text) == "Name:'n' Too large (3) for it"


def test_a_file_is_left_out_with_its_function() -> None:
    text = "Status Message: matmul_helper.h:59 Compute MatMul dimension mismatch (3)"
    assert plain_text(text) == "Status Message: MatMul dimension mismatch (3)"


def test_what_is_not_known_is_passed_on() -> None:
    error = explained(RuntimeError("[ONNXRuntimeError] : 1 : FAIL : so it is"), "open the model")
    assert (type(error), str(error)) == (RunError, "onnxruntime could not open the model: so it is")
