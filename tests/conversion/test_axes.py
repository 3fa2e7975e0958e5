"""The layouts of converted models, held against what Keras says of each layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import onnxviz

NETS = Path(__file__).with_name("axes_nets.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, in_tensorflow: Callable[..., str]) -> Path:
    made = tmp_path_factory.mktemp("axes")
    in_tensorflow(NETS, made)
    return made


@pytest.fixture
def converted(folder: Path, onnxviz_command: Callable[..., Any], tensorflow_python: str, tmp_path: Path) -> Any:
    def convert(source: str) -> onnxviz.Model:
        target = tmp_path / "out.onnx"
        done = onnxviz_command("convert", folder / source, "-o", target, "--python", tensorflow_python)
        assert done.code == 0, done.err
        return onnxviz.open(target)

    return convert


@pytest.mark.parametrize("name", ["convnext", "transformer", "recurrent"])
def test_every_layer_of_a_keras_model_has_its_channels(
    name: str, folder: Path, converted: Callable[[str], onnxviz.Model]
) -> None:
    model = converted(f"{name}.keras")
    wanted = json.loads((folder / "axes.json").read_text("utf-8"))[name]
    feed = onnxviz.FeedOptions(random=True)
    for layer, channels in wanted.items():
        # A layer that holds others is listed under their names.
        name = min(key for key in model.layers if key == layer or key.startswith(f"{layer}/"))
        (shown,) = model.run(None, layers=f'"{name}"', feed=feed).values()
        place = (shown.layout or "").find("C")
        assert (shown.array.shape[place], shown.layout_assumed) == (channels, False), (layer, shown)


def test_the_norms_of_a_keras_model_are_whole(converted: Callable[[str], onnxviz.Model]) -> None:
    kinds = {layer.name: layer.kind for layer in converted("transformer.keras").layers.values()}
    norms = {f"{block}_{place}" for block in ("one", "two") for place in ("norm", "post")}
    assert {name for name, kind in kinds.items() if kind == "norm"} == norms
    assert "pool" not in kinds.values()


def test_tensorflow_lite_holds_channels_last_without_a_convolution(converted: Callable[[str], onnxviz.Model]) -> None:
    (layer,) = (layer for layer in converted("lite.tflite").layers.values() if layer.kind == "act")
    assert (layer.layout, layer.layout_assumed, layer.shape) == ("NHWC", False, (1, 6, 8, 3))
