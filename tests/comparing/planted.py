"""One thing made wrong on purpose in one convolution of a model: what quantisers, converters and exporters get wrong.

Each fault changes a copy of a model, in place, at one Conv; FAULTS names them all, with what a comparison should say of
the layer (a word of its cause, empty where none is demanded) and where it can be planted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper


@dataclass(frozen=True)
class Fault:
    """A fault: how it is planted, with which strength; `quantised` ones need a QDQ model, others take any."""

    name: str
    plant: Callable[[ModelProto, NodeProto, float], None]
    strength: float
    word: str
    quantised: bool


def convolutions(model: ModelProto) -> list[NodeProto]:
    """Return the convolutions with constant weights."""
    return [node for node in model.graph.node if node.op_type == "Conv" and _weight(model, node) is not None]


def can_be_planted(fault: Fault, model: ModelProto, node: NodeProto) -> bool:
    """Return whether a fault changes anything at a convolution."""
    weight = _weight(model, node)
    if weight is None:
        return False
    shape = array(model, weight).shape
    if fault.plant is pads:
        return any(_pads(node))
    if fault.plant is flip:
        return max(shape[2:]) > 1
    if fault.plant is epsilon:
        return bool(_norms(model, node))
    if fault.plant is lose_nonlinearity:
        return bool(_clips(model, node))
    if fault.plant in (scale_bias, shift_bias) and len(node.input) < 3:
        return False
    if fault.plant in (roll_scales, one_scale):
        name = _scale_of(model, node.input[1])
        return bool(name) and array(model, name).size > 1
    if fault.plant in (output_scale, zero_point):
        return _output_quantiser(model, node) is not None
    if fault.plant is swap_channels:  # of a depthwise convolution each kernel would get another channel to read
        return shape[0] > 3 and shape[1] > 1
    return True


def output_scale(model: ModelProto, node: NodeProto, by: float) -> None:
    quantiser = _output_quantiser(model, node)
    assert quantiser is not None
    _own_copy(model, quantiser, 1, lambda values: values * by)


def zero_point(model: ModelProto, node: NodeProto, by: float) -> None:
    quantiser = _output_quantiser(model, node)
    assert quantiser is not None
    _own_copy(model, quantiser, 2, lambda values: np.clip(values.astype(int) + int(by), 0, 255))


def weight_scale(model: ModelProto, node: NodeProto, by: float) -> None:
    name = _scale_of(model, node.input[1]) or node.input[1]
    put(model, name, array(model, name) * by)


def roll_scales(model: ModelProto, node: NodeProto, by: float) -> None:
    name = _scale_of(model, node.input[1])
    put(model, name, np.roll(array(model, name), int(by)))


def one_scale(model: ModelProto, node: NodeProto, by: float) -> None:
    name = _scale_of(model, node.input[1])
    values = array(model, name)
    put(model, name, np.full_like(values, values.mean()))


def scale_bias(model: ModelProto, node: NodeProto, by: float) -> None:
    name = _stored(model, node.input[2])
    put(model, name, array(model, name) * by)


def shift_bias(model: ModelProto, node: NodeProto, by: float) -> None:
    name = _stored(model, node.input[2])
    values = array(model, name)
    put(model, name, values + by * np.abs(values.astype(float)).max())


def one_channel(model: ModelProto, node: NodeProto, by: float) -> None:
    name = _scale_of(model, node.input[1]) or node.input[1]
    values = array(model, name).copy()
    if values.ndim == 0:
        values = np.full(len(array(model, str(_weight(model, node)))), values)
    values[len(values) // 2] *= by
    put(model, name, values)


def pads(model: ModelProto, node: NodeProto, by: float) -> None:
    found = _pads(node)
    half = len(found) // 2
    swapped = [*found[half:], *found[:half]]
    if swapped == found:
        swapped = [each + 1 for each in found[:half]] + [each - 1 for each in found[half:]]
    for entry in node.attribute:
        if entry.name in ("pads", "auto_pad"):
            entry.Clear()
    kept = [entry for entry in node.attribute if entry.name]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute("pads", swapped)])


def flip(model: ModelProto, node: NodeProto, by: float) -> None:
    name = str(_weight(model, node))
    put(model, name, array(model, name)[..., ::-1, ::-1])


def swap_channels(model: ModelProto, node: NodeProto, by: float) -> None:
    names = [str(_weight(model, node))]
    names += [_stored(model, name) for name in node.input[2:3]]
    for value in node.input[1:3]:
        scale = _scale_of(model, value)
        if scale and array(model, scale).size > 1:
            names.append(scale)
    for name in dict.fromkeys(names):
        put(model, name, np.roll(array(model, name), int(by), axis=0))


def epsilon(model: ModelProto, node: NodeProto, by: float) -> None:
    norm = _norms(model, node)[0]
    del norm.attribute[:]
    norm.attribute.append(onnx.helper.make_attribute("epsilon", by))


def lose_nonlinearity(model: ModelProto, node: NodeProto, by: float) -> None:
    clip = _clips(model, node)[0]
    clip.op_type = "Identity"
    del clip.input[1:], clip.attribute[:]


FAULTS = (
    Fault("output range clips", output_scale, 0.25, "clipped", True),
    Fault("output range narrow", output_scale, 0.6, "clipped", True),
    Fault("output range coarse", output_scale, 8, "", True),
    Fault("zero point far off", zero_point, 25, "", True),
    Fault("zero point off", zero_point, 6, "", True),
    Fault("weight scale", weight_scale, 1.3, "scale", False),
    Fault("weight scales rolled", roll_scales, 1, "scale", True),
    Fault("one scale for all channels", one_scale, 0, "scale", True),
    Fault("bias lost", scale_bias, 0, "bias", False),
    Fault("one channel", one_channel, 6, "1 of", False),
    Fault("pads on the wrong side", pads, 0, "padding", False),
    Fault("kernels flipped", flip, 0, "", False),
    Fault("channels rolled", swap_channels, 1, "another order", False),
    Fault("epsilon", epsilon, 0.3, "epsilon is 1e-5 in A and 0.3 in B", False),
    Fault("nonlinearity lost", lose_nonlinearity, 0, "", False),
)


def array(model: ModelProto, name: str) -> NDArray[np.generic]:
    """Return an initializer."""
    return numpy_helper.to_array(next(tensor for tensor in model.graph.initializer if tensor.name == name))


def put(model: ModelProto, name: str, values: NDArray[np.generic]) -> None:
    """Replace an initializer by values of the same dtype."""
    for tensor in model.graph.initializer:
        if tensor.name == name:
            dtype = numpy_helper.to_array(tensor).dtype
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))


def _own_copy(
    model: ModelProto, quantiser: NodeProto, place: int, change: Callable[[NDArray[np.generic]], NDArray[np.generic]]
) -> None:
    """Change the scale or zero point of one quantiser and of what unpacks its codes, and of no other."""
    name = quantiser.input[place]
    fresh = f"{name}#{quantiser.output[0]}"
    values = array(model, name)
    model.graph.initializer.append(numpy_helper.from_array(change(values).astype(values.dtype), fresh))
    for node in model.graph.node:
        unpacks = node.op_type == "DequantizeLinear" and node.input[0] == quantiser.output[0]
        if node is quantiser or node.output[0] == quantiser.output[0] or unpacks:
            node.input[place] = fresh


def _maker(model: ModelProto, value: str) -> NodeProto | None:
    return next((node for node in model.graph.node if value in node.output), None)


def _stored(model: ModelProto, value: str) -> str:
    """Return the initializer that a value is, or is unpacked from."""
    maker = _maker(model, value)
    return maker.input[0] if maker is not None and maker.op_type == "DequantizeLinear" else value


def _weight(model: ModelProto, node: NodeProto) -> str | None:
    name = _stored(model, node.input[1])
    return name if any(tensor.name == name for tensor in model.graph.initializer) else None


def _scale_of(model: ModelProto, value: str) -> str:
    maker = _maker(model, value)
    return maker.input[1] if maker is not None and maker.op_type == "DequantizeLinear" else ""


def _output_quantiser(model: ModelProto, node: NodeProto) -> NodeProto | None:
    return next(
        (each for each in model.graph.node if each.op_type == "QuantizeLinear" and each.input[0] == node.output[0]),
        None,
    )


def _clips(model: ModelProto, node: NodeProto) -> list[NodeProto]:
    return [
        each
        for each in model.graph.node
        if each.op_type in ("Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSigmoid") and each.input[0] == node.output[0]
    ]


def _norms(model: ModelProto, node: NodeProto) -> list[NodeProto]:
    readers = (each for each in model.graph.node if each.input[0] == node.output[0])
    return [each for each in readers if each.op_type == "BatchNormalization"]


def _pads(node: NodeProto) -> list[int]:
    return next((list(entry.ints) for entry in node.attribute if entry.name == "pads"), [])
