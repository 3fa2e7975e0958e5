"""Where tokens lie: worked by hand, held against PyTorch's own maps, and against what moves where pixels move.

tools/torch_exports.py writes the networks, and the maps that PyTorch makes of their tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import parser

import onnxviz
from onnxviz.activations import Activation
from onnxviz.draw.arrange import token_maps
from onnxviz.errors import UsageError
from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.receptive_field import Status
from onnxviz.graph.operators.tokens import token_grids
from onnxviz.graph.shapes import infer_types
from onnxviz.layout import TokenGrid

HERE = Path(__file__).parent
EXPORTS = sorted((HERE / "token_exports").glob("*.onnx"))
# A square of pixels moves several of SegFormer's patches, which overlap, and not always its own the most.
FIXED = [
    *(each for each in EXPORTS if "segformer" not in each.stem),
    *sorted((HERE / "exports").glob("[sv]*_fixed.onnx")),
]
Array = np.ndarray[Any, Any]


def grids(nodes: str, image: str = "float[1,3,8,12] x", held: str = "") -> dict[str, TokenGrid]:
    head = '<ir_version: 10, opset_import: ["": 23, "com.microsoft": 1]>'
    model = parser.parse_model(f"{head} g ({image}) => (float[] y) {'<' + held + '>' if held else ''} {{ {nodes} }}")
    graph = Graph.from_proto(onnx.shape_inference.infer_shapes(model))
    return dict(token_grids(graph, infer_types(graph)))


# A map of 2 x 3 positions, each of which sees 4 x 4 pixels.
PATCHES = "c = Conv <strides=[4,4]> (x, w)"
WEIGHTS = "float[5,3,4,4] w = {" + ",".join(["1"] * 240) + "}"
TOKENS = f"{PATCHES} f = Reshape (c, flat) t = Transpose <perm=[0,2,1]> (f)"
HELD = WEIGHTS + ", int64[3] flat = {0,5,6}"


def test_tokens_count_along_the_rows() -> None:
    found = grids(f"{TOKENS} y = Relu (t)", held=HELD)["y"]
    assert (found.grid, found.prefix, found.status) == ((2, 3), 0, "exact")
    assert (found.split, found.tokens, found.cells) == ((2, 3, 5), (0, 1), (0, 1, 2, 3, 4, 5))


def test_a_class_token_stands_for_no_place() -> None:
    more = HELD + ", float[1,1,5] first = {1,2,3,4,5}"
    found = grids(f"{TOKENS} y = Concat <axis=1> (first, t)", held=more)["y"]
    assert (found.grid, found.prefix) == ((2, 3), 1)
    assert (found.split, found.tokens, found.cells) == ((7, 5), (0,), (-1, 0, 1, 2, 3, 4, 5))


def test_without_the_class_token_the_map_is_as_before() -> None:
    more = (
        HELD + ", float[1,1,5] first = {1,2,3,4,5}, int64[1] one = {1}, int64[1] end = {99}, int64[4] map = {1,2,3,5}"
    )
    nodes = f"{TOKENS} z = Concat <axis=1> (first, t) s = Slice (z, one, end, one) y = Reshape (s, map)"
    found = grids(nodes, held=more)
    assert found["s"].cells == (0, 1, 2, 3, 4, 5)
    assert found["y"].axes == (1, 2)


def test_the_count_decides_nothing() -> None:
    # 4 x 9 + 1 tokens could be 6 x 6 + 1
    held = "float[1,3,4,4] w = {" + ",".join(["1"] * 48) + "}, float[1,1,1] first = {1}, int64[3] flat = {1,36,1}"
    found = grids(f"{PATCHES} f = Reshape (c, flat) y = Concat <axis=1> (f, first)", "float[1,3,16,36] x", held)["y"]
    assert (found.grid, found.prefix) == ((4, 9), 1)


def test_a_picture_of_256_by_144_in_patches_of_16_has_9_rows_of_16() -> None:
    # 145 tokens could be 12 x 12 + 1
    held = "float[1,3,16,16] w = {" + ",".join(["1"] * 768) + "}, float[1,1,1] first = {1}, int64[3] flat = {1,144,1}"
    nodes = "c = Conv <strides=[16,16]> (x, w) f = Reshape (c, flat) y = Concat <axis=1> (first, f)"
    found = grids(nodes, "float[1,3,144,256] x", held)["y"]
    assert (found.grid, found.prefix, found.cells) == ((9, 16), 1, (-1, *range(144)))


def test_windows_are_put_back() -> None:
    # 4 x 6 positions in windows of 2 x 3: window 1 holds columns 3, 4 and 5 of rows 0 and 1
    held = "float[1,3,2,2] w = {" + ",".join(["1"] * 12) + "}, int64[6] cut = {1,1,2,2,2,3}, int64[3] win = {4,6,1}"
    nodes = (
        "c = Conv <strides=[2,2]> (x, w) r = Reshape (c, cut) t = Transpose <perm=[0,2,4,3,5,1]> (r)"
        " y = Reshape (t, win)"
    )
    found = grids(nodes, held=held)["y"]
    maps, prefix = token_maps(np.arange(24).reshape(4, 6, 1), found)
    assert maps.tolist() == [
        [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11], [12, 13, 14, 18, 19, 20], [15, 16, 17, 21, 22, 23]]
    ]
    assert prefix.shape == (1, 0)


def test_a_roll_is_undone() -> None:
    # columns 2, 0, 1: what stands first is the picture's last column
    held = WEIGHTS + ", int64[1] two = {2}, int64[1] zero = {0}, int64[1] end = {9}, int64[1] axis = {3}"
    nodes = f"{PATCHES} a = Slice (c, two, end, axis) b = Slice (c, zero, two, axis) y = Concat <axis=3> (a, b)"
    found = grids(nodes, held=held)["y"]
    assert found.grid == (2, 3) and found.axes == ()
    maps, _ = token_maps(np.tile(np.arange(30).reshape(1, 5, 2, 3)[:, :1], (1, 5, 1, 1)), found)
    assert maps[0].tolist() == [[1, 2, 0], [4, 5, 3]]


def test_padding_is_left_out() -> None:
    held = HELD + ", int64[6] pads = {0,0,0,0,2,0}, float zero = {0}"
    found = grids(f"{TOKENS} y = Pad (t, pads, zero)", held=held)["y"]
    assert (found.grid, found.prefix, found.cells[6:]) == ((2, 3), 0, (-2, -2))


def test_padding_takes_the_place_of_what_it_is_added_to() -> None:
    more = HELD + ", float[1,1,5] first = {1,2,3,4,5}, int64[6] pads = {0,1,0,0,0,0}, float zero = {0}"
    found = grids(f"{TOKENS} z = Concat <axis=1> (first, t) p = Pad (t, pads, zero) y = Add (z, p)", held=more)
    assert (found["p"].prefix, found["p"].cells[0]) == (0, -2)
    assert found["y"] == found["z"]


def test_tokens_of_two_orders_are_not_followed() -> None:
    more = HELD + ", int64[1] one = {1}, int64[1] back = {-1}, int64[1] end = {-99}"
    nodes = f"{TOKENS} r = Slice (t, back, end, one, back) y = Add (t, r)"
    found = grids(nodes, held=more)
    assert found["r"].cells == (5, 4, 3, 2, 1, 0)
    assert "y" not in found


def test_merged_patches_are_a_smaller_map() -> None:
    # even and odd rows and columns beside each other in the channels
    names = {"zero": 0, "one": 1, "end": 99, "h": 1, "v": 2, "two": 2}
    held = ", ".join(f"int64[1] {name} = {{{number}}}" for name, number in names.items()) + ", int64[3] flat = {1,6,20}"
    nodes = (
        "a = Slice (m, zero, end, h, two) b = Slice (m, one, end, h, two) aa = Slice (a, zero, end, v, two)"
        " ab = Slice (a, one, end, v, two) ba = Slice (b, zero, end, v, two) bb = Slice (b, one, end, v, two)"
        " j = Concat <axis=3> (aa, ba, ab, bb) y = Reshape (j, flat)"
    )
    weights = "float[5,3,2,2] w = {" + ",".join(["1"] * 60) + "}, "
    start = "c = Conv <strides=[2,2]> (x, w) m = Transpose <perm=[0,2,3,1]> (c) "
    found = grids(start + nodes, held=weights + held)["y"]
    assert (found.grid, found.split, found.cells) == ((2, 3), (2, 3, 20), (0, 1, 2, 3, 4, 5))


def test_patches_need_no_convolution() -> None:
    held = "int64[6] cut = {1,3,2,4,3,4}, int64[3] flat = {1,6,48}, float[48,5] w = {" + ",".join(["1"] * 240) + "}"
    nodes = "r = Reshape (x, cut) t = Transpose <perm=[0,2,4,3,5,1]> (r) f = Reshape (t, flat) y = MatMul (f, w)"
    found = grids(nodes, held=held)
    assert (found["y"].grid, found["y"].split) == ((2, 3), (2, 3, 5))
    assert "f" not in found  # each of its rows holds a picture of its own


def quarters(order: Sequence[tuple[int, int]], joined: str = "0") -> str:
    """Return nodes that cut a map `m` of 4 x 6 into quarters and join them in an order."""
    names = []
    nodes = ""
    for place, (down, right) in enumerate(order):
        start, end = f"s{place}", f"e{place}"
        names.append(f"q{place}")
        nodes += f" {start} = Constant <value_ints=[{2 * down}, {3 * right}]> ()"
        nodes += f" {end} = Constant <value_ints=[{2 * down + 2}, {3 * right + 3}]> ()"
        nodes += f" {names[-1]} = Slice (m, {start}, {end}, space)"
    return nodes + f" y = Concat <axis={joined}> ({', '.join(names)})"


QUARTERS = "float[1,3,2,2] w = {" + ",".join(["1"] * 12) + "}, int64[2] space = {2,3}"


@pytest.mark.parametrize("order", [((0, 0), (0, 1), (1, 0), (1, 1)), ((0, 0), (1, 0), (0, 1), (1, 1))])
def test_windows_that_slices_cut_are_put_back(order: Sequence[tuple[int, int]]) -> None:
    found = grids("m = Conv <strides=[2,2]> (x, w)" + quarters(order), held=QUARTERS)["y"]
    rows = np.arange(24).reshape(4, 6)
    cut = np.stack([rows[2 * down : 2 * down + 2, 3 * right : 3 * right + 3] for down, right in order])
    maps, prefix = token_maps(cut[:, None], found)
    assert maps.tolist() == [rows.tolist()] and not prefix.size


@pytest.mark.parametrize(
    "order",
    [((0, 0), (1, 1)), ((0, 0), (0, 1), (1, 1), (1, 0)), ((0, 0), (0, 0), (1, 0), (1, 1))],
    ids=["some", "in a circle", "one twice"],
)
def test_windows_in_no_order_have_no_grid(order: Sequence[tuple[int, int]]) -> None:
    assert "y" not in grids("m = Conv <strides=[2,2]> (x, w)" + quarters(order), held=QUARTERS)


def test_quarters_beside_each_other_in_the_channels_are_not_one_map() -> None:
    held = QUARTERS.replace("float[1,3,2,2]", "float[5,3,2,2]").replace(",".join(["1"] * 12), ",".join(["1"] * 60))
    order = ((0, 0), (0, 1), (1, 0), (1, 1))
    assert "y" not in grids("m = Conv <strides=[2,2]> (x, w)" + quarters(order, "1"), held=held)


def test_attention_has_queries_and_keys() -> None:
    more = HELD + ", int64[1] two = {2}, int64[1] zero = {0}, int64[1] axis = {1}"
    nodes = (
        f"{TOKENS} k = Slice (t, zero, two, axis) q = Transpose <perm=[0,2,1]> (t) m = MatMul (t, q) y = Softmax (m)"
    )
    found = grids(nodes, held=more)["y"]
    assert found.keys is not None
    assert (found.grid, found.tokens, found.keys.grid, found.keys.tokens) == ((2, 3), (0, 1), (2, 3), (2, 3))
    assert found.split == found.keys.split == (2, 3, 2, 3)


def test_a_batch_is_told_apart() -> None:
    held = WEIGHTS + ", int64[2] flat = {12,5}"
    nodes = f"{PATCHES} t = Transpose <perm=[0,2,3,1]> (c) y = Reshape (t, flat)"
    found = grids(nodes, "float[2,3,8,12] x", held)["y"]
    assert (found.split, found.items, found.tokens) == ((2, 2, 3, 5), (0,), (1, 2))
    maps, _ = token_maps(np.arange(60).reshape(12, 5), found, 1)
    assert maps[0].tolist() == [[30, 35, 40], [45, 50, 55]]


@pytest.mark.parametrize(
    ("nodes", "image", "held"),
    [
        ("y = Relu (x)", "float[1,16,8] x", ""),  # a sequence
        (f"{TOKENS} y = Gather <axis=1> (t, order)", "float[1,3,8,12] x, int64[6] order", HELD),  # as the input says
        (f"{TOKENS} y = Reshape (t, torn)", "float[1,3,8,12] x", HELD + ", int64[2] torn = {10,3}"),
        (f"{TOKENS} y = MatMul (m, t)", "float[1,3,8,12] x", HELD + ", float[6,6] m = {" + ",".join(["1"] * 36) + "}"),
        (f"{TOKENS} y = Concat <axis=1> (t, t)", "float[1,3,8,12] x", HELD),  # every place twice
        (f"{TOKENS} y = ReduceMean <keepdims=0> (t, one)", "float[1,3,8,12] x", HELD + ", int64[1] one = {1}"),
    ],
)
def test_what_is_not_followed_has_no_grid(nodes: str, image: str, held: str) -> None:
    assert "y" not in grids(nodes, image, held)


def test_sizes_of_another_run_are_another_grid() -> None:
    model = onnxviz.open(HERE / "exports" / "swin_script_free.onnx")
    for height, width in ((64, 64), (32, 96)):
        image = np.zeros((1, 3, height, width), np.float32)
        (found,) = model.run(image, layers="/blocks/blocks.0/attn/qkv/MatMul").values()
        assert found.tokens is not None and found.tokens.grid == (height // 4, width // 4)


def activations(path: Path, image: Array) -> list[Activation]:
    model = onnxviz.open(path)
    return list(model.run(image, layers=[layer.name for layer in model.catalogue]).values())


def is_place(found: Activation) -> bool:
    return found.tokens is not None and found.tokens.keys is None


@pytest.mark.parametrize("path", EXPORTS, ids=[path.stem for path in EXPORTS])
def test_the_maps_that_pytorch_makes(path: Path) -> None:
    with np.load(path.with_name(f"{path.stem.split('_')[0]}.npz")) as stored:
        image, *maps = (stored[name] for name in stored.files)
    found = activations(path, image)
    pictures = [token_maps(each.array, each.tokens)[0] if each.tokens else each.maps() for each in found]
    for wanted in maps:
        alike = [each for each in pictures if each.shape == wanted.shape]
        assert any(np.allclose(each, wanted, atol=1e-4) for each in alike)


@pytest.mark.parametrize("path", FIXED, ids=[path.stem for path in FIXED])
def test_tokens_move_where_pixels_move(path: Path) -> None:
    """A patch of pixels is moved: before any attention its token alone moves, and behind a residual sum it the most."""
    shape = [int(size) for size in onnxviz.open(path).inputs[0].shape or ()]  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    image = random.standard_normal(shape).astype(np.float32)
    before = activations(path, image)
    placed = [place for place, found in enumerate(before) if is_place(found)]
    assert placed
    for row, column in ((0, 0), (1, 2), (shape[2] // 8 - 1, shape[3] // 8 - 1)):
        moved = image.copy()
        part = moved[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        part += 3 * random.standard_normal(part.shape).astype(np.float32)
        after = activations(path, moved)
        for place in placed:
            one, other = before[place], after[place]
            grid = one.tokens
            assert grid is not None
            change = np.abs(token_maps(other.array, grid)[0] - token_maps(one.array, grid)[0]).max(axis=0)
            height, width = shape[2] // grid.grid[0], shape[3] // grid.grid[1]
            inside = np.zeros(grid.grid, bool)
            inside[
                8 * row // height : -(-8 * (row + 1) // height), 8 * column // width : -(-8 * (column + 1) // width)
            ] = 1
            if not inside.any():
                continue
            if one.op == "Add":
                assert inside.reshape(-1)[change.argmax()], (one.name, row, column)
            if np.count_nonzero(change) <= np.count_nonzero(inside):
                assert not change[~inside].any(), (one.name, row, column)


def test_a_position_of_a_token_map_goes_back_to_its_patch() -> None:
    image = np.zeros((1, 3, 32, 48), np.float32)
    for name in ("registers_script", "cut_dynamo", "unfolded_dynamo"):
        model = onnxviz.open(HERE / "token_exports" / f"{name}.onnx")
        first = next(layer for layer in model.catalogue if layer.kind == "norm")
        found = model.region(first, (2, 5), image)
        assert found.box == ((16, 23), (40, 47)) and found.status is Status.EXACT, name
    with pytest.raises(UsageError, match=r"position \(4, 0\) lies outside the tokens of .*, which are 4 x 6 tokens"):
        model.region(first, (4, 0), image)


def test_behind_windows_a_field_is_bounded() -> None:
    model = onnxviz.open(HERE / "exports" / "swin_script_fixed.onnx")
    sizes = []
    for block in ("0", "1"):
        field = model.layers[f"/blocks/blocks.{block}/Add"].receptive_field
        assert field is not None and field.status is Status.UPPER_BOUND and not field.reaches_whole
        sizes.append(field.size)
    # windows of 4 tokens of 4 pixels: a token may see 3 to either side, behind the rolled windows 3 more
    assert sizes == [(28, 28), (52, 52)]


def test_behind_windows_a_token_sees_its_window() -> None:
    model = onnxviz.open(HERE / "exports" / "swin_script_fixed.onnx")
    # windows of 4 x 4 tokens of 4 pixels: token (5, 9) lies in window (1, 2)
    found = model.region("/blocks/blocks.0/attn/proj/MatMul", (5, 9), np.zeros((1, 3, 64, 64), np.float32))
    assert found.box == ((16, 31), (32, 47))
