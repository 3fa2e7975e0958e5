"""What errors about a selection are made of, to the letter."""

from __future__ import annotations

import pytest

from onnxviz.graph.selection.messages import pointed
from onnxviz.words import near, shown


def lines(text: str, place: int) -> tuple[str, str]:
    quoted, caret = pointed(text, place, "here").split("\n")
    assert caret.endswith("^ here")
    return quoted, quoted[len(caret) - len("^ here") :]


def test_a_short_text_is_quoted_whole() -> None:
    assert lines("a" * 60, 3) == (f"selection `{'a' * 60}`", "a" * 57 + "`")
    assert lines("conv", 0) == ("selection `conv`", "conv`")


def test_a_long_text_is_quoted_around_the_place() -> None:
    text = "".join(chr(ord("a") + place % 26) for place in range(200))
    assert lines(text, 100) == (f"selection `…{text[70:130]}…`", text[100:130] + "…`")
    assert lines(text, 10) == (f"selection `{text[:60]}…`", text[10:60] + "…`")
    assert lines(text, 195) == (f"selection `…{text[140:]}`", text[195:] + "`")


def test_the_caret_counts_columns_not_letters() -> None:
    wide, combined = pointed("層&", 1, "x"), pointed("e\u0301&", 2, "x")
    assert wide.split("\n")[1].index("^") == len("selection `") + 2
    assert combined.split("\n")[1].index("^") == len("selection `") + 1


def test_a_long_name_loses_its_middle_and_a_control_character_its_power() -> None:
    name = "".join(chr(ord("a") + place % 26) for place in range(61))
    assert shown(name) == f"{name[:30]}…{name[32:]}"
    assert len(shown(name)) == 60
    assert shown(name[:60]) == name[:60]
    assert shown("a\x1b\n") == "a\\x1b\\n"


@pytest.mark.parametrize(
    ("word", "candidates", "said"),
    [
        ("", ["conv"], ""),
        ("x" * 200, ["x" * 200], f"; near: `{'x' * 30}…{'x' * 29}`"),
        ("x" * 201, ["x" * 201], ""),
        ("CONV", ["Conv"], "; near: `Conv`"),
        ("pl", ["pooling_layer_pl_of_the_stem"], ""),
        ("ool", ["a/very/long/pool/of/the/stem"], "; near: `a/very/long/pool/of/the/stem`"),
        ("abc", ["", "xyz"], ""),
        ("conv1", ["conv2", "conv3", "conv4", "conv5"], "; near: `conv5`, `conv4`, `conv3`"),
    ],
)
def test_near_matches(word: str, candidates: list[str], said: str) -> None:
    assert near(word, candidates) == said
