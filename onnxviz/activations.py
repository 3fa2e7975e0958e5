"""Named arrays with their place in the network: drawn, written to one file and read again."""

from __future__ import annotations

import json
import math
import operator
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, Unpack

import numpy as np

from onnxviz.bounds import Bounds
from onnxviz.errors import InputError
from onnxviz.files import writing
from onnxviz.health import Health
from onnxviz.layout import Array, AttentionLayout, Layout, Steps, TokenGrid, first_step
from onnxviz.quantised import Quantised

if TYPE_CHECKING:
    from PIL.Image import Image

    from onnxviz.draw.style import Drawing, Style, StyleChanges


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """The array of values at one place of a network for one input.

    Attributes:
        name: the layer's name, or the value's where a value was asked for.
        value: the name of the value in the graph.
        tap: `act`, `op` or `value`.
        array: the values, such as `(N, C, H, W) float32`; yours to change.
        layout: which axis is what, or None.
        op: the operator that begins the layer.
        layout_assumed: whether the layout is a likely guess and does not follow from the model.
        read_from: the value's own dtype in the model where the array has another, such as `bfloat16`; else empty.
        tokens: where its tokens lie in the picture, None where that was not followed or the layout says it.
        quantised: the codes that the array's numbers stand for: their `dtype`, `scale`, `zero_point` and `axis`, and
            the shares `at_low` and `at_high` of values at an end of the codes that does not stand for 0. None where the
            numbers do not come from codes, or from codes whose scale the model computes.
        steps: which steps of a Loop or Scan, or elements of a sequence, the array holds; None of any other value.
        bounds: from where on values are saturated, None where the layer has no end that counts.
    """

    name: str
    value: str
    tap: str
    array: Array
    layout: str | None = None
    op: str = ""
    layout_assumed: bool = False
    read_from: str = ""
    tokens: TokenGrid | None = None
    quantised: Quantised | None = None
    steps: Steps | None = None
    bounds: Bounds | None = None

    @property
    def dtype(self) -> str:
        """The value's own dtype in the model, as `layers` lists it: that of the array, or `read_from`."""
        return self.read_from or str(self.array.dtype)

    @property
    def dequantised(self) -> bool:
        """Whether the array holds what codes stand for: (code - zero point) * scale."""
        return "int" in self.read_from and self.array.dtype.kind == "f"

    @property
    def arrangement(self) -> Layout:
        """How its axes lie: as tokens of a picture, else by its layout, as in attention, where two places meet."""
        return self.layout if self.tokens is None or self.is_attention else self.tokens

    @property
    def is_attention(self) -> bool:
        """Whether it holds attention weights, queries by keys."""
        return (self.layout or "").count("T") == 2

    def seen_by(self, query: str) -> Layout:
        """Return how it is drawn: attention as that of a query (see `Style.query`), all else as it is arranged."""
        return (
            AttentionLayout(self.layout, self.tokens, query) if self.layout and self.is_attention else self.arrangement
        )

    @property
    def caption_line(self) -> str:
        """What stands under the name on a picture: operator, shape, dtype, steps, tap, value, tokens, a guess.

        Of what codes stand for their scale and zero point, and the shares at their ends, stand in place of the dtype.
        """
        size = " x ".join(map(str, self.array.shape)) or "scalar"
        place = self.value if self.value != self.name else ""
        dtype = f"{self.dtype} dequantised" if self.dequantised else self.dtype
        codes = (dtype,) if self.quantised is None else _code_words(self.quantised)
        grid = self.arrangement
        arranged = grid.words if isinstance(grid, TokenGrid) else ""
        assumed = f"layout {self.layout} assumed" if self.layout_assumed and not arranged else ""
        steps = "" if self.steps is None else self.steps.words
        parts = [self.op, size, *codes, steps, self.tap, place, arranged or assumed]
        return "  ·  ".join(part for part in parts if part)

    def maps(self, item: int = 0) -> Array:
        """Return one item with its channels first, `(C, ...)`; without a layout the rank decides, as in a picture.

        Tokens that lie in the picture are `(C, H, W)`; where some stand for no place `(C, H * W + n)`, these last.
        """
        from onnxviz.draw.arrange import item_channels

        return item_channels(self.array, self.arrangement, item)

    @property
    def health(self) -> Health:
        """How many values of each channel are NaN, infinite or saturated, and which channels are dead; of all items.

        >>> import numpy as np
        >>> Activation("conv", "y", "act", np.full((1, 2, 3, 3), np.nan), "NCHW").health.totals.words
        '18 NaN'
        """
        from onnxviz.draw.channel_health import channel_health

        return channel_health(self.array, self.arrangement, self.bounds)

    def pages(self, style: Style | None = None, **changes: Unpack[StyleChanges]) -> list[Image]:
        """Draw the first item: every page, as Pillow images of mode RGB.

        Args:
            style: How it is drawn; None is `onnxviz.Style()`.
            changes: Fields of the style that are to be others, such as `theme="light"`.

        Raises:
            UsageError: A scale, a colormap or a channel that does not exist.
        """
        return [drawing.image.convert("RGB") for drawing in self._drawings(style, **changes)]

    def montage(self, style: Style | None = None, **changes: Unpack[StyleChanges]) -> Image:
        """Draw the first item: the first page, as a Pillow image of mode RGB; see `pages`."""
        return self._drawings(style, **changes)[0].image.convert("RGB")

    def _drawings(self, style: Style | None = None, **changes: Unpack[StyleChanges]) -> list[Drawing]:
        from onnxviz.draw.kinds import draw_maps
        from onnxviz.draw.style import Caption, Style

        style = replace(style or Style(), **changes)
        caption = Caption(self.name, self.caption_line, first_step=first_step(self.steps))
        return draw_maps(self.array, self.seen_by(style.query), caption, style)

    def _repr_png_(self) -> bytes | None:
        return self._drawings()[0].image._repr_png_()

    def __repr__(self) -> str:
        return f"<Activation {self.name!r} {self.tap} {self.dtype} {self.array.shape} {self.layout or ''}>"


def _code_words(quantised: Quantised) -> tuple[str, str]:
    return f"{quantised.dtype} dequantised: {quantised.formula}", f"{quantised.shares} at the ends"


class Activations(Mapping[str, Activation]):
    """Activations by name, in graph order."""

    def __init__(self, items: Iterable[Activation]) -> None:
        """Take activations; of those with one name the later get their value, their tap or a number behind it."""
        self._items: dict[str, Activation] = {}
        for item in items:
            numbered = (f"{item.name} ({number})" for number in count(2))
            names = chain([item.name, f"{item.name} ({item.value})", f"{item.name} ({item.tap})"], numbered)
            self._items[next(name for name in names if name not in self._items)] = item

    def __getitem__(self, name: str) -> Activation:
        try:
            return self._items[name]
        except KeyError:
            raise KeyError(f"no activation {name!r}; there are {', '.join(list(self._items)[:8]) or 'none'}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return "\n".join([f"<Activations: {len(self)}>", *(f"  {item!r}" for item in self._items.values())])

    def _repr_html_(self) -> str:
        import html

        rows = (
            (name, item.tap, item.dtype, " x ".join(map(str, item.array.shape)), item.layout or "")
            for name, item in self._items.items()
        )
        cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
        head = "".join(f"<th>{title}</th>" for title in ("layer", "tap", "dtype", "shape", "layout"))
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write all to one `.npz` file: members `0000`, `0001` ... and their names in `names`.

        Raises:
            OutputError: The file exists and `force` is not given, or it cannot be written.
        """
        with RawWriter.open(Path(path), force=force) as raw:
            for item in self._items.values():
                raw.add(item)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Activations:
        """Read what `save`, or `onnxviz view --raw`, has written.

        Raises:
            InputError: The file is missing, is broken or does not hold activations.
        """
        from onnxviz.feed.arrays import opened_npz

        name = repr(os.fspath(path))
        with opened_npz(Path(path), name) as members:
            try:
                facts = json.loads(str(members["facts"]))
                return cls(_checked(fact, members[f"{place:04}"]) for place, fact in enumerate(facts))
            except (KeyError, ValueError, TypeError, RecursionError) as error:
                raise InputError(f"{name} holds no activations written by onnxviz: {error}") from None


def _checked(fact: Mapping[str, Any], array: Array) -> Activation:
    """Return an array with the facts that a file has of it, checked: a file may hold anything."""
    layout = fact["layout"]
    if layout is not None and not (isinstance(layout, str) and layout.isalpha() and len(layout) == array.ndim):
        raise ValueError(f"the layout {layout!r} does not fit an array of {array.ndim} axes")
    if fact["tap"] not in ("act", "op", "value"):
        raise ValueError(f"{fact['tap']!r} is not a tap")
    assumed = bool(layout and fact.get("layout_assumed"))
    names = str(fact["name"]), str(fact["value"]), fact["tap"]
    tokens = _checked_tokens(fact["tokens"], array.size) if fact.get("tokens") else None
    quantised = None if fact.get("quantised") is None else Quantised.from_json(fact["quantised"])
    read_from, steps = str(fact.get("read_from", "")), _steps(fact.get("steps"))
    found = Activation(*names, array, layout, str(fact["op"]), assumed, read_from)
    bounds = None if fact.get("bounds") is None else Bounds.from_json(fact["bounds"])
    return replace(found, quantised=quantised, tokens=tokens, steps=steps, bounds=bounds)


def _steps(fact: Mapping[str, Any] | None) -> Steps | None:
    if fact is None:
        return None
    return Steps(int(fact["first"]), int(fact["last"]), int(fact["total"]), str(fact["noun"]))


def _checked_tokens(fact: Mapping[str, Any], size: int) -> TokenGrid:
    """Return where tokens lie as a file has it, if it fits an array of this size and fills its grid."""
    height, width = map(operator.index, fact["grid"])
    lists = {name: tuple(map(operator.index, fact[name])) for name in ("split", "items", "tokens", "cells", "axes")}
    keys = _checked_tokens(fact["keys"], size) if fact["keys"] else None
    grid = TokenGrid((height, width), operator.index(fact["prefix"]), str(fact["status"]), **lists, keys=keys)
    counted = (*grid.items, *grid.tokens)
    places = sorted(cell for cell in grid.cells if cell >= 0)
    fits = (
        math.prod(grid.split) == size
        and len(set(counted)) == len(counted)
        and all(0 <= place < len(grid.split) for place in counted)
        and math.prod(grid.split[place] for place in grid.tokens) == len(grid.cells)
        and places == list(range(math.prod(grid.grid)))
        and grid.cells.count(-1) == grid.prefix
    )
    if not fits:
        raise ValueError(f"the tokens {grid.words} do not fit an array of {size} values")
    return grid


class RawWriter:
    """Writes activations to one `.npz` file, one after the other, so that memory stays flat; `len` counts them."""

    def __init__(self, target: BinaryIO) -> None:
        """Begin the archive in an open file; `open` also ends it."""
        self._target = target
        self._archive = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED)
        self._facts: list[dict[str, Any]] = []
        self._starts: list[int] = []

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, force: bool) -> Iterator[Self]:
        """Write `path`, which appears whole when the block ends, or not at all."""
        with writing(path, force=force) as target:
            raw = cls(target)
            try:
                yield raw
                raw._end()
            except BaseException:
                # The archive is let go: its file is removed, and the error, such as a full disk, is the one to see.
                with suppress(Exception):
                    raw._archive.close()
                raise

    def __len__(self) -> int:
        return len(self._facts)

    def add(self, item: Activation) -> None:
        """Write one activation, unscaled."""
        self._starts.append(self._archive.start_dir)
        texts = item.array.dtype.kind == "O"  # onnxruntime's texts; as objects they could only be pickled
        self._write(f"{len(self._facts):04}", item.array.astype(np.str_) if texts else item.array)
        kept = ("name", "value", "tap", "layout", "op", "layout_assumed", "read_from")
        tokens = {} if item.tokens is None else {"tokens": asdict(item.tokens)}
        quantised = None if item.quantised is None else item.quantised.as_json()
        steps = None if item.steps is None else asdict(item.steps)
        bounds = {} if item.bounds is None else {"bounds": item.bounds.as_json()}
        found = {"quantised": quantised, "steps": steps} | tokens | bounds
        self._facts.append({name: getattr(item, name) for name in kept} | found)

    def cut(self, count: int) -> None:
        """Cut the file back to its first `count` activations."""
        if count < len(self):
            # zipfile takes nothing back: its list of members, and the place where it goes on, are set as they were.
            self._archive.start_dir = self._starts[count]
            for member in self._archive.infolist()[count:]:
                self._archive.filelist.remove(member)
                del self._archive.NameToInfo[member.filename]
            self._target.truncate(self._starts[count])
            del self._facts[count:], self._starts[count:]

    def _end(self) -> None:
        self._write("names", np.array([fact["name"] for fact in self._facts], dtype=np.str_))
        self._write("facts", np.array(json.dumps(self._facts)))
        self._archive.close()

    def _write(self, name: str, array: Array) -> None:
        with self._archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
