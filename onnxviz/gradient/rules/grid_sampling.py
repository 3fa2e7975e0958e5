"""GridSample: each output is a mean of the four pixels around a place; the gradient goes back to these four.

value = (1 - u) (1 - v) a + u (1 - v) b + (1 - u) v c + u v d,     u and v from the pixel above and to the left
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxviz.gradient.emit import Emitter, Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule


@dataclass(frozen=True, slots=True)
class _PictureSide:
    """Where a grid lies along one side of the picture: places `(N, H, W)`, how many pixels, their slope by the grid."""

    place: Signal
    size: Signal
    slope: Signal


@rule("GridSample")
def _grid_sample(at: Adjoint) -> Gradients:
    mode, padding = at.node.text("mode", "linear"), at.node.text("padding_mode", "zeros")
    if at.rank() != 4 or mode not in ("linear", "bilinear", "nearest") or padding == "reflection":
        at.refuse(f"it samples {mode} of {at.rank() - 2} axes with {padding} outside")
    across, down = (_side(at, axis, padding) for axis in (0, 1))
    corners = _nearest(across, down) if mode == "nearest" else _four(across, down)
    found: list[Signal | None] = [None, None]
    if at.wants(0):
        found[0] = _to_picture(at, corners, across, down)
    if at.wants(1) and mode != "nearest":
        found[1] = _to_grid(at, corners, across, down)
    return found


def _side(at: Adjoint, axis: int, padding: str) -> _PictureSide:
    """Return the places of a grid, whose -1 and 1 are the edges of the picture, or of its outer pixels' middles."""
    grid = at.x(1).slice(axis, axis + 1, 3).squeeze([3])
    size = at.dim(3 - axis)
    pixels = size.number()
    if at.node.integer("align_corners", 0):
        slope = (pixels - 1.0) / 2.0
        place = (grid + 1.0) * slope
    else:
        slope = pixels / 2.0
        place = (grid + 1.0) * slope - 0.5
    if padding == "border":
        held = at.emit.op("Min", at.emit.op("Max", place, 0.0), pixels - 1.0)
        slope, place = slope * held.equals(place).number(), held
    return _PictureSide(place, size, slope)


@dataclass(frozen=True, slots=True)
class _Corner:
    """A pixel around each place: its column and row, its part, and how that changes with the place."""

    column: Signal
    row: Signal
    part: Signal
    by_column: Signal
    by_row: Signal


def _nearest(across: _PictureSide, down: _PictureSide) -> list[_Corner]:
    column, row = across.place.map("Round"), down.place.map("Round")
    none = column * 0.0
    return [_Corner(column, row, none + 1.0, none, none)]


def _four(across: _PictureSide, down: _PictureSide) -> list[_Corner]:
    left, above = across.place.map("Floor"), down.place.map("Floor")
    u, v = across.place - left, down.place - above
    found = []
    for x, (part_x, sign_x) in enumerate(((1.0 - u, -1.0), (u, 1.0))):
        for y, (part_y, sign_y) in enumerate(((1.0 - v, -1.0), (v, 1.0))):
            found.append(_Corner(left + float(x), above + float(y), part_x * part_y, part_y * sign_x, part_x * sign_y))
    return found


def _pixels(emit: Emitter, corner: _Corner, across: _PictureSide, down: _PictureSide) -> tuple[Signal, Signal]:
    """Return the number of a corner's pixel in a picture laid out as a line, `(N, H, W)`, and 1 where it is inside."""
    width, height = across.size.number(), down.size.number()
    inside = (corner.column > -0.5) & (corner.column < width - 0.5) & (corner.row > -0.5) & (corner.row < height - 0.5)
    column = emit.op("Min", emit.op("Max", corner.column, 0.0), width - 1.0).index()
    row = emit.op("Min", emit.op("Max", corner.row, 0.0), height - 1.0).index()
    return row * across.size + column, inside.number()


def _to_picture(at: Adjoint, corners: list[_Corner], across: _PictureSide, down: _PictureSide) -> Signal:
    """Return the sum of what all places give to each pixel: `(N, C, places)` scattered into `(N, C, H * W)`."""
    emit = at.emit
    lines = at.g.reshape([0, 0, -1])
    found = emit.zeros(emit.concat([at.sizes().slice(0, 2), at.dim(2) * at.dim(3)]))
    for corner in corners:
        number, inside = _pixels(emit, corner, across, down)
        given = lines * (corner.part * inside).reshape(emit.concat([number.sizes().slice(0, 1), [1, -1]]))
        places = number.reshape(emit.concat([number.sizes().slice(0, 1), [1, -1]]))
        index = emit.op("Expand", places, given.sizes())
        found = emit.op("ScatterElements", found, index, given, axis=2, reduction="add")
    return at.like(found)


def _to_grid(at: Adjoint, corners: list[_Corner], across: _PictureSide, down: _PictureSide) -> Signal:
    emit = at.emit
    pictures = at.x().reshape([0, 0, -1])
    by_column = by_row = None
    for corner in corners:
        number, inside = _pixels(emit, corner, across, down)
        places = number.reshape(emit.concat([number.sizes().slice(0, 1), [1, -1]]))
        index = emit.op("Expand", places, emit.concat([at.sizes().slice(0, 2), places.sizes().slice(2, 3)]))
        values = emit.op("GatherElements", pictures, index, axis=2)
        product = (values.reshape(at.g.sizes()) * at.g).total([1], keep=False) * inside
        column, row = product * corner.by_column, product * corner.by_row
        by_column = column if by_column is None else by_column + column
        by_row = row if by_row is None else by_row + row
    assert by_column is not None and by_row is not None
    return emit.concat([(by_column * across.slope).unsqueeze([3]), (by_row * down.slope).unsqueeze([3])], axis=3)
