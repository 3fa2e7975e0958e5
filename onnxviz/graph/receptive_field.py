"""Receptive fields: which window of the input a position of a value sees, as on an input without borders.

Terms and conventions are those of Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural
Networks (Distill 2019, doi 10.23915/distill.00021): position i along an axis sees the `size` input pixels from
`start + i * stride` on, and `start` is minus their effective padding. What exactly one position sees, borders and
holes included, is region.py's to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from onnxviz.graph.graph import Graph, Node
from onnxviz.graph.reads import NOTHING, Call, Pull, Reads, Sizes, reads
from onnxviz.layout import TensorSpec

_FAR = 1 << 60
_MOST_POSITIONS = 1 << 10


class Status(str, Enum):
    """How far a receptive field or region can be trusted.

    EXACT: away from the borders every position sees a window of exactly this size.
    UPPER_BOUND: no position sees more; some see less (upsampling, or padding that depends on an unknown size).
    WHOLE_INPUT: there is no local window, every position is taken to see all of the input.
    UNKNOWN: an operator on the way is not understood.
    """

    EXACT = "exact"
    UPPER_BOUND = "upper bound"
    WHOLE_INPUT = "whole input"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The window that a position sees, in input pixels, an entry for each axis of space: (y, x) for pictures.

    Attributes:
        size: From the first to the last pixel seen, what dilation leaves out between them included; the largest
            where positions differ. None if there is no local window or it is not known.
        stride: How far the window moves from one position to the next; a fraction after upsampling, 0 where the
            positions of that axis see all the same.
        start: Where the window of position 0 begins, before the input where it is negative. With a stride that is
            a fraction no window begins before `start + position * stride`.
        status: How far these can be trusted.
        reaches_whole: The whole input matters too, by a global pooling, a gate, a normalisation or attention.
        input: The graph's input that is meant.
    """

    size: tuple[int, ...] | None
    stride: tuple[int | Fraction, ...] | None
    start: tuple[int | Fraction, ...] | None
    status: Status
    reaches_whole: bool
    input: str


@dataclass(frozen=True, slots=True)
class Window:
    """First and last input pixel seen by each position along one axis.

    Periodic: position `q * len(lows) + r` sees from `lows[r] + q * step` to `highs[r] + q * step`, nothing where
    the low is above the high.
    """

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    step: int

    @property
    def stride(self) -> int | Fraction:
        """How far the window moves from one position to the next, on average."""
        return _whole(Fraction(self.step, len(self.lows)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The extent at each position of a period; 0 where nothing is seen."""
        return tuple(max(high - low + 1, 0) for low, high in zip(self.lows, self.highs, strict=True))

    @property
    def start(self) -> int | Fraction:
        """The latest start such that no window begins before `start + position * stride`."""
        stride = Fraction(self.step, len(self.lows))
        seen = (low - r * stride for r, low in enumerate(self.lows) if low <= self.highs[r])
        return _whole(min(seen, default=Fraction(0)))


@dataclass(frozen=True, slots=True)
class Trace:
    """How a value depends on one input: for each axis of the input, where it lies in the value and its window.

    Attributes:
        source: The place of the input among the graph's inputs.
        rank: The number of axes of the value.
        places: For each axis of the input the value's axis along which its positions lie, None where they are gone.
        windows: For each axis of the input its window, None where its positions are gone.
        whole: Axes of the input, as bits, of which all is read, whatever the position.
        loose: Axes of the input, as bits, whose window is a bound.
        unknown: An operator on the way is not understood.
    """

    source: int
    rank: int
    places: tuple[int | None, ...]
    windows: tuple[Window | None, ...]
    whole: int = 0
    loose: int = 0
    unknown: bool = False

    @property
    def is_local(self) -> bool:
        """Some positions of the input can still be told apart."""
        return any(place for place in self.places)


@dataclass(frozen=True, slots=True)
class Traces:
    """The dependence of every value on an input, and which axes of the inputs are space."""

    of: Mapping[str, Trace]
    space: Mapping[int, tuple[int, ...]]


def receptive_fields(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, ReceptiveField]:
    """Return the receptive field of every value that depends on an input with axes of space.

    A value that depends on several inputs is given the field on the first of them that it sees locally.
    """
    traces = trace(graph, types)
    sizes = Sizes(graph, types)
    fields: dict[str, ReceptiveField] = {}
    for value, found in traces.of.items():
        space = traces.space.get(found.source)
        if space:
            fields[value] = _field(found, space, graph.inputs[found.source].name, sizes)
    return fields


def trace(graph: Graph, types: Mapping[str, TensorSpec]) -> Traces:
    """Follow every input through the graph.

    Axes of an input are space if a convolution or pooling slides over them, wherever a Transpose has put them; in a
    graph without such operators, the axes from the third on of inputs with four or more.
    """
    sizes = Sizes(graph, types)
    of: dict[str, Trace] = {}
    slid: dict[int, set[int]] = {}
    for index, spec in enumerate(graph.inputs):
        shape = sizes.shape(spec.name)
        if shape:
            rank = len(shape)
            of[spec.name] = Trace(index, rank, tuple(range(rank)), (Window((0,), (0,), 1),) * rank)
    for node in graph.nodes:
        operands = [(place, of[value]) for place, value in enumerate(node.inputs) if value in of]
        if operands or any(value in of for value in node.captured):
            _follow(node, operands, of, slid, sizes)
    if not slid:
        ranks = {of[spec.name].source: of[spec.name].rank for spec in graph.inputs if spec.name in of}
        slid = {source: set(range(2, rank)) for source, rank in ranks.items() if rank >= 4}
    return Traces(of, {source: tuple(sorted(axes)) for source, axes in slid.items()})


def _follow(
    node: Node,
    operands: Sequence[tuple[int, Trace]],
    of: dict[str, Trace],
    slid: dict[int, set[int]],
    sizes: Sizes,
) -> None:
    """Find the traces of a node's outputs from those of its operands."""
    captured = [of[value] for value in node.captured if value in of]
    for output, value in enumerate(node.outputs):
        if not value:
            continue
        parts: list[Trace] = [_lost(found, sizes.rank(value, found.rank)) for found in captured]
        for place, found in operands:
            rule = reads(Call(node, place, found.rank, output, sizes))
            if rule is NOTHING:
                continue
            if rule is None or len(rule.axes) != found.rank:
                parts.append(_lost(found, sizes.rank(value, found.rank)))
                continue
            if rule.spatial:
                slid.setdefault(found.source, set()).update(
                    axis for axis, at in enumerate(found.places) if at is not None and at >= 2
                )
            parts.append(_through(found, rule))
        if parts:
            of[value] = parts[0] if len(parts) == 1 else _joined(parts)


def _lost(found: Trace, rank: int) -> Trace:
    """What is left after an operator that is not understood."""
    count = len(found.places)
    return Trace(found.source, rank, (None,) * count, (None,) * count, (1 << count) - 1, found.loose, unknown=True)


def _through(found: Trace, rule: Reads) -> Trace:
    """Follow a trace through one operator."""
    places: list[int | None] = list(found.places)
    windows = list(found.windows)
    whole, loose, unknown = found.whole, found.loose, found.unknown
    for axis, place in enumerate(found.places):
        if place is None:
            continue
        read = rule.axes[place]
        window = windows[axis]
        if read.pull is not None and window is not None:
            window = pulled(window, read.pull)
            unknown = unknown or window is None
        if read.out is None or window is None:
            places[axis], windows[axis] = None, None
        else:
            places[axis], windows[axis] = read.out, window
        if read.out is None or read.whole or window is None:
            whole |= 1 << axis
        if read.loose or read.inner:
            loose |= 1 << axis
    return Trace(found.source, rule.rank, tuple(places), tuple(windows), whole, loose, unknown)


def _joined(parts: Sequence[Trace]) -> Trace:
    """Join what meets in a node: of several inputs, the first that is seen locally; of its windows, their hull."""
    source = min(parts, key=lambda part: (not part.is_local, part.source)).source
    parts = [part for part in parts if part.source == source]
    first = parts[0]
    if all(part is first or part == first for part in parts):
        return first
    places: list[int | None] = []
    windows: list[Window | None] = []
    whole, loose, unknown = 0, 0, False
    for part in parts:
        whole, loose, unknown = whole | part.whole, loose | part.loose, unknown or part.unknown
    for axis in range(len(first.places)):
        local = [part for part in parts if part.places[axis] is not None]
        place = local[0].places[axis] if local else None
        window = hull(part.windows[axis] for part in local)
        if len({part.places[axis] for part in local}) > 1 or window is None:
            # Paths that move at different paces, or along different axes, have no common window.
            unknown = unknown or len(local) > 1
            place, window, whole = None, None, whole | 1 << axis
        places.append(place)
        windows.append(window)
    return Trace(source, max(part.rank for part in parts), tuple(places), tuple(windows), whole, loose, unknown)


def pulled(window: Window, pull: Pull) -> Window | None:
    """Return the window seen through an operator, None where its pattern is too long to follow.

    >>> pulled(Window((0,), (0,), 1), Pull((range(-1, 2),), 2))
    Window(lows=(-1,), highs=(1,), step=2)
    """
    lows, highs, step, period = window.lows, window.highs, window.step, len(window.lows)
    if period == 1 and len(pull.offsets) == 1 and step >= 0:
        taps = pull.offsets[0]
        return Window((lows[0] + taps[0] * step,), (highs[0] + taps[-1] * step,), step * pull.step)
    turns = period // math.gcd(period, pull.step)
    if turns * len(pull.offsets) > _MOST_POSITIONS:
        return None
    new_lows, new_highs = [], []
    for turn in range(turns):
        for taps in pull.offsets:
            low, high = _FAR, -_FAR
            for tap in taps:
                quotient, rest = divmod(turn * pull.step + tap, period)
                if lows[rest] <= highs[rest]:
                    low = min(low, lows[rest] + quotient * step)
                    high = max(high, highs[rest] + quotient * step)
            new_lows.append(low)
            new_highs.append(high)
    return _shortened(Window(tuple(new_lows), tuple(new_highs), turns * pull.step * step // period))


def hull(windows: Iterable[Window | None]) -> Window | None:
    """Return the smallest window that holds all of these; None where they move at different paces."""
    result: Window | None = None
    for window in windows:
        if window is None or (result is not None and result.stride != window.stride):
            return None
        result = window if result is None or result == window else _hull(result, window)
        if result is None:
            return None
    return result


def _hull(one: Window, other: Window) -> Window | None:
    period = math.lcm(len(one.lows), len(other.lows))
    if period > _MOST_POSITIONS:
        return None
    one, other = _repeated(one, period), _repeated(other, period)
    lows = tuple(map(min, one.lows, other.lows))
    highs = tuple(map(max, one.highs, other.highs))
    return _shortened(Window(lows, highs, one.step))


def _repeated(window: Window, period: int) -> Window:
    """Write a window with a longer period."""
    times = period // len(window.lows)
    if times == 1:
        return window
    shifts = [turn * window.step for turn in range(times)]
    seen = [low <= high for low, high in zip(window.lows, window.highs, strict=True)]
    lows = tuple(low + shift if some else _FAR for shift in shifts for low, some in zip(window.lows, seen, strict=True))
    highs = tuple(
        high + shift if some else -_FAR for shift in shifts for high, some in zip(window.highs, seen, strict=True)
    )
    return Window(lows, highs, window.step * times)


def _shortened(window: Window) -> Window:
    """Write a window with its shortest period."""
    period = len(window.lows)
    for shorter in range(1, period):
        if period % shorter == 0 and window.step * shorter % period == 0:
            step = window.step * shorter // period
            short = Window(window.lows[:shorter], window.highs[:shorter], step)
            if _repeated(short, period) == window:
                return short
    return window


def _field(found: Trace, space: tuple[int, ...], name: str, sizes: Sizes) -> ReceptiveField:
    """Put a trace into the words of a user."""
    reaches = any(found.whole >> axis & 1 for axis in space)
    if found.unknown:
        return ReceptiveField(None, None, None, Status.UNKNOWN, reaches, name)
    local = [found.windows[axis] for axis in space]
    if not any(local):
        return ReceptiveField(None, None, None, Status.WHOLE_INPUT, True, name)
    windows: list[Window] = []
    for axis, window in zip(space, local, strict=True):
        extent = sizes.size(name, axis)
        if window is None and extent is None:
            return ReceptiveField(None, None, None, Status.WHOLE_INPUT, True, name)
        windows.append(window or Window((0,), ((extent or 1) - 1,), 0))
    even = all(len(set(window.sizes)) == 1 for window in windows)
    exact = even and not any(found.loose >> axis & 1 for axis in space)
    return ReceptiveField(
        size=tuple(max(window.sizes) for window in windows),
        stride=tuple(window.stride for window in windows),
        start=tuple(window.start for window in windows),
        status=Status.EXACT if exact else Status.UPPER_BOUND,
        reaches_whole=reaches,
        input=name,
    )


def _whole(number: Fraction) -> int | Fraction:
    return number.numerator if number.denominator == 1 else number
