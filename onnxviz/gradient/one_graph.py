"""Forward and backward in one graph: a model that explains itself wherever it is deployed.

    two models     image -> forward -> saved values, score          saved values, seed -> backward -> gradient
    one graph      image, seed -> all of the model's own outputs, gradient

1. Weights stand in it once: what the backward model reads of them are references to the same tensors.
2. One graph has one opset. That of the model is kept, which is 18 or later: nothing that the rules write was changed
   in meaning since. An older model is converted before it is differentiated (graph/upgrade.py). A function with an
   opset of its own does not help: onnxruntime inlines it and reads its nodes in the opset of the model.
3. `with_ends` puts nodes in the place of the seed and of the gradients: a class's number goes in, heat comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto
from onnx.helper import make_node, make_opsetid, make_tensor_value_info, np_dtype_to_tensor_dtype

from onnxviz.gradient.build import Backward
from onnxviz.gradient.emit import OPSET, Emitter, Signal
from onnxviz.graph.cut import cut, known_values
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import DEFAULT_DOMAINS
from onnxviz.layout import TensorSpec


@dataclass(frozen=True, slots=True)
class GradientEnds:
    """What is put at both ends of a graph that holds its gradient.

    Attributes:
        inputs: inputs of the model besides its own.
        seed: what takes the place of the seed.
        outputs: outputs besides the model's own, each with what it is.
        results: the values that these outputs are, in the same order.
    """

    inputs: Sequence[TensorSpec]
    seed: Signal
    outputs: Sequence[TensorSpec]
    results: Sequence[Signal]


def joined(made: Backward) -> Graph:
    """Return the model with the seed as one more input and the gradients as further outputs.

    Raises:
        ValueError: The model's operators are of an opset before 18.
    """
    if made.source.opset < OPSET:
        raise ValueError(f"the model is of opset {made.source.opset}: one graph needs {OPSET}")
    proto, back = _copied(made.source), made.backward.proto.graph
    held = known_values(made.source)
    proto.graph.node.extend(node.proto for node in made.forward.nodes if held.keys().isdisjoint(node.outputs))
    proto.graph.node.extend(back.node)
    proto.graph.initializer.extend(tensor for tensor in back.initializer if tensor.name not in held)
    proto.graph.input.extend(info for info in back.input if info.name == made.seed)
    proto.graph.output.extend(back.output)
    if not any(entry.domain in DEFAULT_DOMAINS for entry in proto.opset_import):
        proto.opset_import.append(make_opsetid("", OPSET))
    return Graph.from_proto(proto)


def with_ends(graph: Graph, made: Backward, emit: Emitter, ends: GradientEnds) -> Graph:
    """Return a joined graph with what `emit` wrote in it: `ends` take the place of the seed and of the gradients."""
    proto = _copied(graph)
    del proto.graph.node[:]
    proto.graph.node.extend([*emit.nodes, _passed(ends.seed.name, made.seed), *(node.proto for node in graph.nodes)])
    proto.graph.node.extend(_passed(one.name, spec.name) for one, spec in zip(ends.results, ends.outputs, strict=True))
    proto.graph.initializer.extend(emit.initializers)
    inputs = [info for info in proto.graph.input if info.name != made.seed]
    outputs = [info for info in proto.graph.output if info.name not in made.outputs.values()]
    del proto.graph.input[:], proto.graph.output[:]
    proto.graph.input.extend([*inputs, *map(_declared, ends.inputs)])
    proto.graph.output.extend([*outputs, *map(_declared, ends.outputs)])
    whole = Graph.from_proto(proto)
    return cut(whole, [spec.name for spec in whole.outputs])


def _copied(graph: Graph) -> onnx.ModelProto:
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    return proto


def _passed(source: str, name: str) -> NodeProto:
    return make_node("Identity", [source], [name], name=name)


def _declared(spec: TensorSpec) -> onnx.ValueInfoProto:
    return make_tensor_value_info(spec.name, np_dtype_to_tensor_dtype(np.dtype(spec.dtype or "float32")), spec.shape)
