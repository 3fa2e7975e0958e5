"""The methods of `explain` by their names: what each makes, how that is drawn, and what it can and cannot say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from onnxviz.errors import UnsupportedError, UsageError
from onnxviz.explaining import covering, input_gradients
from onnxviz.explaining.attention_rollout import attention_rollout
from onnxviz.explaining.class_activation import CLASS_ACTIVATION
from onnxviz.explaining.map_layers import MapLayer, values_between
from onnxviz.explaining.method_work import Explaining, Heat, Settings
from onnxviz.explaining.target import Target
from onnxviz.gradient.overlays import DECONVNET, GUIDED
from onnxviz.words import listed, near, quoted


@dataclass(frozen=True, slots=True)
class Method:
    """A way to explain.

    Attributes:
        make: returns for each target of some work what it makes.
        look: how it is drawn: `heat` over the picture, `signed` over it, `magnitude` or `signed alone` by themselves,
            or `colours` about grey.
        says: what it can and cannot say, in words.
    """

    make: Callable[[Explaining], list[Heat]]
    look: str
    says: str


def _class_activation(name: str, work: Explaining) -> list[Heat]:
    return [_activation_map(name, work, target) for target in work.targets]


def _activation_map(name: str, work: Explaining, target: Target) -> Heat:
    layer = map_layer(name, work, target)
    maps, gradient = work.layer_maps(target, layer)
    if name != "eigencam" and not gradient.any():
        raise UnsupportedError(f"the gradient of {target.name} at {layer.name} is 0 everywhere: name another --layers")
    heat = CLASS_ACTIVATION[name](maps, gradient)
    if not heat.any():
        raise UnsupportedError(f"no map of {layer.name} raises {target.name}: name another layer, --layers")
    return Heat(heat, {"cells": f"{layer.size[0]} x {layer.size[1]}"}, layer.name)


def map_layer(name: str, work: Explaining, target: Target) -> MapLayer:
    """Return the layer that is asked for, else the last whose places matter; of `layercam` a larger one."""
    if work.options.layers is not None:
        return work.map_layers.named(work.options.layers, target.value)
    last = work.map_layers.last(target.value)
    if name == "eigencam":
        return last
    last = work.reached(target, last)
    return work.reached(target, work.map_layers.larger(target.value, last)) if name == "layercam" else last


def _gradient(work: Explaining) -> list[Heat]:
    found = input_gradients.gradient(work.network, work.targets)
    return [Heat(np.abs(work.pixels(one)).max(-1)) for one in found]


def _times_input(work: Explaining) -> list[Heat]:
    found = input_gradients.gradient(work.network, work.targets)
    return [Heat(work.pixels(one * work.network.array[0]).sum(-1)) for one in found]


def _modified(name: str, work: Explaining) -> list[Heat]:
    if name == "deconvnet":
        _check_switches(work)
    rules = GUIDED if name == "guided" else DECONVNET
    return [Heat(work.pixels(one)) for one in input_gradients.gradient(work.network, work.targets, rules, name)]


def _check_switches(work: Explaining) -> None:
    """Refuse a deconvnet without max pools: only their switches tell it where in the picture something was.

    Raises:
        UnsupportedError: There is none on the way.
    """
    graph = work.network.model.graph
    for target in work.targets:
        values = values_between(graph, work.network.input, target.value)
        if not any(node.op == "MaxPool" and node.outputs[0] in values for node in graph.nodes):
            raise UnsupportedError(
                f"a deconvnet says nothing here: no max pool lies between {quoted(work.network.input)} and "
                f"{target.name}, and only its switches tie the projection to the picture; take guided"
            )


def _smoothgrad(work: Explaining) -> list[Heat]:
    options = work.options
    settings: Settings = {"samples": options.samples, "noise": options.noise, "seed": options.seed}
    made = input_gradients.smoothgrad(work.network, work.targets, options.samples, options.noise, options.seed)
    found = (work.pixels(one).astype(np.float64) for one in made)
    return [Heat(np.sqrt((one**2).sum(-1)).astype(np.float32), settings) for one in found]


def _integrated(work: Explaining) -> list[Heat]:
    found = input_gradients.integrated_gradients(work.network, work.targets, work.axes, work.options.gap)
    return [Heat(work.pixels(one.array).sum(-1), {"steps": one.steps, "gap": one.gap}) for one in found]


def _occlusion(work: Explaining) -> list[Heat]:
    sides = [work.network.array.shape[axis] for axis in work.axes]
    patch = work.options.patch or max(1, round(min(sides) / 3))
    stride = max(1, patch // 4)
    watched = [target.watched for target in work.targets]
    found = covering.occlusion(work.network, watched, work.axes, patch, stride)
    return [Heat(one, {"patch": patch, "stride": stride, "fill": "mean"}) for one in found]


def _rise(work: Explaining) -> list[Heat]:
    options, watched = work.options, [target.watched for target in work.targets]
    found = covering.rise(work.network, watched, work.axes, options.masks, options.seed)
    return [Heat(one, {"masks": options.masks, "seed": options.seed, "fill": "mean"}) for one in found]


def _rollout(work: Explaining) -> list[Heat]:
    heat, layer = attention_rollout(work.network, work.options.run)
    return [Heat(heat, {"cells": f"{heat.shape[0]} x {heat.shape[1]}"}, layer) for _ in work.targets]


_WHERE = "bright: parts whose maps raise the target"
METHODS: Mapping[str, Method] = {
    "gradient": Method(
        _gradient, "magnitude", "where a small change of a pixel changes the target most; noisy by nature"
    ),
    "gradient-input": Method(
        _times_input, "signed alone", "gradient times pixel: what a linear model would add up; noisy"
    ),
    "smoothgrad": Method(
        _smoothgrad, "magnitude", "the gradient's size under noise: which pixels matter nearby, not how"
    ),
    "integrated": Method(
        _integrated, "signed alone", "shares of the target between grey and the picture; they add up to it"
    ),
    "guided": Method(
        partial(_modified, "guided"), "colours", "edges that the units on the way respond to; weakly of the class"
    ),
    "deconvnet": Method(
        partial(_modified, "deconvnet"), "colours", "what the max pools' switches put back; hardly of the class"
    ),
    "gradcam": Method(partial(_class_activation, "gradcam"), "heat", f"{_WHERE}; good to about a quarter of a cell"),
    "gradcam++": Method(partial(_class_activation, "gradcam++"), "heat", f"{_WHERE}; small parts count more"),
    "xgradcam": Method(partial(_class_activation, "xgradcam"), "heat", f"{_WHERE}; weights by share"),
    "hirescam": Method(partial(_class_activation, "hirescam"), "heat", f"{_WHERE}; place by place"),
    "layercam": Method(partial(_class_activation, "layercam"), "heat", "places that raise the target, on finer maps"),
    "eigencam": Method(
        partial(_class_activation, "eigencam"), "heat", "what the maps have in common; knows of no class"
    ),
    "occlusion": Method(
        _occlusion, "signed", "red: a grey square there lowers the answer; blue: it raises it; depends on the square"
    ),
    "rollout": Method(
        _rollout, "heat", "what the class token takes from each place, layer by layer; knows of no class"
    ),
    "rise": Method(_rise, "heat", "what random masks kept when the answer was strong; depends on the masks"),
}
"""Each method that `explain` knows, by its name."""


def check_methods(names: Sequence[str]) -> None:
    """Refuse a method that is not known.

    Raises:
        UsageError: There is one, or no method is named.
    """
    if not names:
        raise UsageError(f"name a method: {listed(METHODS)}")
    for name in names:
        if name not in METHODS:
            raise UsageError(f"no method {name!r}{near(name, METHODS)}: {', '.join(METHODS)}")
