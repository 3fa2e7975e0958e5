"""A run of which only statistics of channels are handed out: max, first place and mean of each, one number apiece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onnxviz.activations import Activation
from onnxviz.feed.feed import Feed
from onnxviz.graph.attach import Attached, Bound, ChannelReduction, MapShape, ReducedOutputs, attach, before_bound
from onnxviz.graph.graph import Graph
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.inference import Inference
from onnxviz.inference.refusals import LeftOut, refusal
from onnxviz.inference.run_plan import skeleton_of
from onnxviz.layout import TensorSpec, TokenGrid
from onnxviz.runtime.executor import Executor, Piece


@dataclass(frozen=True, slots=True)
class ReducedLayer:
    """A layer whose channels are reduced.

    Attributes:
        choice: what was chosen.
        shape: which of its axes is what, with its sizes for what is fed.
        bound: what is ranked in its place, where a bounded nonlinearity made it; else None.
        outputs: what to fetch.
        tokens: where its tokens lie in the picture.
        dtype: its own in the model.
    """

    choice: Choice
    shape: MapShape
    bound: Bound | None
    outputs: ReducedOutputs
    tokens: TokenGrid | None
    dtype: str

    @property
    def channels(self) -> int:
        """How many channels it has."""
        return self.shape.channels or 0


@dataclass(frozen=True, slots=True)
class ReducedRun:
    """The piece of graph to run, and what is fetched from it; the rest is what it was made of."""

    piece: Piece
    layers: tuple[ReducedLayer, ...]
    graph: Graph
    reductions: tuple[ChannelReduction, ...]
    types: Mapping[str, TensorSpec]

    def with_maps(self, places: Sequence[int]) -> ReducedRun:
        """Return the run that hands out the maps of these layers as well, of which all else is computed alike."""
        attached = attach(self.graph, self.reductions, self.types, places)
        pairs = zip(self.layers, attached.outputs, strict=True)
        layers = [replace(layer, outputs=outputs) for layer, outputs in pairs]
        return replace(self, piece=_piece(attached), layers=tuple(layers))


def reduced_run(
    inference: Inference, choices: Sequence[Choice], fed: Feed, executor: Executor, left_out: LeftOut
) -> ReducedRun:
    """Return the run that reduces what is chosen, for feeds of these sizes; the model is run once for the layouts.

    What has no channels, or lies in a Loop, is `left_out`.

    Raises:
        UnsupportedError: Nothing is left.
    """
    found = looked_at(inference, choices, fed, executor, left_out)
    graph, types = inference.fetchable([choice.value for choice, _, _ in found], fed, executor)
    bounds = [before_bound(graph, choice.value) for choice, _, _ in found]
    bounds = [bound if bound is not None and bound.before in graph.producers else None for bound in bounds]
    reductions = [
        ChannelReduction(choice.value, choice.value if bound is None else bound.before, shape)
        for (choice, _, shape), bound in zip(found, bounds, strict=True)
    ]
    attached = attach(graph, reductions, types)
    layers = tuple(
        ReducedLayer(choice, shape, bound, outputs, activation.tokens, activation.dtype)
        for (choice, activation, shape), bound, outputs in zip(found, bounds, attached.outputs, strict=True)
    )
    return ReducedRun(_piece(attached), layers, graph, tuple(reductions), types)


def _piece(attached: Attached) -> Piece:
    names = tuple(name for each in attached.outputs for name in each.names)
    return Piece(skeleton_of(attached.graph), tuple(spec.name for spec in attached.graph.inputs), names)


def looked_at(
    inference: Inference,
    choices: Sequence[Choice],
    fed: Feed,
    executor: Executor,
    left_out: LeftOut,
    *,
    channels: bool = True,
) -> list[tuple[Choice, Activation, MapShape]]:
    """Run the model once, and return what came out of each choice, without its numbers, with its axes and sizes.

    What lies in a Loop, and with `channels` what has none, is `left_out`.

    Raises:
        UnsupportedError: Nothing is left.
    """
    wanted = {choice.value: choice for choice in choices}
    found: list[tuple[Choice, Activation, MapShape]] = []
    reason = ""
    for activation in inference.stream(choices, fed, executor, left_out):
        choice = wanted[activation.value]
        reason = _reason_against(activation, inference, channels=channels)
        if reason:
            left_out(choice, reason)
        else:
            shape = MapShape(activation.layout or "", tuple(activation.array.shape))
            found.append((choice, _without_array(activation), shape))
    if not found:
        raise refusal(choices[0], reason or "it did not come out", another_may=False)
    return found


def _reason_against(activation: Activation, inference: Inference, *, channels: bool) -> str:
    if activation.steps is not None:
        return "it lies in a Loop or Scan, whose steps have no statistics yet"
    if activation.value not in inference.graph.producers and activation.value in {s.name for s in inference.inputs()}:
        return "it is an input"
    if activation.array.dtype.kind not in "fiub":
        return "it does not hold numbers"
    if not activation.array.size:
        return "it is empty"
    return "which of its axes are channels is not known" if channels and "C" not in (activation.layout or "") else ""


def _without_array(activation: Activation) -> Activation:
    """Return an activation without its numbers, of which those of all layers would not fit into memory."""
    return replace(activation, array=activation.array[:0])
