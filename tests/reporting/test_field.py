"""What the page frames on the input against what `Model.region` traces through the graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxviz
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.reporting.report import ReportOptions

Reader = Callable[[Path], Any]


@pytest.fixture
def channels_last(tmp_path: Path) -> Path:
    """A net that takes (N, H, W, C) and is uneven in all that it can be."""
    random = np.random.default_rng(1)
    weights = {"w1": random.normal(size=(4, 3, 5, 3)), "w2": random.normal(size=(6, 4, 3, 3))}
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w1"], ["a"], name="a", strides=[2, 3], pads=[2, 0, 2, 1]),
        helper.make_node("Conv", ["a", "w2"], ["b"], name="b", dilations=[2, 1], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["b"], ["p"], name="p", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
        helper.make_node("Transpose", ["p"], ["y"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "uneven",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 60, 84, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "uneven.onnx")
    return tmp_path / "uneven.onnx"


@pytest.mark.parametrize("resize", ["squash", "crop", "letterbox"])
def test_the_frame_bounds_what_a_position_depends_on(
    channels_last: Path, tmp_path: Path, resize: str, read_report: Reader
) -> None:
    model = onnxviz.open(channels_last)
    feed = model.feed(onnxviz.bundled.picture("rocket"), FeedOptions(preset="zero-one", resize=resize))
    maps = model.run(feed, layers="conv, pool")
    onnxviz.report(maps, tmp_path / "r.html", model=model, source=feed, options=ReportOptions())
    index = read_report(tmp_path / "r.html").index
    picture = index["runs"][0]["picture"]
    assert (picture["height"], picture["width"]) == (60, 84)
    for layer in index["layers"]:
        height, width = layer["extent"]
        for position in ((3, 5), (4, 4), (height // 2, width // 2)):
            assert frame(layer, position, (60, 84)) == traced(model, layer["name"], position), layer["name"]
        # At the border a dilated kernel may have a hole in the outermost row that is framed.
        for position in ((0, 0), (height - 1, width - 1)):
            for framed, seen in zip(
                frame(layer, position, (60, 84)), traced(model, layer["name"], position), strict=True
            ):
                assert framed[0] <= seen[0] <= framed[0] + 1, layer["name"]
                assert framed[1] - 1 <= seen[1] <= framed[1], layer["name"]


def frame(layer: dict[str, Any], position: tuple[int, ...], picture: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the first and the last row and column that the page frames, as docs/report.md says it."""
    field = layer["receptive_field"]
    found = []
    for stored, axis in enumerate(layer["axes"]):
        start = field["start"][axis] + position[stored] * field["stride"][axis]
        found.append((max(0, start), min(picture[axis], start + field["size"][axis]) - 1))
    return found


def traced(model: onnxviz.Model, layer: str, position: tuple[int, ...]) -> list[tuple[int, int]]:
    region = model.region(layer, position, onnxviz.bundled.picture("rocket"))
    return [(int(np.flatnonzero(mask)[0]), int(np.flatnonzero(mask)[-1])) for mask in region.masks]
