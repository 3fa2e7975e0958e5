"""The catalogue on nets that were worked out on paper."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.shapes import infer_types
from tests.cost import counted

HEAD = '<ir_version: 8, opset_import: ["": 18, "loc": 1]>\n'
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
W = "float[2,1,3,3] w = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, float[2] b = {0,0}"


def layers_of(text: str, *, every: bool = False) -> list[Layer]:
    graph = Graph.from_proto(parser.parse_model(HEAD + text))
    return list(catalogue(graph, infer_types(graph), every=every))


def net(nodes: str, shape: str = "N,1,8,8") -> dict[str, Layer]:
    text = f"g (float[{shape}] x) => (float[] y) <{W}> {{ {nodes} }}"
    return {layer.output: layer for layer in layers_of(text)}


def test_depth_counts_convolutions_and_dense_layers_on_the_longest_path() -> None:
    text = (
        "p = MaxPool <kernel_shape=[2,2]> (x) c = Conv <pads=[1,1,1,1]> (p, w, b) r = Relu (c) "
        "d = Conv <pads=[1,1,1,1], group=2> (r, w, b) j = Concat <axis=1> (d, c) y = GlobalAveragePool (j)"
    )
    found = net(text)
    assert {name: found[name].depth for name in ("p", "c", "d", "j", "y")} == {"p": 0, "c": 1, "d": 2, "j": 2, "y": 2}


def test_numbers_of_a_layer() -> None:
    conv = net("y = Conv (x, w, b)", "1,1,8,8")["y"]
    assert (conv.shape, conv.dtype, conv.layout, conv.channels) == ((1, 2, 6, 6), "float32", "NCHW", 2)
    assert conv.parameters == 2 * 9 + 2
    assert conv.bytes == 2 * 6 * 6 * 4
    assert (conv.height, conv.width, conv.rank, conv.stride, conv.rf) == (6, 6, 4, 1, 3)
    assert conv.receptive_field is not None and conv.receptive_field.start == (0, 0)


def test_a_layer_goes_to_another_process_with_its_field_and_without_its_graph() -> None:
    layer = net("y = Conv (x, w, b)", "1,1,8,8")["y"]
    sent = pickle.dumps(layer)
    assert b"Conv" in sent and b"ModelProto" not in sent
    assert (pickle.loads(sent), pickle.loads(sent).receptive_field) == (layer, layer.receptive_field)


UNCOUNTED = [
    ("a = Add (x, three) k = Clip (a, zero, six) m = Mul (x, k) y = Div (m, six)", 0),
    ("y = Add (x, row)", 2),
    ("y = Gather <axis=3> (x, pair)", 0),
    ("i = Cast <to=7> (x) y = Gather (row, i)", 2),
]


@pytest.mark.parametrize(("nodes", "parameters"), UNCOUNTED)
def test_settings_and_indices_are_no_parameters(nodes: str, parameters: int) -> None:
    constants = "float three = {3}, float zero = {0}, float six = {6}, float[2] row = {1,2}, int64[2] pair = {0,1}"
    found = layers_of(f"g (float[1,1,2,2] x) => (float[] y) <{constants}> {{ {nodes} }}", every=True)
    assert sum(layer.parameters for layer in found) == parameters


def test_a_name_of_two_nodes_is_no_name() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"], name="n"), helper.make_node("Relu", ["a"], ["y"], name="n")]
    spec = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [spec("x", TensorProto.FLOAT, [1])],
        [spec("y", TensorProto.FLOAT, [1])],
    )
    found = Graph.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8))
    assert [layer.name for layer in catalogue(found, infer_types(found))] == ["a", "y"]


def test_a_module_of_one_layer_names_it() -> None:
    head = f"{HEAD}g (float[1,1,8,8] x) => (float[] y) <{W}>"
    model = parser.parse_model(f"{head} {{ c = Conv (x, w, b) r = Relu (c) y = Relu (r) }}")
    for node, path in zip(model.graph.node, ("layer1.conv1", "layer1.relu", "layer1.relu"), strict=True):
        entry = node.metadata_props.add()
        entry.key, entry.value = "pkg.torch.onnx.name_scopes", f"['', 'layer1', '{path}', '{node.output[0]}']"
    graph = Graph.from_proto(model)
    assert [(layer.name, layer.scope) for layer in catalogue(graph, infer_types(graph))] == [
        ("layer1.conv1", "layer1.conv1"),
        ("r", "layer1.relu"),
        ("y", "layer1.relu"),
    ]


@pytest.mark.parametrize(("shape", "count"), [("N,1,4,4", 32), ("3,1,4,4", 96), ("N,1,H,4", None)])
def test_bytes_are_of_one_batch_and_unknown_where_another_size_is(shape: str, count: int | None) -> None:
    assert net("y = Conv (x, w, b)", shape)["y"].bytes == count


def test_layers_are_the_same_where_every_node_is_listed() -> None:
    text = f"g (float[1,1,8,8] x) => (float[] y) <{W}> {{ c = Conv (x, w, b) h = Abs (c) y = Relu (h) }}"
    some, every = ({layer.output: layer for layer in layers_of(text, every=each)} for each in (False, True))
    assert (list(some), list(every)) == (["c", "y"], ["c", "h", "y"])
    assert all(every[output] == layer for output, layer in some.items())


def test_the_bundled_model(bundled_model: Path) -> None:
    graph = Graph.from_proto(onnx.load(bundled_model))
    found = catalogue(graph, infer_types(graph))
    kinds = [layer.kind for layer in found]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"conv": 49, "pool": 1, "add": 9, "dense": 1, "act": 34}
    assert found[0].act == "stem/conv_relu6"
    weights = sum(math.prod(tensor.dims) for tensor in graph.initializers.values() if tensor.data_type == 3)
    assert sum(layer.parameters for layer in found if layer.kind in ("conv", "dense")) >= weights


# Counted in the papers: AlexNet's two response normalisations, DenseNet-121's 58 joins, ResNet-50's 16 sums.
COUNTS = {
    "bvlc_alexnet": {"conv": 5, "pool": 3, "dense": 3, "norm": 2},
    "densenet121": {"conv": 121, "norm": 121, "join": 58, "pool": 5},
    "inception_v1": {"conv": 57, "pool": 14, "join": 9},
    "resnet50": {"conv": 53, "norm": 53, "add": 16, "pool": 2, "dense": 1},
    "shufflenet": {"conv": 49, "norm": 49, "add": 13, "join": 3},
    "squeezenet": {"conv": 26, "join": 8, "pool": 4},
    "vgg19": {"conv": 16, "pool": 5, "dense": 3},
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_nets(name: str) -> None:
    graph = Graph.from_proto(onnx.load(LIGHT / f"light_{name}.onnx"))
    found = catalogue(graph, infer_types(graph))
    kinds = [layer.kind for layer in found]
    assert {kind: kinds.count(kind) for kind in COUNTS[name]} == COUNTS[name]
    assert all(layer.layout == "NCHW" and not layer.layout_assumed for layer in found if layer.kind == "conv")


def test_resnet50_has_its_published_size_and_depth() -> None:
    graph = Graph.from_proto(onnx.load(LIGHT / "light_resnet50.onnx"))
    found = catalogue(graph, infer_types(graph))
    # torchvision counts 25,557,032: its norms' running mean and variance (2 x 26,560) are no parameters there.
    moments = sum(layer.parameters // 2 for layer in found if layer.kind == "norm")
    assert moments == 53_120
    assert sum(layer.parameters for layer in found) - moments == 25_557_032
    assert max(layer.depth for layer in found) == 50


def residual_blocks(count: int) -> Graph:
    """A stem of three channels, then blocks of Conv, BatchNormalization and Relu, each added to what it reads."""
    lines, last = ["x0 = Conv (x, w)"], "x0"
    for number in range(count):
        lines.append(f"c{number} = Conv ({last}, w) n{number} = BatchNormalization (c{number}, b, b, b, b)")
        lines.append(f"r{number} = Relu (n{number}) s{number} = Add (r{number}, {last})")
        last = f"s{number}"
    text = (
        '<ir_version: 8, opset_import: ["" : 17]> blocks (float[1,3,8,8] x, float[3,3,1,1] w, float[3] b)'
        f" => (float[1,3,8,8] y) {{ {' '.join(lines)} y = Relu ({last}) }}"
    )
    return Graph.from_proto(onnx.parser.parse_model(text))


def test_the_work_of_listing_grows_as_the_graph() -> None:
    costs = []
    for blocks in (50, 100):
        graph = residual_blocks(blocks)
        types = infer_types(graph)
        with counted(lines=1_000_000) as cost:
            assert len(catalogue(graph, types)) == 4 * blocks + 2
        costs.append(cost.lines)
    assert costs[1] < 2.1 * costs[0]
