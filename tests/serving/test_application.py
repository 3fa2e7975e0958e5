"""The page and its answers, against what a run of the model gives."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import UnsupportedError
from onnxviz.serving.application import MOST_WAITING, application
from onnxviz.serving.gate import MOST_BYTES, Gate
from onnxviz.serving.serve_options import ServeOptions
from onnxviz.serving.served_model import ServedModel

from .conftest import request

TOKEN = "secret"
GATE = Gate(frozenset({"127.0.0.1:8000"}), TOKEN)


@pytest.fixture
def served(tmp_path: Path) -> Any:
    """An application over a net of two convolutions, `double` and `negative`, of the red channel."""
    nodes = [
        onnx.helper.make_node("Conv", ["x", "two"], ["a"], name="double"),
        onnx.helper.make_node("Conv", ["a", "minus"], ["b"], name="negative", strides=[2, 2]),
    ]
    weights = np.zeros((1, 3, 1, 1), np.float32)
    weights[0, 0] = 2
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])],
        [onnx.helper.make_tensor_value_info("b", 1, [1, 1, 4, 4])],
        [
            onnx.numpy_helper.from_array(weights, "two"),
            onnx.numpy_helper.from_array(-np.ones((1, 1, 1, 1), np.float32), "minus"),
        ],
    )
    path = tmp_path / "net.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    options = ServeOptions(layers="conv", feed=onnxviz.FeedOptions(preset="zero-one"))
    return application(ServedModel(onnxviz.open(path), options), GATE)


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


RED = np.zeros((8, 8, 3), np.uint8)
RED[:4, :, 0] = 255


def values(answer: dict[str, Any], place: str) -> np.ndarray:
    """Return the maps of a layer of an answer, decoded as docs/report.md says."""
    layer = answer["layers"][place]
    run = layer["runs"][0]
    shape = (len(layer["kept"]), *layer["extent"])
    packed = zlib.decompress(base64.b64decode(answer["blocks"][str(run["block"])]))
    codes = np.frombuffer(packed, np.uint8, int(np.prod(shape))).reshape(shape)
    low, high = (np.frombuffer(base64.b64decode(run["stats"][end]), "<f4")[:, None, None] for end in ("low", "high"))
    return low + (codes + 0.5) / 256 * (high - low)


def test_the_page_begins_with_a_picture_and_asks_its_own_server_only(served: Any, ask: Callable[..., Any]) -> None:
    answer = ask(served, "GET", f"/?token={TOKEN}")
    page = answer.body.decode()
    assert answer.status == 200
    assert json.loads(re.search('id="server">(.*?)</script>', page)[1]) == {"token": TOKEN}
    assert "connect-src 'self'" in page
    index = json.loads(re.search('id="index">(.*?)</script>', page)[1])
    assert [layer["name"] for layer in index["layers"]] == ["double", "negative"]
    assert index["runs"][0]["picture"]["width"] == 8
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_picture_is_answered_with_the_wanted_maps(served: Any, ask: Callable[..., Any]) -> None:
    answer = ask(served, "POST", f"/update?token={TOKEN}&layers=1", png(RED))
    assert answer.status == 200
    found = json.loads(answer.body)
    assert list(found["layers"]) == ["1"]
    assert found["layers"]["1"]["name"] == "negative"
    expected = np.zeros((1, 4, 4))
    expected[:, :2] = -2
    assert values(found, "1") == pytest.approx(expected, abs=2 / 512)
    both = json.loads(ask(served, "POST", f"/update?token={TOKEN}&layers=0,1,7,x", png(RED)).body)
    assert sorted(both["layers"]) == ["0", "1"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "this picture"),
        (b"no picture", 400, "this picture"),
        (b"PK\x03\x04", 400, "this picture"),
        (b"\x93NUMPY", 400, "this picture"),
        (png(RED)[:45], 400, "this picture"),
        (bytes(MOST_BYTES + 1), 413, "20 MB at most"),
    ],
)
def test_what_is_not_a_picture_is_refused(
    served: Any, ask: Callable[..., Any], body: bytes, status: int, words: str
) -> None:
    answer = ask(served, "POST", f"/update?token={TOKEN}&layers=0", body)
    assert answer.status == status
    assert words in answer.body.decode()


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(served: Any, ask: Callable[..., Any]) -> None:
    out = io.BytesIO()
    Image.new("1", (8000, 8000)).save(out, "PNG")
    answer = ask(served, "POST", f"/update?token={TOKEN}&layers=0", out.getvalue())
    assert (answer.status, answer.body.decode()) == (
        400,
        "this picture has 8000x8000 pixels; at most 40,000,000 are taken",
    )


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", "/", {}, 403),
        ("GET", "/?token=x", {}, 403),
        ("POST", "/update?layers=0", {}, 403),
        ("POST", f"/update?token={TOKEN}", {"origin": "http://evil.example"}, 403),
        ("GET", f"/?token={TOKEN}", {"host": "evil.example"}, 403),
        ("GET", f"/update?token={TOKEN}", {}, 405),
        ("GET", f"/etc/passwd?token={TOKEN}", {}, 404),
        ("GET", f"/../etc/passwd?token={TOKEN}", {}, 404),
    ],
)
def test_nothing_else_is_answered(
    served: Any, ask: Callable[..., Any], method: str, target: str, headers: dict[str, str], status: int
) -> None:
    assert ask(served, method, target, png(RED), headers).status == status


def test_many_ask_at_once_and_too_many_are_told_to_come_again(served: Any) -> None:
    async def all_at_once() -> list[int]:
        asked = (request(served, "POST", f"/update?token={TOKEN}&layers=0", png(RED)) for _ in range(MOST_WAITING + 20))
        return [answer.status for answer in await asyncio.gather(*asked)]

    statuses = asyncio.run(all_at_once())
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= MOST_WAITING


def test_nothing_stays_on_the_disk(
    served: Any, ask: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for target in (f"/?token={TOKEN}", f"/update?token={TOKEN}&layers=0"):
        assert ask(served, "POST" if "update" in target else "GET", target, png(RED)).status == 200
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_model_without_pictures_is_refused(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "net",
        [onnx.helper.make_tensor_value_info("x", 1, [4])],
        [onnx.helper.make_tensor_value_info("y", 1, [4])],
    )
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8),
        tmp_path / "net.onnx",
    )
    with pytest.raises(UnsupportedError, match=r"net\.onnx takes no pictures"):
        ServedModel(onnxviz.open(tmp_path / "net.onnx"), ServeOptions())
