"""Which picture an array gets: by its layout, by its rank, by its sizes."""

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.draw.arrange import arrange_axes

CASES = [
    ((2, 3, 4, 5), "NCHW", "maps", (3, 4, 5), ("item 0 of 2",)),
    ((1, 4, 5, 3), "NHWC", "maps", (3, 4, 5), ()),
    ((4, 5, 3), "HWC", "maps", (3, 4, 5), ()),
    ((1, 4, 5), "NHW", "maps", (1, 4, 5), ()),
    ((1, 3, 1, 1), "NCHW", "bars", (3,), ()),
    ((1, 3, 7, 1), "NCHW", "bands", (3, 7), ()),
    ((1, 3, 1, 7), "NCHW", "bands", (3, 7), ()),
    ((1, 3, 7), "NCL", "bands", (3, 7), ()),
    ((1, 7, 3), "NLC", "bands", (3, 7), ()),
    ((1, 3, 1), "NCL", "bars", (3,), ()),
    ((3, 1, 7), "LNC", "bands", (7, 3), ()),
    ((1, 3), "NC", "bars", (3,), ()),
    ((1, 3, 2, 4, 5), "NCDHW", "filmstrip", (3, 2, 4, 5), ()),
    ((1, 2, 4, 5, 3), "NDHWC", "filmstrip", (3, 2, 4, 5), ()),
    ((1, 3, 1, 4, 5), "NCDHW", "maps", (3, 4, 5), ()),
    ((1, 3, 4, 1, 5), "NCDHW", "maps", (3, 4, 5), ()),
    ((1, 3, 6, 1, 1), "NCDHW", "bands", (3, 6), ()),
    ((1, 16, 8), "NTC", "bands", (8, 16), ()),
    ((1, 145, 8), "NTC", "bands", (8, 145), ()),
    ((1, 8, 16), "NCT", "bands", (8, 16), ()),
    ((1, 4, 10, 16), "NGTC", "bands", (64, 10), ("4 groups of 16 channels",)),
    ((20, 2, 1, 8), "LGNC", "bands", (16, 20), ("2 groups of 8 channels",)),
    ((1, 20, 2, 8), "NLGC", "bands", (16, 20), ("2 groups of 8 channels",)),
    ((20, 1, 1, 8), "LGNC", "bands", (8, 20), ()),
    ((2, 1, 8), "GNC", "bars", (16,), ("2 groups of 8 channels",)),
    ((1, 19, 8), "NTC", "bands", (8, 19), ()),
    ((1, 4, 8), "NTC", "bands", (8, 4), ()),
    ((1, 1, 8), "NTC", "bars", (8,), ()),
    ((1, 6, 9, 9), "NATT", "attention", (6, 9, 9), ("rows are queries",)),
    ((1, 6, 9, 9), "NHTT", "attention", (6, 9, 9), ("rows are queries",)),
    ((1, 9, 9), "NTT", "attention", (1, 9, 9), ("rows are queries",)),
    ((1, 9), "NT", "bars", (9,), ()),
    ((1, 2, 3, 4, 5), "NGCHW", "maps", (6, 4, 5), ("2 groups of 3 channels",)),
    ((), None, "bars", (1,), ()),
    ((5,), None, "bars", (5,), ()),
    ((2, 5), None, "bars", (5,), ("layout NC assumed", "item 0 of 2")),
    ((1, 3, 5), None, "bands", (3, 5), ("layout NCL assumed",)),
    ((1, 3, 4, 5), None, "maps", (3, 4, 5), ("layout NCHW assumed",)),
    ((1, 3, 4, 5), "NC", "maps", (3, 4, 5), ("layout NCHW assumed",)),
    ((1, 3, 2, 4, 5), None, "filmstrip", (3, 2, 4, 5), ("layout NCDHW assumed",)),
    ((1, 2, 3, 2, 4, 5), None, "maps", (12, 4, 5), ("all axes but the last two as channels",)),
    ((6, 1, 3, 4, 5), "SNCHW", "steps", (3, 6, 4, 5), ()),
    ((6, 1, 4, 5, 3), "SNHWC", "steps", (3, 6, 4, 5), ()),
    ((6, 2, 3, 4, 5), "SNCHW", "steps", (3, 6, 4, 5), ("item 0 of 2",)),
    ((1, 1, 3, 4, 5), "SNCHW", "maps", (3, 4, 5), ()),
    ((6, 1, 3, 1, 5), "SNCHW", "maps", (3, 6, 5), ("rows are steps",)),
    ((6, 1, 3, 5), "SNCL", "maps", (3, 6, 5), ("rows are steps",)),
    ((6, 1, 5, 3), "SNTC", "maps", (3, 6, 5), ("rows are steps",)),
    ((6, 1, 3), "SNC", "bands", (3, 6), ("columns are steps",)),
    ((1, 1, 3), "SNC", "bars", (3,), ()),
    ((6,), "S", "bars", (6,), ()),
    ((6, 1), "SN", "bars", (6,), ()),
    ((6, 1, 2, 9, 9), "SNATT", "steps", (2, 6, 9, 9), ("rows are queries",)),
    ((1, 1, 2, 9, 9), "SNATT", "attention", (2, 9, 9), ("rows are queries",)),
    ((6, 1, 3, 2, 4, 5), "SNCDHW", "maps", (36, 4, 5), ("all axes but the last two as channels",)),
    ((0, 3, 4, 5), "NCHW", "nothing", (0,), ("no values",)),
    ((1, 0), "NC", "nothing", (0,), ("no values",)),
]


@pytest.mark.parametrize(("shape", "layout", "kind", "arranged_shape", "notes"), CASES)
def test_kind_shape_and_notes(
    shape: tuple[int, ...], layout: str | None, kind: str, arranged_shape: tuple[int, ...], notes: tuple[str, ...]
) -> None:
    arranged = arrange_axes(np.zeros(shape, np.float32), layout)
    assert (arranged.kind, arranged.values.shape, arranged.notes) == (kind, arranged_shape, notes)


def test_channels_last_are_brought_first() -> None:
    array = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 4)
    values = arrange_axes(array, "NHWC").values
    assert values[1].tolist() == [[1, 5, 9], [13, 17, 21]]
    assert values.flags.c_contiguous


def test_item_0_is_taken_wherever_the_batch_is() -> None:
    array = np.arange(2 * 3 * 2, dtype=np.float32).reshape(3, 2, 2)
    assert arrange_axes(array, "LNC").values.tolist() == [[0, 4, 8], [1, 5, 9]]


def test_a_square_number_of_tokens_is_no_grid() -> None:
    """144 patches of a picture of 256 x 144 lie in 9 rows of 16, and nothing in their number says so."""
    array = np.arange(10, dtype=np.float32).reshape(1, 10, 1)
    assert arrange_axes(array, "NTC").values.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]


def test_the_channels_of_each_head_stay_together() -> None:
    array = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    assert arrange_axes(array, "NGTC").values.tolist() == [[0, 2], [1, 3], [4, 6], [5, 7]]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u2", "i8", "?"])
def test_numbers_become_floats(dtype: str) -> None:
    values = arrange_axes(np.array([0, 1], dtype), None).values
    assert values.dtype.kind == "f"
    assert values.tolist() == [0, 1]


def test_complex_numbers_are_shown_as_magnitudes() -> None:
    arranged = arrange_axes(np.array([3 + 4j], np.complex64), None)
    assert (arranged.values.tolist(), arranged.notes) == ([5], ("magnitudes of complex numbers",))


@pytest.mark.parametrize("array", [np.array(["a", "b"]), np.array(["a", None], object)])
def test_what_is_no_number_says_so(array: np.ndarray) -> None:
    arranged = arrange_axes(array, None)
    assert (arranged.kind, arranged.notes) == ("nothing", ("no numbers",))


def test_maps_are_a_view_of_the_array() -> None:
    array = np.zeros((1, 3, 4, 5), np.float32)
    assert np.shares_memory(arrange_axes(array, "NCHW").values, array)


def test_groups_lie_one_behind_the_other_wherever_their_axis_is() -> None:
    forward_and_back = np.arange(2 * 3 * 4).reshape(2, 3, 4)  # groups, channels, time
    for axes, layout in (((2, 0, 1), "LGC"), ((1, 0, 2), "CGL"), ((0, 1, 2), "GCL")):
        arranged = arrange_axes(forward_and_back.transpose(axes), layout)
        assert arranged.groups == 2
        assert np.array_equal(arranged.values.reshape(2, 3, 4), forward_and_back)
