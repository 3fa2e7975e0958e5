"""What an operator's output positions read of its inputs, axis by axis, for every operator that is understood.

One table serves both questions about receptive fields: how large they are where no border is near
(receptive_field.py follows the rules forward) and what exactly one position sees (region.py follows them back).
A rule answers for one operand and one output of a node. Axes are those of the tensors as they lie in the graph,
so that no layout has to be assumed: a Transpose is a rule as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph, Node
from onnxviz.layout import Dimension, TensorSpec

DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
_MOST_PHASES = 1 << 14
_MOST_TAPS = 1 << 20


@dataclass(frozen=True, slots=True)
class Pull:
    """A periodic rule along an axis: output `q * len(offsets) + r` reads inputs `q * step + x`, x in `offsets[r]`.

    A convolution has one phase (its taps, ascending) and its stride as step; an upsampling has a phase for each
    output that one input makes. `border` says what a read outside the input is: `drop` (nothing, or a constant),
    `clamp`, `reflect` or `wrap`.
    """

    offsets: tuple[Sequence[int], ...]
    step: int
    border: str = "drop"

    def __post_init__(self) -> None:
        if not self.offsets or not isinstance(self.step, int):
            raise ValueError(f"no rule has {len(self.offsets)} phases and a step of {self.step!r}")


@dataclass(frozen=True, slots=True)
class AxisRead:
    """How one axis of an operand is read.

    `out` is the output axis along which its positions lie, None where they are gone and all of it is read.
    `pull` maps the positions (None: one to one). `whole`: each position reads the whole axis besides its own part,
    as normalisation does. `inner`: output axes whose positions matter too, so that the rule is a bound unless all of
    them are asked for. `loose`: the rule is a bound.
    """

    out: int | None
    pull: Pull | None = None
    whole: bool = False
    inner: tuple[int, ...] = ()
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Reads:
    """How an operand is read: an AxisRead for each of its axes; `spatial` if the operator slides over axes 2 on."""

    axes: tuple[AxisRead, ...]
    rank: int
    spatial: bool = False


GONE = AxisRead(None)
NOTHING = Reads((), -1)
"""The operand's values are not read at all (its shape may be)."""


class Sizes:
    """What rules ask of a graph: shapes of values and the numbers in its constants."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        self.graph = graph
        self._types = types

    def shape(self, value: str) -> tuple[Dimension, ...] | None:
        """Return the shape of a value, of an initializer too."""
        spec = self._types.get(value)
        return spec.shape if spec is not None and spec.shape is not None else self.graph.dims(value)

    def size(self, value: str, axis: int) -> int | None:
        """Return one size if it is a number."""
        shape = self.shape(value)
        size = shape[axis] if shape is not None and axis < len(shape) else None
        return size if isinstance(size, int) else None

    def rank(self, value: str, otherwise: int) -> int:
        """Return the number of axes of a value."""
        shape = self.shape(value)
        return otherwise if shape is None else len(shape)

    def numbers(self, node: Node, place: int, attribute: str | None = None) -> tuple[Any, ...] | None:
        """Return the numbers of a constant input or, as older operator sets have it, of an attribute."""
        if place < len(node.inputs) and node.inputs[place]:
            array = self.graph.constant(node.inputs[place])
            return None if array is None else tuple(array.reshape(-1).tolist())
        found = node.attribute(attribute) if attribute else None
        return found if found is None or isinstance(found, tuple) else (found,)


@dataclass(frozen=True, slots=True)
class Call:
    """One question: the operand of a node, its rank, and which of the node's outputs is meant."""

    node: Node
    operand: int
    rank: int
    output: int
    sizes: Sizes

    @property
    def source(self) -> str:
        """The value that is read."""
        return self.node.inputs[self.operand]

    @property
    def result(self) -> str:
        """The value that is made."""
        return self.node.outputs[self.output]

    @property
    def result_rank(self) -> int:
        """The rank of the output, the operand's where it is not known."""
        return self.sizes.rank(self.result, self.rank)

    def axis(self, default: int) -> int:
        """Return the attribute `axis` counted from the front."""
        axis = int(self.node.attribute("axis", default))
        return axis + self.rank if axis < 0 else axis


Rule = Callable[[Call], Reads | None]


def reads(call: Call) -> Reads | None:
    """Answer a question; None where the operator is not understood or the node is none as it is defined."""
    node = call.node
    rule = RULES.get(node.op) if node.domain in DOMAINS else None
    try:
        found = None if rule is None else rule(call)
    except MALFORMED:
        return None
    return None if found is None or any(_is_absurd(axis.pull) for axis in found.axes) else found


def _is_absurd(pull: Pull | None) -> bool:
    """Tell whether a rule reads more than any real node: once laid out, a hostile size would take all memory."""
    return pull is not None and sum(len(taps) for taps in pull.offsets) > _MOST_TAPS


@lru_cache(maxsize=64)
def identity(rank: int) -> Reads:
    """Return the rule of an operand that is read position by position."""
    return Reads(tuple(AxisRead(axis) for axis in range(rank)), rank)


def everything(call: Call) -> Reads:
    """Every output reads all of the operand."""
    return Reads((GONE,) * call.rank, call.result_rank)


def nothing(call: Call) -> Reads:
    """The output depends on the operand's shape alone."""
    return NOTHING


def pointwise(call: Call) -> Reads:
    """Each output reads the same position, with numpy's broadcasting."""
    source, result = call.sizes.shape(call.source), call.sizes.shape(call.result)
    if source == result and source is not None:
        return identity(len(source))
    rank = len(result) if result is not None else _broadcast_rank(call)
    shift = rank - call.rank
    if source is None or result is None or len(source) != call.rank or shift < 0:
        return Reads(tuple(AxisRead(axis + max(shift, 0)) for axis in range(call.rank)), max(rank, call.rank))
    stretched = (source[axis] == 1 and result[axis + shift] not in (1, None) for axis in range(call.rank))
    return Reads(tuple(GONE if gone else AxisRead(axis + shift) for axis, gone in enumerate(stretched)), rank)


def _broadcast_rank(call: Call) -> int:
    return max(call.rank, *(call.sizes.rank(value, 0) for value in call.node.inputs if value))


def window(call: Call) -> Reads | None:
    """Convolution and pooling: `kernel` taps, `dilation` apart, from `stride * i - pad` on; other operands wholly."""
    node = call.node
    if call.operand:
        return identity(call.rank) if node.op == "FusedConv" and call.operand == 3 else everything(call)
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
    return Reads(tuple(axes), call.rank, spatial=True)


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
    channels, filters = call.sizes.size(call.source, 1), call.sizes.size(call.result, 1)
    if group <= 1 or not channels or not filters or filters % group or channels % group:
        return GONE
    taken, made = channels // group, filters // group
    if made > _MOST_PHASES:
        return GONE
    return AxisRead(1, None if taken == made == 1 else Pull((range(taken),) * made, taken))


def transposed_window(call: Call) -> Reads | None:
    """ConvTranspose: input i adds to outputs `i * stride - pad + t * dilation` for each tap t of the kernel."""
    if call.operand:
        return everything(call)
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
        if before is None or max(stride, kernel[place]) > _MOST_PHASES:
            return None
        axes.append(AxisRead(place + 2, Pull(_taps_by_phase(kernel[place], stride, dilation, before), 1)))
    return Reads(tuple(axes), call.rank, spatial=True)


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


def over_space(call: Call) -> Reads:
    """Global pooling: all of space is read, channels stay apart."""
    if call.operand:
        return everything(call)
    axes = (AxisRead(0), AxisRead(1), *(GONE,) * (call.rank - 2))
    return Reads(axes[: call.rank], call.rank, spatial=True)


def reduced(call: Call) -> Reads:
    """Reductions: the reduced axes are read wholly."""
    node = call.node
    if call.operand:
        return NOTHING
    if node.op in ("ArgMax", "ArgMin"):
        axes: tuple[int, ...] | None = (int(node.attribute("axis", 0)),)
    else:
        axes = call.sizes.numbers(node, 1, "axes")
    if axes is None and len(node.inputs) > 1 and node.inputs[1]:
        return everything(call)
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            return identity(call.rank)
        axes = tuple(range(call.rank))
    gone = {int(axis) % call.rank for axis in axes}
    if node.attribute("keepdims", 1):
        return Reads(tuple(GONE if axis in gone else AxisRead(axis) for axis in range(call.rank)), call.rank)
    return _without(call.rank, gone)


def _without(rank: int, gone: Iterable[int]) -> Reads:
    """Axes fall away; those behind move up."""
    kept = [axis for axis in range(rank) if axis not in set(gone)]
    return Reads(tuple(AxisRead(kept.index(axis)) if axis in kept else GONE for axis in range(rank)), len(kept))


def _also_whole(call: Call, axes: Iterable[int]) -> Reads:
    """Position by position, and all of some axes besides."""
    marked = set(axes)
    return Reads(tuple(AxisRead(axis, whole=axis in marked) for axis in range(call.rank)), call.rank)


def along_axis(call: Call) -> Reads:
    """Softmax and its like: each output reads its line along one axis (from it on, before operator set 13)."""
    if call.operand:
        return NOTHING
    modern = call.sizes.graph.opset >= 13 or call.node.op in ("CumSum", "LpNormalization")
    axis = call.axis(-1 if modern else 1)
    if call.node.op == "CumSum":
        numbers = call.sizes.numbers(call.node, 1)
        return _also_whole(call, range(call.rank) if numbers is None else (int(numbers[0]) % call.rank,))
    return _also_whole(call, (axis,) if modern else range(max(axis, 0), call.rank))


def last_axes(call: Call) -> Reads:
    """LayerNormalization: statistics over `axis` and all behind it; of further operands only parameters are known."""
    if call.operand:
        return pointwise(call)
    return _also_whole(call, range(max(call.axis(-1), 0), call.rank)) if not call.output else everything(call)


def space_normalised(call: Call) -> Reads:
    """Instance and group normalisation: statistics over space."""
    if call.operand:
        return everything(call)
    return _also_whole(call, range(1 if call.node.op == "GroupNormalization" else 2, call.rank))


def mean_variance(call: Call) -> Reads:
    """MeanVarianceNormalization over its axes."""
    axes = call.node.attribute("axes") or (0, 2, 3)
    return _also_whole(call, (axis % call.rank for axis in axes))


def dynamic_scale(call: Call) -> Reads:
    """DynamicQuantizeLinear: the scale is taken from the whole tensor."""
    return everything(call) if call.output else _also_whole(call, range(call.rank))


def across_channels(call: Call) -> Reads:
    """LRN: neighbours along the channels; here all of them."""
    return _also_whole(call, (1,))


def selected_line(call: Call) -> Reads:
    """TopK: positions along its axis are no longer positions."""
    axis = call.axis(-1)
    return NOTHING if call.operand else _replaced(call, {axis: GONE})


def _replaced(call: Call, changes: Mapping[int, AxisRead], *, spatial: bool = False) -> Reads:
    return Reads(tuple(changes.get(axis, AxisRead(axis)) for axis in range(call.rank)), call.rank, spatial)


def transpose(call: Call) -> Reads:
    """Axes change places."""
    order = call.node.attribute("perm") or tuple(reversed(range(call.rank)))
    return Reads(tuple(AxisRead(order.index(axis)) for axis in range(call.rank)), call.rank)


def squeeze(call: Call) -> Reads:
    """Axes of size 1 fall away."""
    if call.operand:
        return NOTHING
    axes = call.sizes.numbers(call.node, 1, "axes")
    if axes is None:
        shape = call.sizes.shape(call.source) or ()
        axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return _without(call.rank, [int(axis) % call.rank for axis in axes])


def unsqueeze(call: Call) -> Reads:
    """Axes of size 1 come in."""
    if call.operand:
        return NOTHING
    axes = call.sizes.numbers(call.node, 1, "axes")
    if axes is None:
        return everything(call)
    rank = call.rank + len(axes)
    added = {int(axis) % rank for axis in axes}
    return Reads(tuple(AxisRead(axis) for axis in range(rank) if axis not in added), rank)


def reshape(call: Call) -> Reads:
    """Axes are split and merged in the order in which the numbers lie; see `_regrouped`."""
    if call.operand:
        return everything(call)
    source, result = call.sizes.shape(call.source), call.sizes.shape(call.result)
    if source is None or result is None or len(source) != call.rank:
        return everything(call)
    axes = [GONE] * call.rank
    for before, after in _groups(source, result):
        for axis, read in zip(before, _regrouped(source, result, before, after), strict=True):
            axes[axis] = read
    return Reads(tuple(axes), len(result))


def _groups(
    source: tuple[Dimension, ...], result: tuple[Dimension, ...]
) -> Iterable[tuple[Sequence[int], Sequence[int]]]:
    """Pair up the shortest runs of axes that hold the same number of elements: equal ends first, then products."""
    start, stop = 0, 0
    shortest = min(len(source), len(result))
    while stop < shortest and source[-1 - stop] == result[-1 - stop] is not None:
        stop += 1
    while start < shortest - stop and source[start] == result[start] is not None:
        start += 1
    yield from (((axis,), (axis,)) for axis in range(start))
    i, j = start, start
    while i < len(source) - stop or j < len(result) - stop:
        first, second = i, j
        left: int | None = 1
        right: int | None = 1
        while i == first or left != right:
            if left is None or right is None or (left >= right and j < len(result) - stop and i > first):
                if j >= len(result) - stop:
                    break
                right = _times(right, result[j])
                j += 1
            elif i < len(source) - stop:
                left = _times(left, source[i])
                i += 1
            else:
                break
        if left != right or left is None or i == first:
            i, j = len(source) - stop, len(result) - stop
        yield range(first, i), range(second, j)
    yield from (((len(source) - k,), (len(result) - k,)) for k in range(stop, 0, -1))


def _times(product: int | None, size: Dimension) -> int | None:
    return product * size if product is not None and isinstance(size, int) else None


def _regrouped(
    source: tuple[Dimension, ...], result: tuple[Dimension, ...], before: Sequence[int], after: Sequence[int]
) -> list[AxisRead]:
    """Give the rules of one run of axes.

    One axis split into (a, b): its positions lie along the first, b of them at each. Axes merged into one: an axis
    with `inner` elements behind it in the run lies along it as (position // inner) % size. Anything else is gone.
    """
    olds = [axis for axis in before if source[axis] != 1]
    news = [axis for axis in after if result[axis] != 1]
    reads = dict.fromkeys(before, GONE)
    if len(olds) == len(news) == 1:
        reads[olds[0]] = AxisRead(news[0])
    elif len(olds) == 1 and news and all(isinstance(result[axis], int) for axis in news[1:]):
        inner = _product(result[axis] for axis in news[1:])
        reads[olds[0]] = AxisRead(news[0], Pull((range(inner),), inner), inner=tuple(news[1:]))
    elif len(news) == 1 and olds and all(isinstance(source[axis], int) for axis in olds[1:]):
        for place, axis in enumerate(olds):
            inner = _product(source[axis] for axis in olds[place + 1 :])
            phases = inner if not place else inner * _product([source[axis]])
            if phases <= _MOST_PHASES:
                offsets = tuple((0,) if not place else (phase // inner,) for phase in range(phases))
                reads[axis] = AxisRead(news[0], Pull(offsets, 0 if place else 1))
    return [reads[axis] for axis in before]


def _product(sizes: Iterable[Dimension]) -> int:
    product = 1
    for size in sizes:
        product *= size if isinstance(size, int) else 1
    return product


def flatten(call: Call) -> Reads:
    """A Reshape to two axes; where shapes are unknown, a lone leading axis stays."""
    if call.sizes.shape(call.source) is not None and call.sizes.shape(call.result) is not None:
        return reshape(call)
    first = AxisRead(0) if call.axis(1) == 1 else GONE
    return Reads((first, *(GONE,) * (call.rank - 1)), 2)


def slice_(call: Call) -> Reads:
    """Slice: output i reads `start + i * step`."""
    node, sizes = call.node, call.sizes
    if call.operand:
        return NOTHING
    starts = sizes.numbers(node, 1, "starts")
    axes = sizes.numbers(node, 3, "axes")
    steps = sizes.numbers(node, 4)
    given = [len(node.inputs) > place and bool(node.inputs[place]) for place in (3, 4)]
    if starts is None or (given[0] and axes is None) or (given[1] and steps is None):
        return everything(call)
    changes: dict[int, AxisRead] = {}
    for place, start in enumerate(starts):
        axis = int(axes[place]) % call.rank if axes else place
        step = int(steps[place]) if steps else 1
        first = _first_of_slice(int(start), step, sizes.size(call.source, axis))
        if first is None:
            changes[axis] = GONE
        elif first or step != 1:
            changes[axis] = AxisRead(axis, Pull(((first,),), step))
    return _replaced(call, changes)


def _first_of_slice(start: int, step: int, size: int | None) -> int | None:
    if size is None:
        return start if start >= 0 and step > 0 else None
    start = start + size if start < 0 else start
    return min(max(start, 0), size) if step > 0 else min(max(start, 0), size - 1)


def pad(call: Call) -> Reads:
    """Pad: positions shift; what lies outside follows the mode."""
    node, sizes = call.node, call.sizes
    if call.operand:
        return NOTHING if call.operand != 2 else everything(call)
    pads = sizes.numbers(node, 1, "pads")
    axes = sizes.numbers(node, 3)
    if pads is None or (len(node.inputs) > 3 and node.inputs[3] and axes is None):
        return Reads(tuple(GONE for _ in range(call.rank)), call.rank)
    where = [int(axis) % call.rank for axis in axes] if axes else list(range(len(pads) // 2))
    border = {"edge": "clamp", "reflect": "reflect", "wrap": "wrap"}.get(node.attribute("mode", "constant"), "drop")
    changes = {
        axis: AxisRead(axis, Pull(((-int(pads[place]),),), 1, border))
        for place, axis in enumerate(where)
        if pads[place] or pads[place + len(where)]
    }
    return _replaced(call, changes)


def concat(call: Call) -> Reads:
    """Concat: operands lie one behind the other along its axis; a bound along it, for a position reads one of them."""
    axis = call.axis(0)
    # The same value may be joined with itself: `operand` says which of its places is meant.
    sizes = [call.sizes.size(value, axis) for value in call.node.inputs[: call.operand]]
    if any(size is None for size in sizes):
        return _replaced(call, {axis: GONE})
    shift = sum(size for size in sizes if size is not None)
    return _replaced(call, {axis: AxisRead(axis, Pull(((-shift,),), 1), loose=True)})


def quantised_concat(call: Call) -> Reads:
    """QLinearConcat: operands come with their scales; along the axis no position is followed."""
    return _replaced(call, {call.axis(0): GONE})


def split(call: Call) -> Reads:
    """Split: each output is a piece of the operand along its axis."""
    if call.operand:
        return NOTHING
    axis = call.axis(0)
    sizes = [call.sizes.size(value, axis) for value in call.node.outputs[: call.output]]
    if any(size is None for size in sizes):
        return _replaced(call, {axis: GONE})
    start = sum(size for size in sizes if size is not None)
    return _replaced(call, {axis: AxisRead(axis, Pull(((start,),), 1))} if start else {})


def gather(call: Call) -> Reads:
    """Gather: constant indices pick from an axis; looked-up indices are read one by one."""
    axis, sizes = int(call.node.attribute("axis", 0)), call.sizes
    if call.operand:
        table = sizes.rank(call.node.inputs[0], 1)
        shift = axis % table
        return Reads(tuple(AxisRead(shift + place) for place in range(call.rank)), call.rank + table - 1)
    axis %= call.rank
    width = sizes.rank(call.node.inputs[1], call.result_rank - call.rank + 1)
    indices = sizes.numbers(call.node, 1)
    kept = AxisRead(None, loose=True)  # one index or an unknown choice: less than the whole axis is read
    if width == 1 and indices is not None and len(indices) <= _MOST_PHASES:
        size = sizes.size(call.source, axis)
        if size is not None or all(index >= 0 for index in indices):
            kept = AxisRead(axis, _picked(tuple(int(index) % size if size else int(index) for index in indices)))
    shifted = (kept if a == axis else AxisRead(a if a < axis else a + width - 1) for a in range(call.rank))
    return Reads(tuple(shifted), call.rank + width - 1)


def _picked(indices: tuple[int, ...]) -> Pull:
    return Pull(tuple((index,) for index in indices), 0)


def expand(call: Call) -> Reads:
    """Expand: broadcasting to a shape."""
    return NOTHING if call.operand else pointwise(call)


def tile(call: Call) -> Reads:
    """Tile: an axis that is repeated is followed by its remainder."""
    if call.operand:
        return NOTHING
    repeats = call.sizes.numbers(call.node, 1)
    changes = {}
    for axis in range(call.rank):
        if repeats is None or repeats[axis] != 1:
            size = call.sizes.size(call.source, axis)
            followed = size is not None and 0 < size <= _MOST_PHASES
            changes[axis] = AxisRead(axis, _picked(tuple(range(size or 0)))) if followed else GONE
    return _replaced(call, changes)


def space_to_depth(call: Call) -> Reads:
    """SpaceToDepth: a block of pixels becomes the channels of one."""
    block = int(call.node.attribute("blocksize"))
    read = Pull((range(block),), block)
    return _replaced(call, {1: GONE, 2: AxisRead(2, read), 3: AxisRead(3, read)}, spatial=True)


def depth_to_space(call: Call) -> Reads | None:
    """DepthToSpace: the channels of one pixel become a block."""
    block = int(call.node.attribute("blocksize"))
    if block > _MOST_PHASES:
        return None
    read = Pull(((0,),) * block, 1)
    return _replaced(call, {1: GONE, 2: AxisRead(2, read), 3: AxisRead(3, read)}, spatial=True)


def matmul(call: Call) -> Reads:
    """MatMul: the rows of the left and the columns of the right are followed, what is summed over is gone.

    Between two computed values (attention) the right one is read wholly, along with the rows of the left.
    """
    node, rank = call.node, call.result_rank
    right_place = 3 if node.op == "QLinearMatMul" else 1
    if call.operand not in (0, right_place):
        return everything(call)
    if call.operand == 0:
        return Reads((*(AxisRead(axis + rank - call.rank) for axis in range(call.rank - 1)), GONE), rank)
    if not call.sizes.graph.is_constant(node.inputs[0]) or call.rank < 2:
        return everything(call)
    leading = (AxisRead(axis + rank - call.rank) for axis in range(call.rank - 2))
    return Reads((*leading, GONE, AxisRead(rank - 1)), rank)


def gemm(call: Call) -> Reads:
    """Gemm: as MatMul, with either side transposed."""
    if call.operand == 2:
        return pointwise(call)
    if call.operand > 2 or call.rank != 2:
        return everything(call)
    kept, turned = (0, "transA") if call.operand == 0 else (1, "transB")
    axes = [AxisRead(kept), GONE] if kept == 0 else [GONE, AxisRead(kept)]
    return Reads(tuple(reversed(axes) if call.node.attribute(turned, 0) else axes), 2)


def attention(call: Call) -> Reads:
    """Attention: the query's rows are followed, and everything is read besides."""
    if call.operand or call.output:
        return everything(call)
    return _also_whole(call, range(call.rank))


def resize(call: Call) -> Reads | None:
    """Resize and Upsample, by the coordinates of the operator's definition (ONNX, Resize)."""
    node = call.node
    if call.operand:
        return NOTHING
    listed = call.sizes.numbers(node, 4)
    axes = node.attribute("axes") or tuple(range(call.rank))
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch" and listed != ():
        return None
    scales = call.sizes.numbers(node, 1 if node.op == "Upsample" or len(node.inputs) == 2 else 2, "scales")
    changes = {}
    for place, axis in enumerate(int(axis) % call.rank for axis in axes):
        size, wanted = call.sizes.size(call.source, axis), call.sizes.size(call.result, axis)
        if scales:
            # The numbers are float32: 1/3 has to be seen as a third, or the pattern would never repeat.
            scale = Fraction(float(scales[place])).limit_denominator(1 << 12)
        elif size and wanted:
            scale = Fraction(wanted, size)
        else:
            return None
        if scale == 1 and size == wanted:
            continue
        pull = _resized(node, scale, size, wanted)
        if pull is None:
            return None
        changes[axis] = AxisRead(axis, pull, loose=bool(node.attribute("antialias", 0)) and scale < 1)
    return _replaced(call, changes)


def _resized(node: Node, scale: Fraction, size: int | None, wanted: int | None) -> Pull | None:
    """Give the rule of one axis: output i lies at `i / scale + shift` of the input."""
    upsample = node.op == "Upsample" or len(node.inputs) == 2
    mode = node.attribute("coordinate_transformation_mode", "asymmetric" if upsample else "half_pixel")
    if scale <= 0:
        return None
    pace, shift = 1 / scale, Fraction(0)
    if mode in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        shift = pace / 2 - Fraction(1, 2)
        if mode == "half_pixel_symmetric" and size and wanted:
            shift += Fraction(size, 2) * (1 - wanted / (scale * size))
        if mode == "pytorch_half_pixel" and wanted == 1:
            pace, shift = Fraction(0), Fraction(0)
    elif mode == "tf_half_pixel_for_nn":
        shift = pace / 2
    elif mode == "align_corners":
        if not size or not wanted:
            return None
        pace = Fraction(size - 1, wanted - 1) if wanted > 1 else Fraction(0)
    elif mode != "asymmetric":
        return None
    if pace.denominator > _MOST_PHASES:
        return None
    taps = _interpolation(node, max(pace, Fraction(1)))
    phases = range(pace.denominator)
    return None if taps is None else Pull(tuple(taps(pace * r + shift) for r in phases), pace.numerator, "clamp")


def _interpolation(node: Node, width: Fraction) -> Callable[[Fraction], Sequence[int]] | None:
    """Return which whole positions have a weight at a coordinate; `width` is the kernel's with antialiasing."""
    mode = node.attribute("mode", "nearest")
    half = Fraction(1, 2)
    if mode == "nearest":
        floor = node.op == "Upsample" or len(node.inputs) == 2
        return {
            "round_prefer_floor": lambda x: (-((half - x) // 1),),
            "round_prefer_ceil": lambda x: ((x + half) // 1,),
            "floor": lambda x: (x // 1,),
            "ceil": lambda x: (-(-x // 1),),
        }.get(node.attribute("nearest_mode", "floor" if floor else "round_prefer_floor"))
    reach = {"linear": 1, "cubic": 2}.get(mode)
    if reach is None:
        return None
    if node.attribute("antialias", 0):
        return lambda x: range(-((reach * width - x) // 1), (x + reach * width) // 1 + 1)
    # On a whole position the kernels of both are 1 there and 0 at every other.
    return lambda x: (int(x),) if x.denominator == 1 else range(x // 1 - reach + 1, x // 1 + reach + 1)


_POINTWISE = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BatchNormalization BiasGelu BitShift BitwiseAnd BitwiseNot BitwiseOr
    BitwiseXor Cast CastLike Ceil Celu Clip Cos Cosh DequantizeLinear Div Dropout Elu Equal Erf Exp FastGelu Floor Gelu
    Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish
    Mod Mul Neg Not Or PRelu Pow QLinearAdd QLinearLeakyRelu QLinearMul QLinearSigmoid QuantizeLinear QuickGelu
    Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh
    ThresholdedRelu Where Xor
""".split()
_WINDOWS = "AveragePool Conv ConvInteger FusedConv LpPool MaxPool QLinearAveragePool QLinearConv".split()
_REDUCTIONS = """
    ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare
""".split()
_WHOLE = "DFT Det Einsum GRU LSTM MelWeightMatrix NonZero RNN STFT".split()

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_POINTWISE, pointwise),
    **dict.fromkeys(_WINDOWS, window),
    **dict.fromkeys(_REDUCTIONS, reduced),
    **dict.fromkeys(_WHOLE, everything),
    **dict.fromkeys(("Shape", "Size", "ConstantOfShape", "EyeLike", "RandomNormalLike", "RandomUniformLike"), nothing),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"), over_space),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "CumSum"), along_axis),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"), last_axes),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), space_normalised),
    **dict.fromkeys(("MatMul", "QLinearMatMul", "MatMulInteger", "MatMulNBits", "FusedMatMul"), matmul),
    **dict.fromkeys(("Attention", "MultiHeadAttention"), attention),
    **dict.fromkeys(("Resize", "Upsample"), resize),
    "Concat": concat,
    "ConvTranspose": transposed_window,
    "DepthToSpace": depth_to_space,
    "DynamicQuantizeLinear": dynamic_scale,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Gemm": gemm,
    "LRN": across_channels,
    "MeanVarianceNormalization": mean_variance,
    "Pad": pad,
    "QLinearConcat": quantised_concat,
    "Reshape": reshape,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "TopK": selected_line,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
"""Operator -> rule, for ONNX's own domain and onnxruntime's. An operator that is not here is unknown, never guessed."""
