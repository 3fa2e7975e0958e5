"""The rules of operators: one for each, or a reason; and held against differences of onnx's reference evaluator."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from onnxviz.errors import UnsupportedError
from onnxviz.gradient.build import backward
from onnxviz.gradient.reasons import DOMAIN_REASONS, REASONS
from onnxviz.gradient.rules.all_families import RULES
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import STANDARD_DOMAINS
from onnxviz.graph.operators.table import OPERATORS


def load_node_gradients() -> Any:
    path = Path(__file__).with_name("node_gradients.py")
    spec = importlib.util.spec_from_file_location("node_gradients", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["node_gradients"] = module  # a dataclass looks up its module
    spec.loader.exec_module(module)
    return module


NODES = load_node_gradients()


def test_each_operator_of_the_table_has_a_rule_or_a_reason() -> None:
    silent = [
        (domain, name)
        for domain, name in OPERATORS
        if not (domain in STANDARD_DOMAINS and (name in RULES or name in REASONS)) and domain not in DOMAIN_REASONS
    ]
    assert silent == []


def test_each_operator_of_onnx_has_a_rule_or_a_reason() -> None:
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert {name for name in names if name not in RULES and name not in REASONS} == set()


def test_no_operator_has_both() -> None:
    assert RULES.keys() & REASONS.keys() == set()


# The slow ones and those whose first case is a corner are named; of all others the first case of each is taken.
MORE = """
test_averagepool_2d_ceil test_averagepool_2d_pads_count_include_pad test_averagepool_2d_same_lower
test_conv_with_autopad_same test_conv_with_strides_and_asymmetric_padding test_convtranspose_output_shape
test_convtranspose_group_2 test_gather_negative_indices test_gather_2d_indices test_gru_seq_length
test_lstm_with_peepholes test_lstm_batchwise test_maxpool_2d_ceil test_maxpool_2d_dilations test_maxpool_2d_same_upper
test_slice_negative_axes test_slice_neg_steps
test_resize_upsample_scales_cubic test_resize_upsample_sizes_nearest test_resize_downsample_scales_linear
test_resize_upsample_scales_linear_half_pixel_symmetric test_attention_3d_gqa test_attention_4d_causal
test_attention_4d_with_past_and_present test_attention_4d_softcap test_rotary_embedding_interleaved
test_rotary_embedding_with_rotary_dim test_dft_inverse test_dft_axis test_stft_with_window
test_reduce_prod_negative_axes_keepdims_random test_scatter_elements_with_duplicate_indices
test_matmul_1d_3d test_gemm_transposeB test_gemm_alpha test_group_normalization_epsilon
test_layer_normalization_4d_axis1 test_lrn_default test_gridsample_border_padding test_depthtospace_crd_mode_example
""".split()


@pytest.fixture(scope="module")
def cases() -> dict[str, Any]:
    found: dict[str, Any] = {}
    seen = set()
    for name, model, feed in NODES.cases():
        operator = model.graph.node[0].op_type
        if name in MORE or operator not in seen:
            found[name] = (name, model, feed)
        seen.add(operator)
    assert set(MORE) <= set(found)
    return found


def test_gradients_of_nodes_are_what_differences_say(cases: dict[str, Any]) -> None:
    outcomes = [NODES.judged(*case) for case in cases.values()]
    assert [outcome for outcome in outcomes if outcome.verdict == NODES.WRONG] == []
    assert sum(outcome.verdict == NODES.RIGHT for outcome in outcomes) > 130
    refused = {outcome.operator for outcome in outcomes if outcome.verdict == NODES.REFUSED}
    assert refused & RULES.keys() <= {"BatchNormalization", "Dropout", "Loop", "MaxUnpool"}


BY_HAND = {
    "edges repeated": '(float[2,3,4] x) => (float[A,B,C] y)<int64[6] p = {0,1,2,0,2,1}> { y = Pad<mode="edge">(x, p) }',
    "mirrored": '(float[2,3,4] x) => (float[A,B,C] y)<int64[6] p = {0,1,2,0,2,1}> { y = Pad<mode="reflect">(x, p) }',
    "a triangle": "(float[3,4] x) => (float[3,4] y) { y = Trilu<upper=0>(x) }",
    "batches of matrices": "(float[2,3,4] x, float[2,4,5] w) => (float[2,3,5] y)"
    '{ y = Einsum<equation="bij,bjk->bik">(x, w) }',
    "a letter summed": '(float[3,4] x, float[4] w) => (float[4] y) { y = Einsum<equation="ij,j->j">(x, w) }',
    "weights of a convolution": "(float[2,2,5,5] x, float[4,1,3,2] w) => (float[A,B,C,D] y)"
    "{ y = Conv<group=2, strides=[2,1], dilations=[1,2], pads=[1,0,2,1]>(x, w) }",
    "weights of one channel a group": "(float[1,3,6] x, float[3,1,3] w, float[3] b) => (float[A,B,C] y)"
    "{ y = Conv<group=3, strides=[2]>(x, w, b) }",
    "weights transposed": "(float[2,4,5] x, float[4,3,3] w, float[3] b) => (float[A,B,C] y)"
    "{ y = ConvTranspose<strides=[2], pads=[1,1], output_padding=[1]>(x, w, b) }",
    "a norm over windows": "(float[1,2,6,6] x) => (float[A,B,C,D] y)"
    "{ y = LpPool<kernel_shape=[3,2], p=3, pads=[1,0,1,1]>(x) }",
    "a mean over windows, rounded up": "(float[1,1,6,6] x) => (float[A,B,C,D] y)"
    "{ y = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1, count_include_pad=1, pads=[1,1,1,1]>(x) }",
    "a mean of any size, rounded up": "(float[N,1,H,W] x) => (float[A,B,C,D] y)"
    "{ y = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1, pads=[1,1,1,1]>(x) }",
    "numbers written over": "(float[3,4] x, float[2,4] w) => (float[3,4] y) <int64[2,4] i = {0,1,2,0,1,2,0,1}>"
    "{ y = ScatterElements(x, i, w) }",
    "rows written over": "(float[3,4] x, float[2,4] w) => (float[3,4] y) <int64[2,1] i = {2,0}>"
    "{ y = ScatterND(x, i, w) }",
    "taken where it holds": "(float[4,3] x) => (float[A,B] y) <bool[4] c = {1,0,1,1}> { y = Compress<axis=0>(x, c) }",
    "a determinant": "(float[2,3,3] x) => (float[2] y) { y = Det(x) }",
    "a running sum": "(float[3,4] x) => (float[3,4] y) <int64 a = {1}> { y = CumSum<exclusive=1>(x, a) }",
    "several products": "(float[2,3] x) => (float[2] y) { y = ReduceProd<axes=[1], keepdims=0>(x) }",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_gradients_of_what_node_tests_leave_out(name: str) -> None:
    model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17]> g ' + BY_HAND[name])
    generator = np.random.default_rng(5)
    open_sizes = {"N": 2, "H": 6, "W": 7}
    feed = {
        info.name: generator.standard_normal(
            [dim.dim_value or open_sizes[dim.dim_param] for dim in info.type.tensor_type.shape.dim]
        ).astype(np.float32)
        for info in model.graph.input
    }
    try:
        found = [NODES.difference(model, feed, value, "y", generator) for value in feed]
    except NODES.UnjudgedError as error:
        pytest.skip(f"the reference evaluator of this onnx is no judge: {error}")
    assert max(found) < 2e-3


def test_codes_are_passed_as_the_numbers_that_they_stand_for() -> None:
    # x = 1.3 and 9: codes 13 and, held at the end of the range, 50 - so only the first has a gradient
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y)'
        "<float s = {0.1}, int8 z = {0}, float k = {3}>"
        "{ q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) y = Mul(d, k) }"
    )
    made = backward(Graph.from_proto(model), "y", ["x"])
    feed = {"x": np.array([1.3, 90], np.float32)}
    values = {**feed, **NODES.values_of(made.forward.to_bytes(), feed), made.seed: np.ones(2, np.float32)}
    (found,) = NODES.values_of(made.backward.to_bytes(), values).values()
    assert found == pytest.approx([3, 0])


def test_scales_of_int8_weights_go_to_the_gradient_where_they_are_summed() -> None:
    # y = x w with w = ((1, 2), (3, 4)) * (0.5, 2) by columns: g w^T = (0.5 g1 + 4 g2, 1.5 g1 + 8 g2)
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[1,2] x) => (float[1,2] y)'
        "<int8[2,2] q = {1, 2, 3, 4}, float[2] s = {0.5, 2}>"
        "{ w = DequantizeLinear<axis=1>(q, s) y = Gemm(x, w) }"
    )
    made = backward(Graph.from_proto(model), "y", ["x"])
    assert [node.op for node in made.backward.nodes] == ["Cast", "Mul", "Gemm", "Identity"]
    (found,) = NODES.values_of(made.backward.to_bytes(), {made.seed: np.array([[1, 10]], np.float32)}).values()
    assert found.tolist() == [[40.5, 81.5]]


def test_a_dynamically_quantised_product_has_the_gradient_of_the_plain_one() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[2,3] x) => (float[2,2] y)'
        "<uint8[3,2] w = {1, 4, 2, 5, 3, 6}, uint8 wz = {3}, float ws = {0.5}>"
        "{ q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z, wz) f = Cast<to=1>(i)"
        " t = Mul(s, ws) y = Mul(f, t) }"
    )
    made = backward(Graph.from_proto(model), "y", ["x"])
    feed = {"x": np.array([[1, 2, 3], [-1, 0, 2]], np.float32)}
    seed = np.array([[1, 0], [2, 1]], np.float32)
    values = {**feed, **NODES.values_of(made.forward.to_bytes(), feed), made.seed: seed}
    (found,) = NODES.values_of(made.backward.to_bytes(), values).values()
    weights = (np.array([[1, 4], [2, 5], [3, 6]]) - 3) * 0.5
    assert found == pytest.approx(seed @ weights.T)


UNARY = (
    "Relu",
    "Sigmoid",
    "Tanh",
    "Exp",
    "Softplus",
    "Neg",
    "Abs",
    "Sin",
    "Softmax",
    "Selu",
    "Elu",
    "HardSwish",
)
BINARY = ("Add", "Sub", "Mul", "Max", "Min")


@st.composite
def graphs(draw: st.DrawFn) -> onnx.ModelProto:
    """Graphs of up to eight nodes over values of (2, 3) and what is broadcast to them, each value read any often."""
    values, nodes = ["x", "w"], []
    for place in range(draw(st.integers(1, 8))):
        name, first = f"v{place}", draw(st.sampled_from(values))
        match draw(st.integers(0, 3)):
            case 0:
                nodes.append(helper.make_node(draw(st.sampled_from(UNARY)), [first], [name]))
            case 1:
                nodes.append(helper.make_node("MatMul", [first, "m"], [name]))
            case 2:
                nodes += [
                    helper.make_node("ReduceMean", [first], [f"{name}r"], axes=[-1]),
                    helper.make_node("Sub", [first, f"{name}r"], [name]),
                ]
            case _:
                nodes.append(
                    helper.make_node(draw(st.sampled_from(BINARY)), [first, draw(st.sampled_from(values))], [name])
                )
        values.append(name)
    nodes.append(helper.make_node("Sum", [values[-1], "x"], ["y"]))
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [2, 3]), ("w", [3]))]
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["A", "B"])
    weights = [helper.make_tensor("m", TensorProto.FLOAT, [3, 3], [0.3, -0.2, 0.5, 0.1, 0.4, -0.6, 0.2, 0.7, -0.1])]
    graph = helper.make_graph(nodes, "g", infos, [out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(graphs(), st.integers(0, 2**16))
def test_gradients_of_random_graphs_are_what_differences_say(model: onnx.ModelProto, seed: int) -> None:
    generator = np.random.default_rng(seed)
    feed = {"x": generator.standard_normal((2, 3)).astype("f"), "w": generator.standard_normal(3).astype("f")}
    read = {value for node in model.graph.node for value in node.input}
    for value in sorted(read & {"x", "w"}):
        try:
            backward(Graph.from_bytes(model.SerializeToString()), "y", [value])
        except UnsupportedError:
            assert value == "w"  # only where what is computed of it is not read
            continue
        assert NODES.difference(model, feed, value, "y", generator) < 2e-3
