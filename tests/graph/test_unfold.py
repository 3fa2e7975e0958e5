"""Functions and bodies as one flat graph: names, addresses, what takes the place of what, and the bounds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import helper, parser
from onnx.reference import ReferenceEvaluator

from onnxviz.errors import ModelError
from onnxviz.graph.graph import Graph
from onnxviz.graph.places import Address, Step
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.unfold import Unfolded, unfold

HEAD = '<ir_version: 10, opset_import: ["": 20, "loc": 1]>\n'
LOC = '<domain: "loc", opset_import: ["": 20, "loc": 1]>'


def unfolded(text: str) -> Unfolded:
    return unfold(Graph.from_proto(parser.parse_model(HEAD + text)))


def calls(found: Unfolded) -> list[tuple[str, list[str], list[str]]]:
    return [(node.op, list(node.inputs), list(node.outputs)) for node in found.graph.nodes]


def shape_of(found: Unfolded, value: str) -> object:
    return infer_types(found.graph)[value].shape


def test_a_graph_in_which_nothing_lies_is_returned_as_it_is() -> None:
    graph = Graph.from_proto(parser.parse_model(HEAD + "g (float[4] x) => (float[4] y) { y = Relu (x) }"))
    assert unfold(graph) == Unfolded(graph)
    assert unfold(graph).graph is graph


def test_each_call_of_a_function_gets_values_of_its_own() -> None:
    found = unfolded(
        "g (float[4] x) => (float[4] y) { a = loc.f (x) y = loc.f (a) }\n"
        f"{LOC} f (i) => (o) {{ t = Relu (i) o = Neg (t) }}"
    )
    assert calls(found) == [
        ("Relu", ["x"], ["a/t"]),
        ("Neg", ["a/t"], ["a"]),
        ("Relu", ["a"], ["y/t"]),
        ("Neg", ["y/t"], ["y"]),
    ]
    assert found.addresses == {
        "a/t": Address((Step(0, None),), "t", 0),
        "y/t": Address((Step(1, None),), "t", 0),
    }
    assert found.aliases == {"a/i": "x", "a/o": "a", "y/i": "a", "y/o": "y"}
    assert found.graph.inside == {"a/t": "f #0", "a": "f #0", "y/t": "f #1", "y": "f #1"}
    assert shape_of(found, "y/t") == (4,)


def test_functions_in_functions_in_bodies_are_named_by_the_whole_path() -> None:
    found = unfolded(
        "g (float[4] x, bool c) => (float[4] y) {\n"
        "[n] y = If (c) <then_branch = t () => (p) { [k] p = loc.outer (x) }, else_branch = e () => (x) { } > }\n"
        f"{LOC} outer (i) => (o) {{ [m] o = loc.inner (i) }}\n"
        f"{LOC} inner (i) => (o) {{ s = Relu (i) o = Neg (s) }}"
    )
    assert found.addresses["n/then_branch/k/m/s"] == Address(
        (Step(0, "then_branch"), Step(0, None), Step(0, None)), "s", 0
    )
    assert found.graph.inside["n/then_branch/k/m/s"] == "If #0 then_branch / outer #0 / inner #0"
    assert calls(found)[-1] == ("If", ["c", "n/then_branch/p", "x"], ["y"])
    assert shape_of(found, "n/then_branch/k/m/s") == shape_of(found, "y") == (4,)


def test_arguments_defaults_and_what_is_not_given_take_their_places() -> None:
    found = unfolded(
        "g (float[1,1,8,8] x, float[1,1,3,3] w) => (float[] y) {\n"
        "a = loc.f <p = [1,1,1,1]> (x, w) b = loc.f (a, w) y = loc.h <q = [2,2]> (b, w) }\n"
        f"{LOC} f <s: ints = [2,2]> (i, k) => (o) {{ o = Conv <pads: ints = @p, strides: ints = @s> (i, k) }}\n"
        f"{LOC} h <q> (i, k) => (o) {{ o = loc.f <p = [2,2,2,2], s: ints = @q> (i, k) }}"
    )
    read = [{name: node.integers(name) for name in ("pads", "strides")} for node in found.graph.nodes]
    assert read == [
        {"pads": (1, 1, 1, 1), "strides": (2, 2)},
        {"pads": None, "strides": (2, 2)},
        {"pads": (2, 2, 2, 2), "strides": (2, 2)},
    ]


def test_a_call_means_the_function_of_its_own_overload() -> None:
    model = parser.parse_model(
        f"{HEAD}g (float[4] x) => (float[4] y) {{ a = loc.f (x) y = loc.f (a) }}\n{LOC} f (i) => (o) {{ o = Relu (i) }}"
    )
    model.graph.node[1].overload = "second"
    model.functions.append(model.functions[0])
    model.functions[1].overload, model.functions[1].node[0].op_type = "second", "Tanh"
    assert [node.op for node in unfold(Graph.from_proto(model)).graph.nodes] == ["Relu", "Tanh"]


def test_outputs_that_are_inputs_or_twins_are_copied_and_left_out_ones_have_a_name() -> None:
    found = unfolded(
        "g (float[4] x) => (float[4] a, float[4] b, float[4] c) { a, b, c = loc.f (x) }\n"
        f"{LOC} f (i) => (i, o, o, rest) {{ o = Relu (i) rest = Neg (o) }}"
    )
    assert calls(found) == [
        ("Relu", ["x"], ["b"]),
        ("Neg", ["b"], ["a/rest"]),
        ("Identity", ["x"], ["a"]),
        ("Identity", ["b"], ["c"]),
    ]


def test_an_input_that_a_call_leaves_out_is_left_out_inside() -> None:
    found = unfolded(
        "g (float[4] x, float top) => (float[4] a, float[4] b) { a = loc.f (x, , top) b = loc.f (x) }\n"
        f"{LOC} f (i, low, high) => (o) {{ o = Clip (i, low, high) }}"
    )
    assert [inputs for _, inputs, _ in calls(found)] == [["x", "", "top"], ["x", "", ""]]


def test_what_a_call_puts_out_beyond_its_function_is_nowhere() -> None:
    found = unfolded(
        "g (float[4] x) => (float[4] y) { y = loc.f (x) }\n"
        f"{LOC} f (i) => (o) {{ o, p = loc.h (i) }}\n{LOC} h (i) => (o) {{ o = Relu (i) }}"
    )
    assert calls(found) == [("Relu", ["x"], ["y"])]
    assert not found.addresses


@pytest.mark.parametrize("domain", ["", "ai.onnx", "com.microsoft"])
def test_a_function_that_the_runtime_computes_itself_stays_a_call_and_is_said(domain: str) -> None:
    model = parser.parse_model(
        f"{HEAD}g (float[4] x) => (float[4] y) {{ a = loc.Gelu (x) y = Relu (a) }}\n"
        f"{LOC} Gelu (i) => (o) {{ o = Neg (i) }}"
    )
    model.graph.node[0].domain = model.functions[0].domain = domain
    model.graph.node[0].name = "gate"
    found = unfold(Graph.from_proto(model))
    assert found.opaque == ("gate",)
    assert [node.op for node in found.graph.nodes] == ["Gelu", "Relu"]
    assert not found.addresses


def test_an_if_makes_what_both_branches_agree_on() -> None:
    found = unfolded(
        "g (float[2,3] x, float[2,5] z, bool c) => (float[] y) {\n"
        "y = If (c) <then_branch = t () => (p) { p = Relu (x) }, else_branch = e () => (q) { q = Neg (z) }> }"
    )
    assert calls(found)[-1] == ("If", ["c", "y/then_branch/p", "y/else_branch/q"], ["y"])
    assert shape_of(found, "y") == (2, None)


LOOP = """g (float[2,3] x, int64 m, bool c, float[3] w) => (float[2,3] y, float[] z, int64 n) {
    [l] y, z = Loop (m, c, x) <body = b (int64 i, bool d, float[2,3] v) => (e, r, p) {
        e = Identity (d) r = Add (v, w) p = ReduceSum (r) k = Cast <to = 1> (i)
    }> n = Size (z) }"""


def test_a_loop_is_tied_to_what_goes_in_and_out() -> None:
    found = unfolded(LOOP)
    assert calls(found) == [
        ("Steps", ["m", "c", "x", "w"], ["l/body/="]),
        ("Iteration", [], ["l/body/i"]),
        ("Condition", ["c", "l/body/="], ["l/body/d"]),
        ("Carried", ["x", "l/body/="], ["l/body/v"]),
        ("Identity", ["l/body/d"], ["l/body/e"]),
        ("Add", ["l/body/v", "w"], ["l/body/r"]),
        ("ReduceSum", ["l/body/r"], ["l/body/p"]),
        ("Cast", ["l/body/i"], ["l/body/k"]),
        ("Loop", ["m", "c", "l/body/e", "x", "l/body/r", "l/body/p"], ["y", "z"]),
        ("Size", ["z"], ["n"]),
    ]
    assert found.addresses["l/body/v"] == Address((Step(0, "body"),), "v", 1)
    types = infer_types(found.graph)
    assert types["l/body/r"].shape == (2, 3)
    assert types["y"].shape == (2, 3)
    assert types["z"].shape == (None, 1, 1)
    assert types["l/body/i"].dtype == "int64"


def test_a_scan_reads_one_slice_a_step_and_keeps_its_state() -> None:
    found = unfolded(
        "g (float[3] s, float[2,7,3] x) => (float[] y, float[] z) {\n"
        "y, z = Scan <num_scan_inputs = 1, scan_input_axes = [1], body = b (v, e) => (r, p) {\n"
        "a = ReduceMax <keepdims = 0> (e) r = Add (v, a) p = Relu (e) }> (s, x) }"
    )
    types = infer_types(found.graph)
    names = ("y/body/v", "y/body/e", "y/body/p", "y", "z")
    assert [types[name].shape for name in names] == [(3,), (2, 3), (2, 3), (3,), (None, 2, 3)]
    assert found.addresses["y/body/e"].loops == 1


def test_a_sequence_map_reads_an_element_and_makes_a_sequence() -> None:
    found = unfolded(
        "g (seq(float[4,5]) s, float[5] w) => (float[] y) { [m] t = SequenceMap <body = b (e, float[5] k) => (o) {"
        " o = Add (e, k) }> (s, w) zero = Constant <value = int64 {0}> () y = SequenceAt (t, zero) }"
    )
    types = infer_types(found.graph)
    assert types["m/body/e"].shape == types["y"].shape == (4, 5)
    assert found.addresses["m/body/o"].loops == 0


def test_weights_in_bodies_keep_their_data_under_the_name_of_the_path() -> None:
    model = parser.parse_model(LOOP.join([HEAD, ""]))
    body = model.graph.node[0].attribute[0].g
    body.initializer.append(onnx.numpy_helper.from_array(np.ones(3, np.float32), "held"))
    values = onnx.numpy_helper.from_array(np.array([5], np.float32), "thin")
    indices = onnx.numpy_helper.from_array(np.array([2], np.int64), "places")
    body.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3]))
    outside = body.initializer.add(name="far", data_type=1, dims=[3], data_location=onnx.TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="weights.bin")
    body.node[1].input[1] = "held"
    found = unfold(Graph.from_proto(model))
    assert found.graph.constant("l/body/held").tolist() == [1, 1, 1]  # type: ignore[union-attr]
    assert found.graph.constant("l/body/thin").tolist() == [0, 0, 5]  # type: ignore[union-attr]
    assert found.graph.dims("l/body/far") == (3,)
    assert found.graph.initializers["l/body/far"].external_data[0].value == "weights.bin"
    assert found.addresses["l/body/held"] == Address((Step(0, "body"),), "held", 1)


def test_a_value_of_a_body_hides_the_one_of_its_name_outside() -> None:
    found = unfolded(
        "g (float[4] x, bool c) => (float[4] y) { h = Relu (x)\n"
        "y = If (c) <then_branch = t () => (h) { h = Neg (x) }, else_branch = e () => (h) { }> z = Abs (h) }"
    )
    assert ("If", ["c", "y/then_branch/h", "h"], ["y"]) in calls(found)
    assert ("Abs", ["h"], ["z"]) in calls(found)


def test_nodes_of_a_body_may_stand_in_any_order() -> None:
    found = unfolded(
        "g (float[4] x, bool c) => (float[4] y) {\n"
        "y = If (c) <then_branch = t () => (p) { p = Neg (o) o = Relu (x) }, else_branch = e () => (x) { }> }"
    )
    assert [node.op for node in found.graph.nodes] == ["Relu", "Neg", "If"]


def test_names_that_collide_or_hold_anything_stay_apart() -> None:
    model = parser.parse_model(
        f"{HEAD}g (float[4] x) => (float[4] y) {{ a = loc.f (x) b = loc.f (a) c = Relu (b) y = Neg (c) }}\n"
        f"{LOC} f (i) => (o) {{ t = Relu (i) o = Neg (t) }}"
    )
    first, second, third, _ = model.graph.node
    first.name = second.name = "/m/n,[0] "
    first.output[0] = second.input[0] = "m"
    third.output[0] = model.graph.node[3].input[0] = "m/t"
    second.name = "m"
    found = unfold(Graph.from_proto(model))
    assert {value: address.path for value, address in found.addresses.items()} == {
        "/m/n,[0] /t": (Step(0, None),),
        "m/t'1": (Step(1, None),),
    }


def test_the_flat_graph_computes_what_the_model_does() -> None:
    text = (
        "g (float[2,3] x, float[3] w) => (float[2,3] y) {\n"
        "a = loc.f <k = 2.0> (x, w) b = loc.f <k = 5.0> (a, w) y = Add (a, b) }\n"
        f"{LOC} f <k: float = 3.0> (i, v) => (o) {{\n"
        "c = Constant <value_float: float = @k> () t = Mul (i, c) o = Add (t, v) }"
    )
    model = parser.parse_model(HEAD + text)
    given = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "w": np.ones(3, np.float32)}
    flat = unfold(Graph.from_proto(model)).graph.proto
    assert np.array_equal(ReferenceEvaluator(flat).run(None, given)[0], ReferenceEvaluator(model).run(None, given)[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("o = Neg (p) p = Relu (o)", "the graph has a cycle"),
        ("o = Neg (i) o = Relu (i)", "the value 'y' is put out twice"),
        ("i = Neg (i) o = Relu (i)", "is there twice"),
        ("o = Neg (x)", "'y/x', which nothing in the graph makes"),
        ("p = Neg (i)", "nothing in the graph makes its output 'y'"),
    ],
)
def test_what_is_not_sound_in_a_function_is_one_error(text: str, message: str) -> None:
    model = f"g (float[4] x) => (float[4] y) {{ y = loc.f (x) }}\n{LOC} f (i) => (o) {{ {text} }}"
    with pytest.raises(ModelError, match=message):
        unfolded(model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("o = Neg (p) p = Relu (o)", "the graph has a cycle: the value 'y/then_branch/[op]' is needed"),
        ("o = Neg (x) o = Relu (x)", "the value 'y/then_branch/o' is put out twice"),
        ("o = Neg (k) k = Relu (x)", "the value 'y/then_branch/k' is an input or initializer, and"),
    ],
)
def test_what_is_not_sound_in_a_body_is_one_error(text: str, message: str) -> None:
    branch = f"then_branch = t () => (o) <float[1] k = {{1}}> {{ {text} }}, else_branch = e () => (x) {{ }}"
    with pytest.raises(ModelError, match=message):
        unfolded(f"g (float[4] x, bool c) => (float[4] y) {{ y = If (c) <{branch}> }}")


def nested(depth: int, calls: int) -> Graph:
    """A function of each level calls that of the next `calls` times; the last is a Relu."""
    names = [f"f{level}" for level in range(depth)]
    functions = [
        f"{LOC} {name} (i) => (o) "
        + "{ "
        + " ".join(f"v{k} = loc.{inner} ({f'v{k - 1}' if k else 'i'})" for k in range(calls))
        + f" o = Relu (v{calls - 1}) }}"
        for name, inner in pairwise(names)
    ]
    last = f"{LOC} {names[-1]} (i) => (o) {{ o = Relu (i) }}"
    text = f"{HEAD}g (float[4] x) => (float[4] y) {{ y = loc.f0 (x) }}\n" + "\n".join([*functions, last])
    return Graph.from_proto(parser.parse_model(text))


@pytest.mark.parametrize(("depth", "calls", "unlisted"), [(3, 2, 0), (60, 1, 0), (64, 1, 0), (65, 1, 1), (70, 1, 11)])
def test_what_lies_deeper_than_64_levels_stays_closed_and_is_counted(depth: int, calls: int, unlisted: int) -> None:
    found = unfold(nested(depth, calls))
    assert found.unlisted == unlisted
    listed = [node for node in found.graph.nodes if node.op == "Relu"]
    assert len(listed) == sum(calls**level for level in range(min(depth, 64)))


@pytest.mark.parametrize("depth", [17, 60, 100])
def test_calls_that_double_with_each_level_end_at_50_000_nodes(depth: int) -> None:
    found = unfold(nested(depth, 2))
    assert found.unlisted == 50_000
    assert 20_000 < len(found.graph.nodes) <= 50_001
    assert infer_types(found.graph)["y"].shape == (4,)


def test_a_function_that_calls_itself_stays_closed_at_last() -> None:
    found = unfolded(f"g (float[4] x) => (float[4] y) {{ y = loc.f (x) }}\n{LOC} f (i) => (o) {{ o = loc.f (i) }}")
    assert found.unlisted == 50_000


def test_long_names_and_much_data_end_at_a_bound_too() -> None:
    model = parser.parse_model(
        f"{HEAD}g (float[4] x) => (float[4] y) {{ y = Relu (x) }}\n{LOC} f (i) => (o) {{ o = Neg (i) }}"
    )
    model.functions[0].node[0].doc_string = "a" * 1_000_000
    model.graph.node.extend(helper.make_node("f", ["x"], [f"v{n}"], domain="loc") for n in range(300))
    found = unfold(Graph.from_proto(model))
    assert 100 < 300 - found.unlisted < 200
