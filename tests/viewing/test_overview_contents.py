from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxviz
from onnxviz.feed.feed import Fed, Feed
from onnxviz.graph.layers.catalogue import Layer
from onnxviz.graph.selection.choices import Choice
from onnxviz.model import choices_of
from onnxviz.viewing.overview_contents import fed_lines, fed_picture, shown_words, telling_layers, title


def named(*names: str) -> list[Choice]:
    """Choices that belong to no layer: each is a block of its own."""
    return [Choice(name, name, "value", None) for name in names]


def test_few_layers_are_all_shown() -> None:
    assert telling_layers(named("a", "b", "c")) == {0, 1, 2}


def test_of_many_without_blocks_some_are_shown_evenly() -> None:
    assert sorted(telling_layers(named(*map(str, range(101))), 5)) == [0, 25, 50, 75, 100]


def choice(
    name: str, channels: int, size: int | None, *, kind: str = "conv", act: bool = True, scope: str = ""
) -> Choice:
    """A layer of maps, or of single values where the size is 1, whose act value is its own output or another."""
    shape = (1, channels, size, size)
    layer = Layer(
        name=name,
        node=name,
        kind=kind,
        op="Conv",
        scope=scope,
        output=f"{name}_out",
        act=f"{name}_relu" if act else f"{name}_out",
        shape=shape,
        dtype="float32",
        layout="NCHW",
        layout_assumed=False,
        channels=channels,
        depth=1,
        parameters=0,
        bytes=None,
        index=0,
    )
    return Choice(name, layer.act, "act", layer)


def shown(choices: list[Choice], most: int) -> list[str]:
    return [choices[place].name for place in sorted(telling_layers(choices, most))]


def test_gates_are_no_maps() -> None:
    # Each block has a squeeze-and-excitation gate: a pool to 1 x 1 and a conv on it.
    blocks = [
        (choice(f"conv{n}", 8, 16), choice(f"pool{n}", 8, 1, kind="pool"), choice(f"gate{n}", 8, 1)) for n in range(9)
    ]
    choices = [*(part for block in blocks for part in block), choice("last", 1, 16)]
    assert shown(choices, 5) == ["conv0", "conv2", "conv4", "conv6", "last"]


def test_a_vector_at_the_end_of_a_network_is_shown() -> None:
    choices = [*(choice(f"conv{n}", 8, 16) for n in range(9)), choice("pool", 8, 1, kind="pool"), choice("fc", 5, 1)]
    assert shown(choices, 4) == ["conv0", "conv4", "conv8", "fc"]


def test_vectors_fill_the_rows_that_maps_leave() -> None:
    choices = [choice("conv", 8, 16), *(choice(f"gate{n}", 8, 1) for n in range(20)), choice("last", 8, 16)]
    assert shown(choices, 6) == ["conv", "gate4", "gate9", "gate14", "gate19", "last"]
    assert len(shown([choice(f"fc{n}", 8, 1) for n in range(40)], 12)) == 12


def test_every_size_is_shown_and_the_deep_ones_more() -> None:
    sizes = [112, 112, 56, 56, 28, *[14] * 12, 7, 7]
    choices = [choice(f"conv{n}", 8, size) for n, size in enumerate(sizes)]
    assert shown(choices, 8) == ["conv0", "conv1", "conv3", "conv4", "conv8", "conv12", "conv16", "conv18"]


def test_what_follows_a_nonlinearity_is_preferred() -> None:
    kinds = ("expand", "depthwise", "project")
    choices = [choice(f"{kind}{n}", 8, 16, act=kind != "project") for n in range(6) for kind in kinds]
    assert shown(choices, 4) == ["expand0", "depthwise1", "depthwise3", "project5"]
    # The tap `op` shows what comes before it: then the last is as good as any.
    raw = [Choice(each.name, f"{each.name}_out", "op", each.layer) for each in choices]
    assert shown(raw, 4) == ["expand0", "project1", "project3", "project5"]


def test_every_stage_of_the_bundled_model_is_shown(bundled_model: Path) -> None:
    choices, _ = choices_of(onnxviz.open(bundled_model), "conv,pool")
    assert shown(list(choices), 12) == [
        "stem/conv",
        "stage1/block1/depthwise",
        "stage2/block2/depthwise",
        "stage3/block2/depthwise",
        "stage4/block2/expand",
        "stage4/block3/depthwise",
        "stage5/block3/depthwise",
        "stage6/block2/depthwise",
        "stage6/block4/depthwise",
        "stage7/block1/depthwise",
        "head/conv",
        "head/pool",
    ]


@pytest.mark.parametrize("most", range(3, 50))
def test_there_are_as_many_rows_as_there_is_room_for(bundled_model: Path, most: int) -> None:
    choices, _ = choices_of(onnxviz.open(bundled_model), "conv,pool")
    names = shown(list(choices), most)
    assert len(names) == most
    assert {"stem/conv", "head/conv", "head/pool"} <= set(names)


def test_sizes_that_are_not_known_are_told_apart_by_their_stride(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]> g (float[1,3,H,W] x, float[3,3,1,1] w) => (float[1,3,I,J] y) {
        a = Conv (x, w)
        b = Conv (a, w)
        c = Conv <strides = [2, 2]> (b, w)
        d = Conv (c, w)
        e = Conv (d, w)
        f = Conv (e, w)
        y = Conv <strides = [2, 2]> (f, w)
    }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    choices, _ = choices_of(onnxviz.open(tmp_path / "net.onnx"), "conv")
    assert shown(list(choices), 4) == ["a", "b", "f", "y"]


def test_blocks_of_the_newer_pytorch_exporter_are_the_modules_around_layers() -> None:
    model = onnxviz.open(Path(__file__).parent.parent / "fixtures" / "torch_dynamo.onnx")
    choices, _ = choices_of(model, "all")
    places = telling_layers(choices, len(choices) - 1)
    assert 0 in places
    assert len(choices) - 1 in places
    assert len(places) < len(choices)


@pytest.mark.parametrize(
    ("shown", "count", "words"),
    [(1, 1, "1 layer"), (3, 3, "3 layers"), (12, 50, "12 of 50 layers, spread over the depth")],
)
def test_how_many_are_shown_is_said(shown: int, count: int, words: str) -> None:
    assert shown_words(shown, count) == words


def test_a_model_called_model_has_its_folder_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert title(Path("zoo/magika/model.onnx")) == "magika/model"
    assert title(Path("zoo/magika/Model_v2.onnx")) == "Model_v2"
    monkeypatch.chdir(tmp_path)
    assert title(Path("model.onnx")) == f"{tmp_path.name}/model"


def feed(array: np.ndarray, layout: str | None, picture: np.ndarray | None = None) -> Feed:
    fed = Fed("x", array.shape, str(array.dtype), 0, 0, 0, layout, "none", "a.wav", picture=picture)
    return Feed({"x": array}, (fed,), "a")


@pytest.mark.parametrize(
    ("shape", "layout", "shown"),
    [
        ((3,), "L", [[0, 1, 2]]),
        ((2, 3), "NL", [[0, 1, 2]]),
        ((2, 2, 3), "NCL", [[0, 1, 2], [3, 4, 5]]),
        ((2, 3, 2), "NLC", [[0, 2, 4], [1, 3, 5]]),
        ((3, 2, 2), "LNC", [[0, 4, 8], [1, 5, 9]]),
    ],
)
def test_the_channels_of_a_sequence_are_shown(shape: tuple[int, ...], layout: str, shown: list[list[int]]) -> None:
    found = fed_picture(feed(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), layout))
    assert found is not None
    assert found.tolist() == shown


def test_what_is_neither_picture_nor_sequence_is_not_shown() -> None:
    assert fed_picture(feed(np.zeros((1, 3, 4, 4)), "NCHW")) is None
    assert fed_picture(feed(np.zeros((1, 4)), None)) is None
    assert fed_picture(Feed({}, (), "nothing")) is None
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert fed_picture(feed(np.zeros((1, 3, 4, 4)), "NCHW", pixels)) is pixels


def test_text_has_no_range() -> None:
    nan = float("nan")
    fed = Fed("t", (3,), "text", nan, nan, nan, None, "none", "t.txt")
    assert fed_lines(fed) == ["t  ·  3  ·  text", "t.txt"]


def test_outputs_of_the_model_are_always_shown() -> None:
    choices = named(*map(str, range(40)))
    assert {3, 17} <= telling_layers(choices, 6, outputs={"3", "17"})
    assert len(telling_layers(choices, 6, outputs={"3", "17"})) == 6
    # Of many outputs as many as leave room for the way to them.
    assert len(telling_layers(choices, 6, outputs=set(map(str, range(10, 30))))) == 6
