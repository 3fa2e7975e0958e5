from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from onnxviz.graph.graph import Graph
from onnxviz.graph.switches import Switch, with_switches

TEXT = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y)
<float scale = {0.5}, uint8 zero = {10}> {
    q = QuantizeLinear (x, scale, zero)
    d = DequantizeLinear (q, scale, zero)
    e = DequantizeLinear (q, scale, zero)
    y = Add (d, e)
}"""


def outputs(graph: Graph, **feed: np.ndarray) -> list[float]:
    onnx.checker.check_model(graph.proto, full_check=True)
    (found,) = onnxruntime.InferenceSession(graph.to_bytes()).run(["y"], feed)
    return found[0].tolist()


def test_a_switch_takes_the_steps_away_and_leaves_the_range(tmp_path: Path) -> None:
    graph = Graph.from_proto(onnx.parser.parse_model(TEXT))
    quantiser, *readers = graph.nodes[:3]
    switch = Switch(quantiser, tuple(readers), low=-5.0, high=122.5)
    switched = with_switches(graph, [switch])
    x = np.array([[1.1, -7, 0.5, 200]], np.float32)
    plain = outputs(graph, x=x)
    assert plain == [2.0, -10.0, 1.0, 245.0]
    assert outputs(switched, x=x, **{switch.input: np.array(1, np.float32)}) == plain
    np.testing.assert_allclose(
        outputs(switched, x=x, **{switch.input: np.array(0, np.float32)}), [2.2, -10.0, 1.0, 245.0], rtol=1e-6
    )
