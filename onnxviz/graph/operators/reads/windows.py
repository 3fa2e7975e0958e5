"""Rules of operators that slide over space: convolution, pooling, and blocks of pixels that become channels."""

from __future__ import annotations

from collections.abc import Sequence

from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads.rule import (
    MOST_PHASES,
    AxisRead,
    Operand,
    Pull,
    Reads,
    identity,
    replaced,
    something,
    summed,
    unfollowed,
)

_LARGEST_EXTENT = 1 << 60
"""What a window spans in no file but a hostile one."""


def window(operand: Operand) -> Reads | None:
    """Convolution and pooling: `kernel` taps, `dilation` apart, from `stride * i - pad` on."""
    node = operand.node
    if node.integer("channels_last", 0):
        return None
    if operand.place:
        return _parameter(operand)
    kernel = _kernel(operand)
    if kernel is None or len(kernel) + 2 != operand.rank:
        return None
    count = len(kernel)
    strides, dilations = _steps(node, count)
    axes = [AxisRead(0), AxisRead(1) if "Pool" in node.operator else _channels_of_groups(operand)]
    for place in range(count):
        extent = (kernel[place] - 1) * dilations[place] + 1
        if extent > _LARGEST_EXTENT:
            return None
        least, most = _padding(operand, place, count, extent, strides[place])
        taps = range(-most, extent - least, dilations[place] if least == most else 1)
        still = strides[place] == 1 and len(taps) == 1 and not most
        axes.append(AxisRead(place + 2, None if still else Pull((taps,), strides[place]), loose=least != most))
    return Reads(tuple(axes), spatial=True)


def _steps(node: Node, count: int) -> tuple[Sequence[int], Sequence[int]]:
    """Return strides and dilations along each axis of space, all of them 1 or more."""
    strides, dilations = node.integers("strides") or (1,) * count, node.integers("dilations") or (1,) * count
    if min(*strides, *dilations, 1) < 1:
        raise ValueError(f"no window has strides {strides} and dilations {dilations}")
    return strides, dilations


def _parameter(operand: Operand) -> Reads:
    """What is computed and no map: a bias lies along the channels, of filters and scales not all is read."""
    if operand.node.operator == "FusedConv" and operand.place == 3:
        return identity(operand.rank)
    if operand.node.operator in ("Conv", "FusedConv", "ConvTranspose") and operand.place == 2:
        return Reads((AxisRead(1),))
    return something(operand)


def _kernel(operand: Operand) -> tuple[int, ...] | None:
    """Return the kernel's sizes; those of a convolution's weights where the attribute is left out."""
    kernel = operand.node.integers("kernel_shape")
    place = 3 if operand.node.operator == "QLinearConv" else 1
    if kernel or "Pool" in operand.node.operator or place >= len(operand.node.inputs):
        return kernel
    shape = operand.sizes.shape(operand.node.inputs[place])
    sizes = (shape or ())[2:]
    return tuple(size for size in sizes if isinstance(size, int)) if sizes else None


def _padding(operand: Operand, place: int, count: int, extent: int, stride: int) -> tuple[int, int]:
    """Return the least and the most padding that there can be before the axis; they differ only for SAME.

    SAME pads to ceil(size / stride) outputs, so that with a stride the padding depends on the input's size; where
    that is unknown, all remainders of size / stride are possible, and the first and the last bound them.
    """
    mode = operand.node.text("auto_pad", "NOTSET")
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        pads = operand.node.integers("pads") if mode in ("NOTSET", "") else None
        before = int(pads[place]) if pads and len(pads) == 2 * count else 0
        return before, before
    size = operand.sizes.size(operand.source, place + 2)
    rests = (1, stride) if size is None else (size % stride or stride,)
    upper = mode == "SAME_UPPER"
    befores = [max(extent - rest, 0) + (0 if upper else 1) for rest in rests]
    return min(befores) // 2, max(befores) // 2


def _channels_of_groups(operand: Operand) -> AxisRead:
    """The channels of a grouped convolution: outputs of a group read the inputs of that group."""
    group = operand.node.integer("group", 1)
    if group <= 1:
        return summed(1)
    channels, filters = operand.sizes.size(operand.source, 1), operand.sizes.size(operand.result, 1)
    if not channels or not filters or filters % group or channels % group:
        return unfollowed(1)
    taken, made = channels // group, filters // group
    if made > MOST_PHASES:
        return unfollowed(1)
    return AxisRead(1, None if taken == made == 1 else Pull((range(taken),) * made, taken), covers=True)


def transposed_window(operand: Operand) -> Reads | None:
    """ConvTranspose: input i adds to outputs `i * stride - pad + t * dilation` for each tap t of the kernel."""
    if operand.place:
        return _parameter(operand)
    kernel = _kernel(operand)
    if kernel is None or len(kernel) + 2 != operand.rank:
        return None
    count = len(kernel)
    strides, dilations = _steps(operand.node, count)
    axes = [AxisRead(0), _channels_of_groups(operand)]
    for place in range(count):
        stride, dilation = strides[place], dilations[place]
        before = _transposed_padding(operand, place, count, (kernel[place] - 1) * dilation + 1, stride)
        if before is None or max(stride, kernel[place]) > MOST_PHASES:
            return None
        axes.append(AxisRead(place + 2, Pull(_taps_by_phase(kernel[place], stride, dilation, before), 1)))
    return Reads(tuple(axes), spatial=True)


def _taps_by_phase(kernel: int, stride: int, dilation: int, before: int) -> tuple[tuple[int, ...], ...]:
    """Give each tap to the outputs that it reaches: those from `tap * dilation - before` on, `stride` apart."""
    offsets: list[list[int]] = [[] for _ in range(stride)]
    for tap in range(kernel):
        shift = tap * dilation - before
        offsets[shift % stride].append(-(shift // stride))
    return tuple(tuple(sorted(taps)) for taps in offsets)


def _transposed_padding(operand: Operand, place: int, count: int, extent: int, stride: int) -> int | None:
    """Return what is cut off before the outputs; by the operator's own formula where a size is asked for."""
    node = operand.node
    wanted = node.integers("output_shape")
    mode = node.text("auto_pad", "NOTSET")
    same = mode in ("SAME_UPPER", "SAME_LOWER")
    if not wanted and not same:
        pads = node.integers("pads") if mode in ("NOTSET", "") else None
        return int(pads[place]) if pads else 0
    extra = (node.integers("output_padding") or (0,) * count)[place]
    total = extent - stride + extra
    if wanted:
        size = operand.sizes.size(operand.source, place + 2)
        if size is None:
            return None
        total = stride * (size - 1) + extra + extent - wanted[len(wanted) - count + place]
    total = max(total, 0)
    return total // 2 if mode == "SAME_UPPER" else total - total // 2


def space_to_depth(operand: Operand) -> Reads:
    """SpaceToDepth: a block of pixels becomes the channels of one, each of which reads one pixel of it."""
    block = operand.node.integer("blocksize", 0)
    read = Pull((range(block),), block)
    height, width = (AxisRead(axis, read, inner=(1,)) for axis in (2, 3))
    return replaced(operand, {1: AxisRead(None, inner=(1,)), 2: height, 3: width}, spatial=True)


def depth_to_space(operand: Operand) -> Reads | None:
    """DepthToSpace: the channels of one pixel become a block, each pixel of which reads some of them."""
    block = operand.node.integer("blocksize", 0)
    if block > MOST_PHASES:
        return None
    read = Pull(((0,),) * block, 1)
    channels = AxisRead(None, inner=(1, 2, 3))
    return replaced(operand, {1: channels, 2: AxisRead(2, read), 3: AxisRead(3, read)}, spatial=True)
