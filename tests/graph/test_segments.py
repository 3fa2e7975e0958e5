from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from onnxviz.errors import NoMatchError
from onnxviz.graph.graph import Graph
from onnxviz.graph.segments import Segment, map_bytes, plan
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.layout import TensorSpec

SQUEEZENET = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_squeezenet.onnx"
LEVELS = onnxruntime.GraphOptimizationLevel

SKIP = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 100] x) => (float[1, 100] y) <float[1] w = {2.0}> {
  a = Mul(x, w)
  b = Exp(a)
  c = Neg(b)
  d = Add(c, a)
  k = Add(w, w)
  y = Mul(d, k)
}
"""


def parsed(text: str) -> Graph:
    return Graph.from_proto(parser.parse_model(text))


def run(
    segments: Sequence[Segment],
    feed: Mapping[str, np.ndarray],
    level: LEVELS = LEVELS.ORT_DISABLE_ALL,
    folder: Path = Path(),
) -> dict[str, np.ndarray]:
    """Carry out a plan as a runner does, with nothing kept that no later segment reads."""
    live, fetched = dict(feed), {}
    for place, segment in enumerate(segments):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        session = onnxruntime.InferenceSession(segment.graph.to_bytes(), options, providers=["CPUExecutionProvider"])
        assert [info.name for info in session.get_outputs()] == list(segment.outputs)
        assert {info.name for info in session.get_inputs()} == set(segment.inputs)
        arrays = session.run(list(segment.outputs), {name: live[name] for name in segment.inputs})
        made = dict(zip(segment.outputs, arrays, strict=True))
        fetched.update(made)
        later = {name for following in segments[place + 1 :] for name in following.inputs}
        live = {name: array for name, array in (live | made).items() if name in later}
    return fetched


def inner_values(graph: Graph) -> list[str]:
    return [value for node in graph.nodes for value in node.outputs if value and not graph.is_constant(value)]


def shape_of(spec: TensorSpec) -> list[int]:
    return [size if isinstance(size, int) else 1 for size in spec.shape or ()]


class TestPlan:
    def test_one_segment_where_all_fits(self):
        graph = parsed(SKIP)
        (segment,) = plan(graph, ["y", "b"], infer_types(graph), 10_000)
        assert segment.inputs == ("x",)
        assert segment.outputs == ("b", "y")
        assert [node.op for node in segment.graph.nodes] == ["Mul", "Exp", "Neg", "Add", "Add", "Mul"]

    def test_the_graph_is_cut_to_what_is_wanted(self):
        graph = parsed(SKIP)
        (segment,) = plan(graph, ["b"], infer_types(graph), 10_000)
        assert [node.op for node in segment.graph.nodes] == ["Mul", "Exp"]

    def test_a_skip_connection_is_carried_and_let_go(self):
        """Maps of 400 bytes, budget 1000. Ending before c would let go nothing, for a and b are still to be read."""
        graph = parsed(SKIP)
        segments = plan(graph, ["a", "b", "c", "d", "y"], infer_types(graph), 1000)
        assert [segment.outputs for segment in segments] == [("a", "b", "c"), ("d",), ("y",)]
        assert [segment.inputs for segment in segments] == [("x",), ("a", "c"), ("d",)]

    def test_carried_values_that_are_not_wanted_are_fetched(self):
        graph = parsed(SKIP)
        segments = plan(graph, ["b", "y"], infer_types(graph), 800)
        assert segments[0].outputs == ("a", "b", "c")
        assert segments[1].inputs == ("a", "c")
        assert segments[-1].outputs == ("y",)
        x = np.linspace(-1, 1, 100, dtype=np.float32).reshape(1, 100)
        got, want = run(segments, {"x": x}), run(plan(graph, ["b", "y"], {}, 1 << 20), {"x": x})
        np.testing.assert_array_equal(got["y"], want["y"])
        np.testing.assert_array_equal(got["b"], want["b"])

    def test_constants_are_not_carried_but_had_by_each_segment(self):
        graph = parsed(SKIP)
        segments = plan(graph, ["a", "b", "c", "d", "y"], infer_types(graph), 0)
        assert len(segments) == 5
        assert [list(segment.graph.initializers) for segment in segments] == [["w"], [], [], [], ["w"]]
        assert [node.outputs for node in segments[-1].graph.nodes] == [("k",), ("y",)]

    def test_maps_that_no_segment_would_let_go_are_no_reason_to_divide(self):
        """Only y is wanted: the runtime frees the values before it by itself."""
        graph = parsed(SKIP)
        assert len(plan(graph, ["y"], infer_types(graph), 100)) == 1

    def test_inputs_and_constants_can_be_wanted(self):
        graph = parsed(SKIP)
        segments = plan(graph, ["y", "d", "x", "w", "k"], infer_types(graph), 0)
        assert set(segments[0].outputs) >= {"x", "w", "k"}
        got = run(segments, {"x": np.ones((1, 100), np.float32)})
        assert got["x"].sum() == 100
        assert got["k"].tolist() == [4]
        (only,) = plan(graph, ["k"], infer_types(graph), 0)
        assert run([only], {})["k"].tolist() == [4]
        (nothing_to_do,) = plan(graph, ["x"], infer_types(graph), 0)
        assert run([nothing_to_do], {"x": np.ones((1, 100), np.float32)})["x"].sum() == 100

    def test_inputs_of_segments_have_type_and_rank(self):
        graph = parsed(SKIP)
        for segment in plan(graph, inner_values(graph), infer_types(graph), 0):
            for spec in (*segment.graph.inputs, *segment.graph.outputs):
                assert (spec.dtype, spec.shape) == ("float32", (1, 100))
            onnx.checker.check_model(segment.graph.to_bytes(), full_check=True)

    def test_measured_sizes_go_before_inferred_ones(self):
        graph = parsed(SKIP)
        wanted = ["a", "b", "c", "d", "y"]
        assert len(plan(graph, wanted, infer_types(graph), 10_000, dict.fromkeys(wanted, 9000))) == 3
        assert len(plan(graph, wanted, infer_types(graph), 1000, dict.fromkeys(wanted, 1))) == 1

    def test_a_value_of_unknown_size_counts_as_what_its_node_reads(self):
        graph = parsed(SKIP)
        types = {name: TensorSpec(name, "float32", (None, None)) for name in inner_values(graph)}
        assert len(plan(graph, inner_values(graph), types, 2001)) == 1
        assert len(plan(graph, inner_values(graph), types, 1000)) == 3

    def test_no_border_where_a_value_of_unknown_type_would_cross(self):
        graph = parsed(SKIP)
        types = {name: spec for name, spec in infer_types(graph).items() if name != "b"}
        borders = plan(graph, inner_values(graph), types, 0)
        assert [segment.outputs for segment in borders] == [("a",), ("b", "c"), ("d",), ("y",)]

    def test_a_sequence_never_crosses(self):
        text = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 2] x) => (int64 n) { a = Neg(x) s = SplitToSequence(a) n = SequenceLength(s) }"""
        graph = parsed(text)
        segments = plan(graph, ["a", "n"], infer_types(graph), 0)
        assert [segment.outputs for segment in segments] == [("a",), ("n",)]
        assert run(segments, {"x": np.ones((4, 2), np.float32)})["n"] == 4

    def test_a_name_that_is_no_value_is_an_error(self):
        with pytest.raises(NoMatchError, match="no value 'q9'"):
            plan(parsed(SKIP), ["q9"], {}, 0)


class TestBodies:
    def graph(self) -> Graph:
        """y of an If whose body, in a body, reads `a` from outside; `b` comes between."""
        deep = helper.make_graph(
            [helper.make_node("Add", ["a", "w"], ["deep"])],
            "deep",
            [],
            [helper.make_tensor_value_info("deep", TensorProto.FLOAT, [4])],
        )
        body = helper.make_graph(
            [helper.make_node("If", ["flag"], ["out"], then_branch=deep, else_branch=deep)],
            "body",
            [],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, [4])],
        )
        graph = helper.make_graph(
            [
                helper.make_node("Neg", ["x"], ["a"]),
                helper.make_node("Exp", ["a"], ["b"]),
                helper.make_node("Exp", ["b"], ["c"]),
                helper.make_node("If", ["flag"], ["y"], then_branch=body, else_branch=body),
                helper.make_node("Add", ["y", "c"], ["z"]),
            ],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4])],
            [
                numpy_helper.from_array(np.array(True), "flag"),
                numpy_helper.from_array(np.full(4, 10, np.float32), "w"),
            ],
        )
        return Graph.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))

    def test_outer_values_that_bodies_read_are_carried(self):
        graph = self.graph()
        segments = plan(graph, ["a", "b", "c", "y", "z"], infer_types(graph), 0)
        assert len(segments) == 5
        assert segments[3].inputs == ("a",)
        assert set(segments[3].graph.initializers) == {"flag", "w"}
        got = run(segments, {"x": np.arange(4, dtype=np.float32)})
        assert got["y"].tolist() == [10, 9, 8, 7]


def quantised() -> Graph:
    """Four times DequantizeLinear, Conv, QuantizeLinear, as an int8 model has them, then one DequantizeLinear."""
    generator = np.random.default_rng(0)
    tensors = [
        numpy_helper.from_array(np.array(0.05, np.float32), "scale"),
        numpy_helper.from_array(np.array(120, np.uint8), "zero"),
        numpy_helper.from_array(np.array(0.02, np.float32), "weight_scale"),
        numpy_helper.from_array(np.array(0, np.int8), "weight_zero"),
    ]
    nodes = [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q0"])]
    for place in range(4):
        weights = generator.integers(-127, 127, (4, 4, 3, 3)).astype(np.int8)
        tensors.append(numpy_helper.from_array(weights, f"w{place}"))
        nodes += [
            helper.make_node("DequantizeLinear", [f"q{place}", "scale", "zero"], [f"d{place}"]),
            helper.make_node("DequantizeLinear", [f"w{place}", "weight_scale", "weight_zero"], [f"v{place}"]),
            helper.make_node("Conv", [f"d{place}", f"v{place}"], [f"c{place}"], pads=[1, 1, 1, 1]),
            helper.make_node("QuantizeLinear", [f"c{place}", "scale", "zero"], [f"q{place + 1}"]),
        ]
    nodes.append(helper.make_node("DequantizeLinear", ["q4", "scale", "zero"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "int8",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 16, 16])],
        tensors,
    )
    return Graph.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


class TestEqualToTheWhole:
    @pytest.mark.parametrize("level", [LEVELS.ORT_DISABLE_ALL, LEVELS.ORT_ENABLE_EXTENDED])
    @pytest.mark.parametrize(
        ("name", "op"),
        [("squeezenet", op) for op in ("all", "Conv", "Relu")]
        + [("efficientnet", op) for op in ("all", "Conv", "Clip")],
    )
    def test_to_the_last_bit(self, bundled_model, name, op, level):
        file = ModelFile.open(SQUEEZENET if name == "squeezenet" else bundled_model)
        graph = Graph.from_bytes(file.skeleton)
        types = infer_types(graph)
        values = [value for value in inner_values(graph) if op in {"all", graph.producers[value].op}]
        feed = {
            spec.name: np.random.default_rng(0).standard_normal(shape_of(spec)).astype(spec.dtype)
            for spec in graph.inputs
        }
        whole = plan(graph, values, types, 1 << 40)
        pieces = plan(graph, values, types, 4 << 20)
        assert len(whole) == 1
        assert len(pieces) > 3
        want, got = (run(segments, feed, level, file.folder) for segments in (whole, pieces))
        for value in values:
            np.testing.assert_array_equal(got[value], want[value], err_msg=value)

    def test_borders_of_an_int8_model_do_not_stop_its_fusions(self):
        """With a border between Conv and QuantizeLinear the convolution would be computed in float."""
        graph = quantised()
        wanted = [f"q{place}" for place in range(5)]
        types = infer_types(graph)
        x = np.random.default_rng(1).standard_normal((1, 4, 16, 16)).astype(np.float32)
        segments = plan(graph, wanted, types, 9000)
        assert len(segments) > 1
        for segment in segments[1:]:
            assert all(name.startswith("q") for name in segment.inputs)
        level = LEVELS.ORT_ENABLE_EXTENDED
        want, got = run(plan(graph, wanted, types, 1 << 30), {"x": x}, level), run(segments, {"x": x}, level)
        for value in wanted:
            np.testing.assert_array_equal(got[value], want[value])


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        (TensorSpec("a", "float32", (2, 3)), 24),
        (TensorSpec("a", "float16", (2, 3)), 12),
        (TensorSpec("a", "bfloat16", (5,)), 10),
        (TensorSpec("a", "bool", ()), 1),
        (TensorSpec("a", "float32", (0, 3)), 0),
        (TensorSpec("a", "float32", ("N", 3)), None),
        (TensorSpec("a", "float32", (None, 3)), None),
        (TensorSpec("a", "float32"), None),
        (TensorSpec("a", None, (2, 3)), None),
        (TensorSpec("a", "object", (2, 3)), None),
    ],
)
def test_map_bytes(spec, size):
    assert map_bytes(spec) == size
