"""Rules of operators that slide over space: convolution, pooling, and blocks of pixels that become channels."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    GONE,
    MOST_PHASES,
    SOME,
    AxisRead,
    Call,
    Pull,
    Reads,
    identity,
    replaced,
    something,
)


def window(call: Call) -> Reads | None:
    """Convolution and pooling: `kernel` taps, `dilation` apart, from `stride * i - pad` on."""
    node = call.node
    if node.attribute("channels_last", 0):
        return None
    if call.operand:
        return _parameter(call)
    kernel = _kernel(call)
    if kernel is None or len(kernel) + 2 != call.rank:
        return None
    count = len(kernel)
    strides = node.attribute("strides") or (1,) * count
    dilations = node.attribute("dilations") or (1,) * count
    axes = [AxisRead(0), AxisRead(1) if "Pool" in node.op else _channels_of_groups(call)]
    for place in range(count):
        extent = (kernel[place] - 1) * dilations[place] + 1
        least, most = _padding(call, place, count, extent, strides[place])
        taps = range(-most, extent - least, dilations[place] if least == most else 1)
        still = strides[place] == 1 and len(taps) == 1 and not most
        axes.append(AxisRead(place + 2, None if still else Pull((taps,), strides[place]), loose=least != most))
    return Reads(tuple(axes), spatial=True)


def _parameter(call: Call) -> Reads:
    """What is computed and no map: a bias lies along the channels, of filters and scales not all is read."""
    if call.node.op == "FusedConv" and call.operand == 3:
        return identity(call.rank)
    if call.node.op in ("Conv", "FusedConv", "ConvTranspose") and call.operand == 2:
        return Reads((AxisRead(1),))
    return something(call)


def _kernel(call: Call) -> tuple[int, ...] | None:
    """Return the kernel's sizes; those of a convolution's weights where the attribute is left out."""
    kernel: tuple[int, ...] | None = call.node.attribute("kernel_shape")
    place = 3 if call.node.op == "QLinearConv" else 1
    if kernel or "Pool" in call.node.op or place >= len(call.node.inputs):
        return kernel
    shape = call.sizes.shape(call.node.inputs[place])
    sizes = (shape or ())[2:]
    return tuple(size for size in sizes if isinstance(size, int)) if sizes else None


def _padding(call: Call, place: int, count: int, extent: int, stride: int) -> tuple[int, int]:
    """Return the least and the most padding that there can be before the axis; they differ only for SAME.

    SAME pads to ceil(size / stride) outputs, so that with a stride the padding depends on the input's size; where
    that is unknown, all remainders of size / stride are possible, and the first and the last bound them.
    """
    mode = call.node.attribute("auto_pad", "NOTSET")
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        pads = call.node.attribute("pads") if mode in ("NOTSET", "") else None
        before = int(pads[place]) if pads and len(pads) == 2 * count else 0
        return before, before
    size = call.sizes.size(call.source, place + 2)
    rests = (1, stride) if size is None else (size % stride or stride,)
    upper = mode == "SAME_UPPER"
    befores = [max(extent - rest, 0) + (0 if upper else 1) for rest in rests]
    return min(befores) // 2, max(befores) // 2


def _channels_of_groups(call: Call) -> AxisRead:
    """The channels of a grouped convolution: outputs of a group read the inputs of that group."""
    group = int(call.node.attribute("group", 1))
    if group <= 1:
        return GONE
    channels, filters = call.sizes.size(call.source, 1), call.sizes.size(call.result, 1)
    if not channels or not filters or filters % group or channels % group:
        return SOME
    taken, made = channels // group, filters // group
    if made > MOST_PHASES:
        return SOME
    return AxisRead(1, None if taken == made == 1 else Pull((range(taken),) * made, taken), covers=True)


def transposed_window(call: Call) -> Reads | None:
    """ConvTranspose: input i adds to outputs `i * stride - pad + t * dilation` for each tap t of the kernel."""
    if call.operand:
        return _parameter(call)
    kernel = _kernel(call)
    if kernel is None or len(kernel) + 2 != call.rank:
        return None
    count = len(kernel)
    strides = call.node.attribute("strides") or (1,) * count
    dilations = call.node.attribute("dilations") or (1,) * count
    axes = [AxisRead(0), _channels_of_groups(call)]
    for place in range(count):
        stride, dilation = strides[place], dilations[place]
        before = _transposed_padding(call, place, count, (kernel[place] - 1) * dilation + 1, stride)
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


def _transposed_padding(call: Call, place: int, count: int, extent: int, stride: int) -> int | None:
    """Return what is cut off before the outputs; by the operator's own formula where a size is asked for."""
    node = call.node
    wanted = node.attribute("output_shape")
    mode = node.attribute("auto_pad", "NOTSET")
    same = mode in ("SAME_UPPER", "SAME_LOWER")
    if not wanted and not same:
        pads = node.attribute("pads") if mode in ("NOTSET", "") else None
        return int(pads[place]) if pads else 0
    extra = (node.attribute("output_padding") or (0,) * count)[place]
    total = extent - stride + extra
    if wanted:
        size = call.sizes.size(call.source, place + 2)
        if size is None:
            return None
        total = stride * (size - 1) + extra + extent - wanted[len(wanted) - count + place]
    total = max(total, 0)
    return total // 2 if mode == "SAME_UPPER" else total - total // 2


def space_to_depth(call: Call) -> Reads:
    """SpaceToDepth: a block of pixels becomes the channels of one, each of which reads one pixel of it."""
    block = int(call.node.attribute("blocksize"))
    read = Pull((range(block),), block)
    height, width = (AxisRead(axis, read, inner=(1,)) for axis in (2, 3))
    return replaced(call, {1: AxisRead(None, inner=(1,)), 2: height, 3: width}, spatial=True)


def depth_to_space(call: Call) -> Reads | None:
    """DepthToSpace: the channels of one pixel become a block, each pixel of which reads some of them."""
    block = int(call.node.attribute("blocksize"))
    if block > MOST_PHASES:
        return None
    read = Pull(((0,),) * block, 1)
    channels = AxisRead(None, inner=(1, 2, 3))
    return replaced(call, {1: channels, 2: AxisRead(2, read), 3: AxisRead(3, read)}, spatial=True)
