"""Names of tokens at the sides of matrices and below bands: each at the middle of what it names, or none at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnxviz.draw.bands import draw_bands
from onnxviz.draw.montage import plan_montage
from onnxviz.draw.page import Page, PageText
from onnxviz.draw.prepare import prepare
from onnxviz.draw.style import Caption, Style

IDS = ("101", "2054", "7", "102")


def words_of(maps: np.ndarray, names: dict[int, tuple[str, ...]], style: Style | None = None) -> tuple[Page, int, int]:
    prepared = prepare(maps, Caption("a", token_names=names), style or Style())
    montage = plan_montage(prepared)
    (page,) = montage.pages()
    return page, *montage.grid.tile.zoom


def named(page: Page, *, upright: bool) -> list[PageText]:
    return [word for word in page.words if word.upright is upright and word.text in (*IDS, "q0", "q1")]


def test_each_query_has_its_id_at_the_left_and_each_key_above() -> None:
    page, down, across = words_of(np.random.default_rng(0).random((1, 4, 4)), {4: IDS})
    rows, columns = named(page, upright=False), named(page, upright=True)
    assert [word.text for word in rows] == [word.text for word in columns] == list(IDS)
    assert {int(step) for step in np.diff([word.baseline for word in rows])} == {down}
    assert {int(step) for step in np.diff([(word.left + word.right) / 2 for word in columns])} == {across}
    assert max(word.right for word in rows) < min(word.left for word in columns) + across
    assert len({word.baseline for word in columns}) == 1


def test_queries_and_keys_may_have_names_of_their_own() -> None:
    page, _, _ = words_of(np.random.default_rng(0).random((1, 2, 4)), {2: ("q0", "q1"), 4: IDS})
    assert [word.text for word in named(page, upright=False)] == ["q0", "q1"]
    assert [word.text for word in named(page, upright=True)] == list(IDS)


def test_every_row_and_column_of_tiles_is_named() -> None:
    page, _, _ = words_of(np.random.default_rng(0).random((4, 4, 4)), {4: IDS}, Style(columns=2))
    assert [word.text for word in named(page, upright=False)] == [*IDS, *IDS]
    assert [word.text for word in named(page, upright=True)] == [*IDS, *IDS]


def test_matrices_become_larger_for_names_unless_a_size_is_asked_for() -> None:
    maps = np.random.default_rng(0).random((12, 20, 20))
    names = {20: tuple(map(str, range(900, 920)))}
    assert words_of(maps, {})[1] < 12
    page, down, _ = words_of(maps, names)
    assert down == 12
    assert any(word.upright for word in page.words)
    small, _, _ = words_of(maps, names, Style(tile=100))
    assert not any(word.upright for word in small.words)
    bare, _, _ = words_of(maps, names, Style(bare=True))
    assert bare.words == []


def test_no_names_fit_a_long_matrix() -> None:
    page, down, _ = words_of(np.random.default_rng(0).random((1, 100, 100)), {100: ("1",) * 100})
    assert down < 12
    assert not any(word.upright for word in page.words)


def test_an_upright_word_is_the_same_word_turned_round() -> None:
    flat, turned = Page(60, 60), Page(60, 60)
    flat.text(5, 40, "2054", 10)
    turned.upright(35, 40, "2054", 10, 255, 50)
    ink = flat.inked() != flat.canvas
    stood = turned.inked() != turned.canvas
    assert ink.any()
    cut = ink[np.ix_(ink.any(axis=1), ink.any(axis=0))]
    assert np.array_equal(stood[np.ix_(stood.any(axis=1), stood.any(axis=0))], np.rot90(cut))


def test_bands_are_named_below_where_names_fit(monkeypatch: object) -> None:
    said: list[str] = []
    text = Page.text

    def keep(self: Page, x: float, y: float, words: str, *rest: object, **more: object) -> None:
        said.append(words)
        text(self, x, y, words, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Page, "text", keep)  # type: ignore[attr-defined]
    prepared = prepare(np.random.default_rng(0).random((3, 4)), Caption("a", token_names={4: IDS}), Style())
    draw_bands(prepared)
    assert [word for word in said if word in IDS] == list(IDS)
    said.clear()
    draw_bands(replace(prepared, style=Style(tile=40)))  # 10 pixels a token are too few
    assert not set(said) & {"2054", "101"}
