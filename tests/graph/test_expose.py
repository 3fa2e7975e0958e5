import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

import onnxviz
from onnxviz.errors import NoMatchError, UnsupportedError
from onnxviz.graph.expose import Exposed, expose, strip_metadata
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.topology import every_node
from onnxviz.graph.unfold import unfold

CHAIN = """
<ir_version: 8, opset_import: ["" : 17], metadata_props: ["onnxviz.labels" : "cat"]>
chain (float[N, 2, 4, 4] x) => (float[N, k] y)
<float[3, 2, 3, 3] w = {WEIGHTS}, int64[1] minus_one = {-1}, float[1] one = {1.0}> {
  c = Conv(x, w)
  r = Relu(c)
  a = Add(r, one)
  y = Flatten(a)
}
"""


def chain() -> Graph:
    weights = ", ".join(str(float(number % 5 - 2)) for number in range(54))
    text = CHAIN.replace("WEIGHTS", weights)
    return Graph.from_proto(parser.parse_model(text))


def session(graph: Graph) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph.to_bytes(), options, providers=["CPUExecutionProvider"])


def names(graph: Graph) -> list[str]:
    return [spec.name for spec in graph.outputs]


def test_new_outputs_follow_the_models_own_in_graph_order():
    graph = chain()
    exposed = expose(graph, ["r", "c", "r"], infer_types(graph))
    assert names(exposed.graph) == ["y", "c", "r"]
    assert exposed.added == ("c", "r")
    assert exposed.already == ()
    assert names(graph) == ["y"]


def test_new_outputs_carry_type_and_rank_and_no_invented_symbols():
    graph = chain()
    exposed = expose(graph, ["c"], infer_types(graph))
    (info,) = [info for info in exposed.graph.proto.graph.output if info.name == "c"]
    assert info.type.tensor_type.elem_type == TensorProto.FLOAT
    assert [(dim.dim_param or dim.dim_value) for dim in info.type.tensor_type.shape.dim] == ["N", 3, 2, 2]


def test_an_unknown_size_is_left_empty():
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[N] x) => (float[M] y) { i = NonZero(x) m = Mul(i, i) y = Cast<to = 1>(m) }"""
    model = parser.parse_model(text)
    model.graph.output[0].type.tensor_type.shape.dim.add()
    graph = Graph.from_proto(model)
    exposed = expose(graph, ["i"], infer_types(graph))
    info = exposed.graph.proto.graph.output[-1]
    assert info.type.tensor_type.elem_type == TensorProto.INT64
    assert [dim.WhichOneof("value") for dim in info.type.tensor_type.shape.dim] == ["dim_value", None]


def test_the_checker_and_the_runtime_take_it_and_the_outputs_stay():
    graph = chain()
    exposed = expose(graph, ["x", "w", "c", "r", "a"], infer_types(graph)).graph
    onnx.checker.check_model(exposed.to_bytes(), full_check=True)
    x = np.arange(64, dtype=np.float32).reshape(2, 2, 4, 4)
    (want,) = session(graph).run(["y"], {"x": x})
    y, maps, same = session(exposed).run(["y", "c", "x"], {"x": x})
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(np.maximum(maps, 0).reshape(2, -1) + 1, y)
    np.testing.assert_array_equal(same, x)


def test_exposing_twice_changes_nothing():
    graph = chain()
    once = expose(graph, ["c", "a"], infer_types(graph)).graph
    twice = expose(once, ["a", "c", "y"], infer_types(once))
    assert twice.graph.to_bytes() == once.to_bytes()
    assert twice.added == ()
    assert twice.already == ("c", "a", "y")


def test_inputs_and_initializers_can_be_exposed():
    graph = chain()
    exposed = expose(graph, ["w", "x"], {})
    assert names(exposed.graph) == ["y", "x", "w"]
    shapes = {spec.name: spec.shape for spec in exposed.graph.outputs}
    assert shapes["x"] == ("N", 2, 4, 4)
    assert shapes["w"] == (3, 2, 3, 3)


def test_a_value_of_which_nothing_is_known_has_only_its_name():
    graph = Graph.from_proto(
        helper.make_model(
            helper.make_graph(
                [
                    helper.make_node("Strange", ["x"], ["s"], domain="my"),
                    helper.make_node("Strange", ["s"], ["y"], domain="my"),
                ],
                "g",
                [helper.make_tensor_value_info("x", 1, [1])],
                [helper.make_tensor_value_info("y", 1, [1])],
            ),
            opset_imports=[helper.make_opsetid("my", 1)],
        )
    )
    info = expose(graph, ["s"], infer_types(graph)).graph.proto.graph.output[-1]
    assert info == onnx.ValueInfoProto(name="s")


def test_a_value_whose_rank_nothing_tells_is_said(tmp_path):
    text = (
        '<ir_version: 8, opset_import: ["": 17]> g (float[1,2,4,4] x, int64[k] s) => (float y) '
        "{ r = Reshape (x, s) t = Relu (r) y = ReduceSum <keepdims=0> (t) u = SequenceConstruct (x) }"
    )
    onnx.save(parser.parse_model(text), tmp_path / "m.onnx")
    model = onnxviz.open(tmp_path / "m.onnx").expose(["t", "u"], tap="op")
    assert expose(model.graph, ["r", "u"], model.types).unranked == ("r",)
    (remark,) = model.remarks
    assert remark.startswith("how many axes 't' will have is not known before a run")
    model.save(tmp_path / "out.onnx")
    with pytest.raises(onnx.checker.ValidationError, match="shape"):
        onnx.checker.check_model(str(tmp_path / "out.onnx"))
    session = onnxruntime.InferenceSession(tmp_path / "out.onnx")
    feed = {"x": np.ones((1, 2, 4, 4), np.float32), "s": np.array([8, 4])}
    assert session.run(["t"], feed)[0].shape == (8, 4)


def test_a_sequence_keeps_its_type():
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[4, 2] x) => (int64 y) { s = SplitToSequence(x) y = SequenceLength(s) }"""
    graph = Graph.from_proto(parser.parse_model(text))
    exposed = expose(graph, ["s"], infer_types(graph)).graph
    assert exposed.proto.graph.output[-1].type.WhichOneof("value") == "sequence_type"
    onnx.checker.check_model(exposed.to_bytes(), full_check=True)


def test_a_name_that_is_no_value_is_an_error_that_names_near_ones():
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[1] x) => (float[1] logits) { stem_conv = Relu(x) logits = Relu(stem_conv) }"""
    graph = Graph.from_proto(parser.parse_model(text))
    with pytest.raises(NoMatchError, match=r"^the model has no value 'stem_con'; near: `stem_conv`$"):
        expose(graph, ["stem_con"], {})
    with pytest.raises(NoMatchError, match=r"^the model has no value 'z9'$"):
        expose(graph, ["logits", "z9"], {})
    with pytest.raises(NoMatchError, match="no value was chosen"):
        expose(graph, [], {})


def test_only_drops_the_models_own_outputs_and_what_nothing_needs():
    graph = chain()
    exposed = expose(graph, ["r", "c"], infer_types(graph), only=True)
    assert names(exposed.graph) == ["c", "r"]
    assert [node.op for node in exposed.graph.nodes] == ["Conv", "Relu"]
    assert list(exposed.graph.initializers) == ["w"]
    assert exposed.added == ("c", "r")
    onnx.checker.check_model(exposed.graph.to_bytes(), full_check=True)
    kept = expose(graph, ["y", "r"], infer_types(graph), only=True)
    assert names(kept.graph) == ["r", "y"]
    assert (kept.added, kept.already) == (("r",), ("y",))


def test_metadata_opsets_functions_and_domains_stay():
    text = """<ir_version: 8, opset_import: ["" : 17, "mine" : 1], metadata_props: ["author" : "me"]>
    g (float[2] x) => (float[2] y) { t = mine.twice(x) y = mine.twice(t) }
    <domain: "mine", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }"""
    graph = Graph.from_proto(parser.parse_model(text))
    exposed = expose(graph, ["t"], infer_types(graph)).graph
    assert exposed.metadata == {"author": "me"}
    assert [(entry.domain, entry.version) for entry in exposed.proto.opset_import] == [("", 17), ("mine", 1)]
    y, t = session(exposed).run(["y", "t"], {"x": np.array([1, 2], np.float32)})
    assert t.tolist() == [2, 4]
    assert y.tolist() == [4, 8]


def test_the_bundled_model_passes_the_checker(bundled_model):
    graph = Graph.from_bytes(bundled_model.read_bytes())
    values = [value for node in graph.nodes for value in node.outputs if value]
    exposed = expose(graph, values, infer_types(graph))
    assert len(exposed.added) == len(values) - len(graph.outputs)
    onnx.checker.check_model(exposed.graph.to_bytes(), full_check=True)


def noted_model() -> onnx.ModelProto:
    """A model with what PyTorch's exporters leave: stack traces, module paths, and our own metadata."""
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["inner"], doc_string="/home/ada/net.py")],
        "body",
        [],
        [helper.make_tensor_value_info("inner", 1, [1])],
    )
    branch = helper.make_node(
        "If", ["flag"], ["y"], then_branch=inner, else_branch=inner, doc_string="/home/ada/net.py"
    )
    branch.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="File /home/ada/net.py")
    branch.metadata_props.add(key="pkg.torch.onnx.name_scopes", value="['', 'layer1', 'if']")
    flag = numpy_helper.from_array(np.array(True), "flag")
    flag.doc_string = "/home/ada/flag.py"
    graph = helper.make_graph(
        [branch],
        "g",
        [helper.make_tensor_value_info("x", 1, [1], doc_string="/home/ada/x.py")],
        [helper.make_tensor_value_info("y", 1, [1])],
        [flag],
    )
    graph.metadata_props.add(key="pkg.torch.export.graph", value="/home/ada")
    model = helper.make_model(
        graph, doc_string="made in /home/ada", opset_imports=[helper.make_opsetid("", 17)], ir_version=10
    )
    model.metadata_props.add(key="onnxviz.labels", value="cat\ndog")
    model.metadata_props.add(key="pkg.torch.version", value="/home/ada/torch")
    return model


def test_strip_metadata_drops_paths_and_keeps_scopes_and_labels():
    graph = Graph.from_proto(noted_model())
    stripped = strip_metadata(graph)
    assert b"ada" in graph.to_bytes()
    assert b"ada" not in stripped.to_bytes()
    assert stripped.metadata == {"onnxviz.labels": "cat\ndog"}
    assert stripped.nodes[0].scope == graph.nodes[0].scope == "layer1"
    assert session(stripped).run(None, {"x": np.array([3], np.float32)})[0].tolist() == [3]


@pytest.mark.parametrize(
    ("split", "keepdims"),
    [(None, 0), ("one", 0), ("same", 0), ("counted", 0), ("ones", 0), ("uneven", 0), ("two", 1), ("ones", 1)],
)
def test_parts_of_a_sequence_are_declared_as_a_run_makes_them(split: str | None, keepdims: int) -> None:
    text = f"""<ir_version: 9, opset_import: ["": 18]>
    g (float[6,4] x) => (float[6,4] r) <int64 one = {{1}}, int64 two = {{2}}, int64[3] uneven = {{1, 2, 3}},
        int64[6] ones = {{1, 1, 1, 1, 1, 1}}, int64 first = {{0}}> {{
        r = Relu (x) same = Identity (one) h = Shape <start=1> (x) d = Div (h, h) counted = Squeeze (d)
        s = SplitToSequence <axis=0, keepdims={keepdims}> (x{"" if split is None else ", " + split})
        y = SequenceAt (s, first) z = ConcatFromSequence <axis=0, new_axis=1> (s)
    }}"""
    if split == "uneven":
        text = text.replace("z = ConcatFromSequence <axis=0, new_axis=1> (s)", "z = SequenceAt (s, two)")
    if split in ("counted", "same"):
        text = text.replace("z = ConcatFromSequence <axis=0, new_axis=1> (s)", "z = Neg (y)")
    graph = Graph.from_proto(onnx.parser.parse_model(text))
    exposed = expose(graph, ["s", "y", "z"], infer_types(graph)).graph
    session = onnxruntime.InferenceSession(exposed.to_bytes())
    found = dict(zip("rsyz", session.run(None, {"x": np.zeros((6, 4), np.float32)}), strict=True))
    for info in exposed.proto.graph.output:
        kind = info.type.sequence_type.elem_type if info.name == "s" else info.type
        array = found["s"][0] if info.name == "s" else found[info.name]
        if kind.tensor_type.HasField("shape"):
            sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.tensor_type.shape.dim]
            assert len(sizes) == array.ndim, info.name
            assert all(size in (None, made) for size, made in zip(sizes, array.shape, strict=True)), info.name


INSIDE = """
<ir_version: 10, opset_import: ["" : 18, "loc" : 1]>
g (float[2, 3] x, bool c, int64 n) => (float[2, 3] y)
<float[3] weight = {1, 2, 3}, float[1] half = {0.5}> {
  [call] a = loc.block(x, weight)
  [if] b = If (c) <
    then_branch = t () => (float[2, 3] p) { m = Mul(a, half) p = Neg(m) },
    else_branch = e () => (float[2, 3] q) { q = Abs(a) }>
  [loop] y, s = Loop (n, c, b) <body = f (int64 i, bool ci, float[2, 3] v) => (bool co, float[2, 3] w, float[2, 3] e) {
    co = Identity(ci) w = Mul(v, half) e = Neg(v) r = Range(i, n, one) u = Cast<to = 1>(r) }>
  z = Neg(a)
}
<domain: "loc", opset_import: ["" : 18]>
block (v, k) => (w) { t = Mul(v, k) w = Relu(t) }
"""
X = np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]], np.float32)


def holders() -> Graph:
    model = parser.parse_model(INSIDE)
    model.graph.initializer.append(helper.make_tensor("one", TensorProto.INT64, [], [1]))
    return Graph.from_proto(model)


def exposed_inside(graph: Graph, values: list[str], *, only: bool = False) -> Exposed:
    flat = unfold(graph)
    return expose(graph, values, infer_types(flat.graph), unfolded=flat, only=only)


def outcome(graph: Graph) -> dict[str, object]:
    feed = {"x": X, "c": np.array(True), "n": np.array(2)}
    given = {spec.name: feed[spec.name] for spec in graph.inputs}
    return dict(zip(names(graph), session(graph).run(None, given), strict=True))


def test_values_inside_are_exposed_in_graph_order_beside_those_at_the_top():
    wanted = ["z", "loop/body/u", "loop/body/w", "if/else_branch/q", "if/then_branch/m", "call/t", "a"]
    exposed = exposed_inside(holders(), wanted)
    assert names(exposed.graph) == ["y", "call/t", "a", *wanted[4:2:-1], "loop/body/w", "loop/body/u", "z"]
    assert exposed.optional == ("if/then_branch/m", "if/else_branch/q")
    assert exposed.sequences == ("loop/body/u",)
    assert exposed.unranked == ()
    onnx.checker.check_model(exposed.graph.proto, full_check=True)
    got = outcome(exposed.graph)
    a = np.maximum(X * np.float32([1, 2, 3]), 0)
    np.testing.assert_array_equal(got["y"], outcome(holders())["y"])
    np.testing.assert_array_equal(got["if/then_branch/m"], a / 2)
    assert got["if/else_branch/q"].shape == (0, 0)
    np.testing.assert_array_equal(got["loop/body/w"], [-a / 4, -a / 8])
    assert [step.tolist() for step in got["loop/body/u"]] == [[0, 1], [1]]


def test_exposing_inside_twice_changes_nothing():
    wanted = ["loop/body/u", "loop/body/w", "if/else_branch/q", "if/then_branch/m", "call/t"]
    once = exposed_inside(holders(), wanted)
    again = exposed_inside(once.graph, wanted)
    assert again.graph is once.graph
    assert set(again.already) == set(wanted)
    # The layers of the exposed file have other names: theirs are those of its outputs.
    inner = unfold(once.graph)
    moved = [name for name in inner.addresses if name.endswith(("/m'1", "/w'1"))]
    assert len(moved) == 2
    found = exposed_inside(once.graph, moved)
    assert found.graph is once.graph
    assert set(found.names.values()) == {"if/then_branch/m", "loop/body/w"}


def test_a_result_of_a_call_under_its_name_inside_is_what_it_is_outside():
    exposed = exposed_inside(holders(), ["call/w"])
    assert (exposed.names, exposed.added) == ({"call/w": "a"}, ("a",))


def test_only_prunes_what_the_values_inside_do_not_need():
    exposed = exposed_inside(holders(), ["if/then_branch/m"], only=True)
    assert names(exposed.graph) == ["if/then_branch/m"]
    assert [spec.name for spec in exposed.graph.inputs] == ["x", "c"]
    assert sorted(exposed.graph.weights) == ["half", "weight"]
    inner = [node.op_type for node in every_node(exposed.graph.proto.graph.node)]
    assert sorted(inner) == ["Constant", "If", "Mul", "block"]
    np.testing.assert_array_equal(
        outcome(exposed.graph)["if/then_branch/m"], outcome(exposed_inside(holders(), ["a"]).graph)["a"] / 2
    )


def test_a_name_inside_that_is_wrong_is_answered_with_near_ones():
    with pytest.raises(NoMatchError, match="if/then_branch/m"):
        exposed_inside(holders(), ["if/then_branch/n"])


def test_what_cannot_be_handed_out_is_left_out_and_refused_where_it_is_all():
    proto = holders().proto
    proto.opset_import[0].version = 12
    graph = Graph.from_proto(proto)
    exposed = exposed_inside(graph, ["loop/body/u", "loop/body/w", "if/then_branch/m"])
    assert list(exposed.names) == ["if/then_branch/m", "loop/body/w"]
    assert list(exposed.refused) == ["loop/body/u"] and "opset 12" in exposed.refused["loop/body/u"]
    with pytest.raises(UnsupportedError, match="'loop/body/u' cannot be handed out: its size may differ"):
        exposed_inside(graph, ["loop/body/u"])
