"""The health of a layer over several runs."""

import json
from pathlib import Path

import numpy as np

import onnxviz
from onnxviz.draw.statistics import MOST_CHANNELS
from onnxviz.health import health_of
from onnxviz.results.pooled_health import PooledLayer, health_document, pooled
from onnxviz.viewing.options import ViewOptions
from tests.models import model_of

# Of a picture x both channels of y are clipped to 0..1: x itself, and x less 1.
TEXT = """g (float[1,1,H,W] x) => (float[1,2,H,W] y)
    <float[2,1,1,1] w = {1, 1}, float[2] b = {0, -1}, float zero = {0}, float one = {1}> {
    [conv] a = Conv (x, w, b)
    y = Clip (a, zero, one)
}"""


def of(values: object, name: str = "a") -> PooledLayer:
    return PooledLayer.of(name, f"{name}:0", "act", health_of(np.array(values, np.float32), 0))


def test_runs_are_joined_by_name_and_value() -> None:
    pool = pooled({}, [of([[0, 0], [1, 2]]), of([[1]], "b")])
    pool = pooled(pool, [of([[0, 3], [1, 2]])])
    found = [(layer.name, layer.runs, layer.health.totals.values) for layer in pool.values()]
    assert found == [("a", 2, 8), ("b", 1, 1)]
    assert pool["a", "a:0"].health.dead.tolist() == [False, False]


def test_very_many_channels_are_pooled_as_one() -> None:
    many = np.zeros((MOST_CHANNELS + 1, 2), np.float32)
    one = of(many)
    many[7] = 5, np.nan
    both = one.joined(of(many))
    assert len(both.health.values) == 1
    assert both.health.totals.nan == 1 and both.health.totals.values == 4 * (MOST_CHANNELS + 1)
    assert both.joined(of([[1, 2], [3, 4]])).health.totals.channels == 1


def test_it_survives_its_json() -> None:
    layer = of([[0, np.inf], [1, 2]])
    again = PooledLayer.from_json(json.loads(json.dumps(layer.as_json(), allow_nan=False)))
    assert (again.name, again.output, again.tap, again.runs) == ("a", "a:0", "act", 1)
    assert health_document(again.health) == health_document(layer.health)


def test_channels_that_are_not_well_are_listed() -> None:
    found = health_document(health_of(np.array([[1, 2], [3, 3], [np.nan, 4]], np.float32), 0))
    zeros = {name: [0, 0] for name in ("inf", "saturated_low", "saturated_high")}
    assert found["not_well"] == {"index": [1, 2], "nan": [0, 1], "dead": [True, False], **zeros}
    many = health_document(health_of(np.zeros((5000, 2)), 0))
    assert many["dead"] == 5000 and many["not_well"]["index"] == list(range(1024))


def test_view_pools_over_its_inputs(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", TEXT)
    pictures = [0.5] * 4, [0.25, 0.5, 1, 1.5], [1.5] * 4
    arrays = [np.array(picture, np.float32).reshape(1, 1, 2, 2) for picture in pictures]
    options = ViewOptions(layers="conv", html=False)
    record = onnxviz.view(model, arrays, tmp_path / "out", options)
    document = record.document()
    each = [run["layers"][0]["health"] for run in document["runs"]]
    # By hand: 0.5 and 0; 0.25, 0.5, 1, 1 and 0, 0, 0, 0.5; 1 and 0.5.
    counts = [(one["dead"], one["saturated_high"], one["saturated_low"]) for one in each]
    assert counts == [(2, 0, 0), (0, 2, 0), (2, 4, 0)]
    (whole,) = document["health"]
    assert (whole["name"], whole["runs"], whole["values"], whole["channels"]) == ("conv", 3, 24, 2)
    assert (whole["dead"], whole["alive"], whole["saturated_high"]) == (0, 2, 6)
    assert (whole["not_well"]["index"], whole["not_well"]["saturated_high"]) == ([0], [6])
    assert record.health[0].health.totals.saturated_high == 6


def test_all_items_of_a_batch_are_counted(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", TEXT.replace("float[1,1,H,W]", "float[N,1,H,W]").replace("[1,2,H", "[N,2,H"))
    batch = np.zeros((3, 1, 2, 2), np.float32)
    batch[2] = np.nan
    record = onnxviz.view(model, batch, tmp_path / "out", ViewOptions(layers='"a"', html=False))
    (layer,) = record.document()["runs"][0]["layers"]
    assert (layer["health"]["nan"], layer["health"]["values"]) == (8, 24)
    assert [channel["nan"] for channel in layer["channels"]] == [0, 0]  # of the item that is drawn
