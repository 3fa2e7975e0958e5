"""How windows lie on a map: strides, dilations and pads, from attributes or, with `auto_pad`, from sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint
from onnxviz.layout import Dimension


@dataclass(frozen=True, slots=True)
class WindowSizes:
    """The windows of a convolution or pooling, a number for each spatial axis.

    Attributes:
        kernel, strides, dilations: as in the node.
        before, after: the pads; None where they depend on sizes that only a run tells.
        sizes: of the map, as far as they are known.
        same: `SAME_UPPER` or `SAME_LOWER`, else empty.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...] | None
    after: tuple[int, ...] | None
    sizes: tuple[Dimension, ...]
    same: str = ""

    @property
    def extents(self) -> tuple[int, ...]:
        """How many positions a window spans."""
        return tuple(step * (size - 1) + 1 for size, step in zip(self.kernel, self.dilations, strict=True))

    @property
    def dimensions(self) -> range:
        """The spatial axes, counted from 0."""
        return range(len(self.kernel))

    @property
    def known_sizes(self) -> tuple[int, ...] | None:
        """The sizes of the map if all are numbers."""
        known = tuple(size for size in self.sizes if isinstance(size, int))
        return known if len(known) == len(self.sizes) else None

    @property
    def is_plain(self) -> bool:
        """Whether there are no pads and no dilations."""
        return not any((*(self.before or (1,)), *(self.after or (1,)))) and set(self.dilations) <= {1}


def window_sizes(at: Adjoint, kernel: Sequence[int]) -> WindowSizes:
    """Return how the windows of a node lie on its first input."""
    count = len(kernel)
    strides = at.node.integers("strides") or (1,) * count
    dilations = at.node.integers("dilations") or (1,) * count
    shape = at.forward.shape(at.node.inputs[0])
    sizes = shape[2:] if shape is not None else (None,) * count
    pads = at.node.integers("pads") or (0,) * 2 * count
    if not len(strides) == len(dilations) == len(sizes) == len(pads) / 2 == count or min((*strides, *dilations)) < 1:
        raise ValueError(f"{count} axes of a kernel do not fit the other attributes")
    same = at.node.text("auto_pad", "NOTSET")
    if not same.startswith("SAME"):
        pads = (0,) * 2 * count if same == "VALID" else pads
        return WindowSizes(tuple(kernel), strides, dilations, pads[:count], pads[count:], sizes)
    open_ = WindowSizes(tuple(kernel), strides, dilations, None, None, sizes, same)
    totals = [_total(size, stride, extent) for size, stride, extent in zip(sizes, strides, open_.extents, strict=True)]
    if any(total is None for total in totals):
        return open_
    known = [total for total in totals if total is not None]
    less, more = tuple(total // 2 for total in known), tuple(total - total // 2 for total in known)
    before, after = (less, more) if same == "SAME_UPPER" else (more, less)
    return WindowSizes(tuple(kernel), strides, dilations, before, after, sizes, same)


def _total(size: Dimension, stride: int, extent: int) -> int | None:
    """Return both pads of an axis together, which make as many windows as there are strides."""
    if isinstance(size, int):
        return max((-(-size // stride) - 1) * stride + extent - size, 0)
    return extent - 1 if stride == 1 else None


def begin_pads(at: Adjoint, windows: WindowSizes) -> Signal:
    """Return the pads before each axis, `(axes,)`; computed in the run where they depend on sizes."""
    if windows.before is not None:
        return at.emit.ints(windows.before)
    return at.emit.concat([_begin_pad(at, windows, axis) for axis in windows.dimensions])


def _begin_pad(at: Adjoint, windows: WindowSizes, axis: int) -> Signal:
    emit, stride, size = at.emit, windows.strides[axis], at.dim(axis + 2)
    full = emit.op("Div", size - emit.ints([1]), emit.ints([stride])) * emit.ints([stride])
    total = emit.op("Max", full + emit.ints([windows.extents[axis]]) - size, emit.ints([0]))
    rounded = total if windows.same == "SAME_UPPER" else total + emit.ints([1])
    return rounded / emit.ints([2])


def cut_to_map(at: Adjoint, full: Signal, begin: Signal, count: int) -> Signal:
    """Return a map that begins `begin` positions too early, cut or filled up with zeros to the sizes of the input."""
    emit, end = at.emit, 2 + count
    size, have = at.sizes().slice(2, end), full.sizes().slice(2, end)
    return full.pad(emit.concat([[0, 0], -begin, [0, 0], size + begin - have]))
