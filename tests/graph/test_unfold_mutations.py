"""Damaged functions and bodies of every kind: each is one clear error, or listed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import onnx
from onnx import parser

from onnxviz.errors import ModelError
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import catalogue
from onnxviz.graph.operators.receptive_field import receptive_fields
from onnxviz.graph.selection.choices import select
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.topology import bodies, every_node
from onnxviz.graph.unfold import unfold

MODEL = parser.parse_model("""<ir_version: 10, opset_import: ["": 20, "loc": 1]>
g (float[1,1,8,8] x, int64 n, bool k, seq(float[4,5]) s) => (float[] y, float[] z, float[] q, float[] o)
<float[1,1,3,3] w = {1,1,1,1,1,1,1,1,1}, float[1] b = {0}> {
    [h] h = Conv <pads = [1,1,1,1]> (x, w, b)
    [l] y, z = Loop (n, k, h) <body = step (int64 i, bool c, float[1,1,8,8] v) => (d, r, p) {
        d = Identity (c) r = Conv <pads = [1,1,1,1]> (v, w)
        p = If (c) <then_branch = t () => (tt) { tt = loc.f <m = 2> (r, w) }, else_branch = e () => (ee) {
            ee = Relu (h) }> }>
    axis = Constant <value_ints = [2]> () u = ReduceMax <keepdims = 0> (y, axis)
    [s] q, rows = Scan <num_scan_inputs = 1, scan_input_axes = [2], scan_output_axes = [1],
        body = row (float[1,1,8] state, float[1,1,8] given) => (sum, gate) {
            sum = Add (state, given) gate = Sigmoid (sum) }> (u, y)
    [m] mapped = SequenceMap <body = each (float[4,5] element) => (made) { made = Tanh (element) }> (s)
    zero = Constant <value = int64 {0}> () o = SequenceAt (mapped, zero)
}
<domain: "loc", opset_import: ["": 20, "loc": 1]>
f <m: int = 1, a: ints = [1,1,1,1]> (i, w) => (o, i) {
    c = Conv <pads: ints = @a, group: int = 1> (i, w) g = loc.g (c) o = Mul (c, g) }
<domain: "loc", opset_import: ["": 20]> g (i) => (o) { o = Sigmoid (i) }""")
NUMBERS = (-(1 << 62), -9, -1, 0, 1, 2, 7, 1 << 50)


def nodes_of(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    holders = (model.graph, *model.functions)
    return [node for holder in holders for node in every_node(holder.node)]


def damage(model: onnx.ModelProto, draw: random.Random) -> None:
    """Change one thing: a name, an operator, a number, an input or output of a node, a body or a function."""
    nodes = nodes_of(model)
    names = ["", "nowhere", *(name for node in nodes for name in (*node.input, *node.output))]
    graphs = [model.graph, *(body for node in nodes for _, body in bodies(node))]
    node, graph, function = draw.choice(nodes), draw.choice(graphs), draw.choice(model.functions)

    def put(values: Sequence[str]) -> None:
        place = draw.randrange(len(values) + 1)
        values[place : place + 1] = [draw.choice(names)] if draw.random() < 0.7 else []  # type: ignore[index]

    def renumber() -> None:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.INT:
                attribute.i = draw.choice(NUMBERS)
            elif attribute.type == onnx.AttributeProto.INTS:
                attribute.ints[:] = draw.choices(NUMBERS, k=draw.randrange(4))
            elif draw.random() < 0.2:
                attribute.name = draw.choice(("body", "then_branch", "other"))

    def rename() -> None:
        node.name = draw.choice(("", "h", "l", "a/b", "/"))
        node.op_type = draw.choice((node.op_type, "If", "Loop", "Scan", "SequenceMap", "f", "Relu", "Carried", "Steps"))
        node.domain = draw.choice((node.domain, "", "loc", "onnxviz", "com.microsoft"))

    def resize() -> None:
        ends = draw.choice((graph.input, graph.output))
        if ends and draw.random() < 0.5:
            del ends[draw.randrange(len(ends))]
        else:
            ends.add(name=draw.choice(names))

    changes: Sequence[Callable[[], object]] = (
        *[lambda: put(node.input), lambda: put(node.output), renumber, rename, resize],
        *[lambda: put(function.input), lambda: put(function.output)],
        lambda: graph.node.append(node),
        lambda: graph.initializer.add(name=draw.choice(names), data_type=1, dims=[draw.choice((0, 1, 1 << 40))]),
        lambda: [info.ClearField("type") for info in graph.input],
    )
    draw.choice(changes)()


def test_damaged_functions_and_bodies_are_one_clear_error_or_listed() -> None:
    draw, listed = random.Random(0), 0
    for _ in range(400):
        model = onnx.ModelProto()
        model.CopyFrom(MODEL)
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            damage(model, draw)
        try:
            found = unfold(Graph.from_bytes(model.SerializeToString()))
        except ModelError as error:
            assert "\n" not in str(error)
            continue
        graph = found.graph
        types = infer_types(graph)
        layers = catalogue(graph, types, every=True)
        receptive_fields(graph, types)
        assert select("all, other", graph=graph, layers=layers)
        assert found.addresses.keys() <= graph.producers.keys() | graph.weights.keys()
        listed += 1
    assert 150 < listed < 350
