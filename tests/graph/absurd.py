"""Sends absurd attributes, constants and sizes of every operator down onnxviz' road; test_absurd.py runs it.

    absurd.py               all operators whose types onnx infers: a line of JSON for each
    absurd.py OPERATOR      one of them

A case is a graph with a node for each absurd value of an operator. It is sent by a process of its own, forked from one
with all imports done, with bounded memory. Where that does not end well, or onnx's inference refuses the graph as a
whole, each node is sent by a process of its own.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, TypeProto, helper, numpy_helper
from onnx.defs import OpSchema

from onnxviz.errors import OnnxvizError
from onnxviz.graph.expose import expose
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import catalogue
from onnxviz.graph.shapes import infer_types

try:
    import resource
except ImportError:  # Windows, where this is not run
    resource = None  # type: ignore[assignment]

MEMORY = 512 << 20
HANG = 30  # seconds of CPU time after which a process is stopped; the longest takes about 0.1
WELL, NOT_INFERRED = "well", "not inferred"
DOMAINS = ("", "ai.onnx.ml")
OPSETS = {"": onnx.defs.onnx_opset_version(), "ai.onnx.ml": 5}
EARLIER = {"": 11, "ai.onnx.ml": 1}
NUMBERS = (0, -1, -3, 1 << 30, 1 << 31, -(1 << 31), 1 << 62, -(1 << 63))
TEXTS = ("", "SAME_UPPER", "VALID", "junk", "...->", "ij,jk->ik", "i" * 300)
FLOATS = (float("nan"), float("inf"), -1.0, 0.0)
SIZES = (0, -1, 1 << 31, 1 << 62, -(1 << 63))
RANKS = (3, 4)
TYPES = (
    *(f"tensor({name})" for name in ("float", "int64", "bool", "uint8", "int32", "string", "double", "float16")),
    *(
        "seq(tensor(float))",
        "seq(tensor(int64))",
        "optional(tensor(float))",
        "map(int64, float)",
        "seq(map(int64, float))",
    ),
)
ATTRIBUTE_KINDS = {kind.value: kind for kind in OpSchema.AttrType.__members__.values()}


@dataclass
class Case:
    """Nodes of one operator, and the values that they read."""

    name: str
    opsets: Mapping[str, int]
    nodes: list[NodeProto] = field(default_factory=list)
    inputs: dict[str, TypeProto] = field(default_factory=dict)
    constants: dict[str, TensorProto] = field(default_factory=dict)

    def model(self, nodes: Sequence[NodeProto]) -> bytes:
        """Return a model of some of the nodes; its own output is none of theirs."""
        read = {name for node in nodes for name in node.input}
        inputs = [helper.make_value_info(name, self.inputs[name]) for name in self.inputs if name in read]
        constants = [self.constants[name] for name in self.constants if name in read]
        own = helper.make_tensor_value_info("own", TensorProto.FLOAT, [1])
        result = helper.make_tensor_value_info("result", TensorProto.FLOAT, [1])
        last = helper.make_node("Relu", ["own"], ["result"])
        graph = helper.make_graph([*nodes, last], "absurd", [own, *inputs], [result], constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def definitions() -> Iterator[tuple[OpSchema, Mapping[str, int], Sequence[int]]]:
    """Yield every operator whose types onnx infers, with its opsets and ranks of its inputs.

    One that was defined otherwise in earlier opsets comes a second time, with fewer ranks.
    """
    names = sorted({(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas_with_history()})
    for domain, name in names:
        versions = set()
        for opsets, ranks in ((OPSETS, RANKS), (EARLIER, RANKS[-1:])) if domain in DOMAINS else ():
            if not onnx.defs.has(name, opsets[domain], domain):
                continue
            schema = onnx.defs.get_schema(name, opsets[domain], domain)
            inferred = schema.has_type_and_shape_inference_function or schema.has_function
            if schema.since_version not in versions and (inferred or schema.has_context_dependent_function):
                versions.add(schema.since_version)
                yield schema, opsets, ranks


def case_of(schema: OpSchema, opsets: Mapping[str, int], ranks: Sequence[int]) -> Case:
    """Return an operator with absurd values of each attribute, of its constant inputs and of the sizes it reads."""
    variants = [_attributes(schema, attribute, ranks) for attribute in schema.attributes.values()]
    variants += [_constants(schema, ranks), _sizes(schema, ranks)]
    return _with(schema, opsets, itertools.chain(*variants))


Variant = tuple[list[AttributeProto], list[tuple[str, Any]]]
"""A node's attributes, and for each input its type and its sizes, or an array for a constant."""


def _with(schema: OpSchema, opsets: Mapping[str, int], variants: Iterator[Variant]) -> Case:
    case = Case(f"{schema.name} of {schema.domain or 'ai.onnx'} {opsets[schema.domain]}", opsets)
    for number, (attributes, reads) in enumerate(variants):
        inputs = []
        for kind, content in reads:
            if isinstance(content, np.ndarray):
                value = f"c{len(case.constants)}"
                case.constants[value] = numpy_helper.from_array(content, value)
            else:
                value = f"{kind} {list(content)}"
                case.inputs[value] = _type(kind, content)
            inputs.append(value)
        outputs = [f"y{number}_{place}" for place in range(max(len(schema.outputs), schema.min_output, 1))]
        node = helper.make_node(schema.name, inputs, outputs, name=f"n{number}", domain=schema.domain)
        node.attribute.extend(attributes)
        case.nodes.append(node)
    return case


def _attributes(schema: OpSchema, attribute: OpSchema.Attribute, ranks: Sequence[int]) -> Iterator[Variant]:
    for rank in ranks:
        others = _required(schema, rank, attribute.name)
        # Some operators refuse an attribute beside an optional input.
        count = schema.min_input if rank == 3 else len(schema.inputs)
        for value in _absurd(attribute, rank):
            yield [*others, value], _reads(schema, rank, count)


def _constants(schema: OpSchema, ranks: Sequence[int]) -> Iterator[Variant]:
    """Make every input but the first a constant, one of them absurd and the others ones."""
    for rank in ranks:
        others = _required(schema, rank, "")
        for length in sorted({1, rank - 2, rank}):
            for place in range(1, len(schema.inputs)):
                for number in (*SIZES, float("nan"), None):
                    reads = _reads(schema, rank, len(schema.inputs))
                    for other in range(1, len(reads)):
                        reads[other] = _constant(reads[other], length, number if other == place else 1)
                    yield others, reads


def _constant(read: tuple[str, Any], length: int, number: float | None) -> tuple[str, Any]:
    dtype = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}.get(read[0])
    if dtype is None:
        return read
    if number is None:  # no number at all
        return read[0], np.zeros(0, dtype)
    if dtype is not np.float32:
        whole = 7 if number != number or number % 1 else int(number)
        number = min(max(whole, np.iinfo(dtype).min), np.iinfo(dtype).max)
    return read[0], np.full(length, number, dtype)


def _sizes(schema: OpSchema, ranks: Sequence[int]) -> Iterator[Variant]:
    """Give one input absurd sizes; the others have sizes of 2, or are constants."""
    for rank in ranks:
        others = _required(schema, rank, "")
        for place in range(len(schema.inputs)):
            for size in SIZES:
                for constant in (False, True):
                    reads = _reads(schema, rank, len(schema.inputs))
                    if constant:
                        reads[1:] = [_constant(read, 1, 1) for read in reads[1:]]
                    reads[place] = (reads[place][0], [size] * rank)
                    yield others, reads


def _reads(schema: OpSchema, rank: int, count: int) -> list[tuple[str, Any]]:
    """Return a type and sizes of 2 for each of the first inputs; a list of inputs of one kind has two."""
    reads = []
    for formal in schema.inputs[:count]:
        kinds = [kind for kind in TYPES if kind in formal.types]
        reads.append((kinds[0] if kinds else sorted(formal.types)[0], [2] * rank))
        if formal.option == OpSchema.FormalParameterOption.Variadic:
            reads.append(reads[-1])
    return reads


def _type(kind: str, sizes: Sequence[int]) -> TypeProto:
    outer, _, inner = kind.partition("(")
    inner = inner.removesuffix(")")
    if outer == "seq":
        return helper.make_sequence_type_proto(_type(inner, sizes))
    if outer == "optional":
        return helper.make_optional_type_proto(_type(inner, sizes))
    if outer == "map":
        return helper.make_map_type_proto(TensorProto.INT64, _type("tensor(float)", sizes))
    return helper.make_tensor_type_proto(TensorProto.DataType.Value(inner.upper()), sizes)


def _required(schema: OpSchema, rank: int, but: str) -> list[AttributeProto]:
    """Return sound values of the attributes that an operator must have, and of a window's size."""
    return [
        helper.make_attribute(name, _SOUND[attribute.type.value](rank))
        for name, attribute in schema.attributes.items()
        if name != but and (attribute.required or name == "kernel_shape") and attribute.type.value in _SOUND
    ]


def _body(_: int) -> onnx.GraphProto:
    value = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    return helper.make_graph(
        [helper.make_node("Identity", ["b"], ["d"])],
        "body",
        [value],
        [helper.make_tensor_value_info("d", TensorProto.FLOAT, None)],
    )


_SOUND: Mapping[int, Callable[[int], Any]] = {
    AttributeProto.INT: lambda rank: 1,
    AttributeProto.INTS: lambda rank: [1] * max(rank - 2, 1),
    AttributeProto.FLOAT: lambda rank: 1.0,
    AttributeProto.FLOATS: lambda rank: [1.0] * rank,
    AttributeProto.STRING: lambda rank: "ij,jk->ik",
    AttributeProto.STRINGS: lambda rank: ["a"],
    AttributeProto.TENSOR: lambda rank: numpy_helper.from_array(np.ones(2, np.float32)),
    AttributeProto.GRAPH: _body,
    AttributeProto.TYPE_PROTO: lambda rank: _type("tensor(float)", [2]),
}


def _absurd(attribute: OpSchema.Attribute, rank: int) -> Iterator[AttributeProto]:
    """Yield absurd values of an attribute, of its own type and then of others."""
    kind, name = attribute.type.value, attribute.name
    values: list[Any] = []
    match kind:
        case AttributeProto.INT:
            values = [*NUMBERS]
        case AttributeProto.INTS:
            lengths = sorted({rank - 2, rank, 2 * (rank - 2)})
            values = [[number] * length for number in SIZES for length in lengths]
        case AttributeProto.FLOAT:
            values = [*FLOATS]
        case AttributeProto.FLOATS:
            values = [[number] * rank for number in FLOATS]
        case AttributeProto.STRING:
            values = [*TEXTS]
        case AttributeProto.STRINGS:
            values = [[""], ["a"] * 9]
        case AttributeProto.TENSOR:
            kinds = (TensorProto.FLOAT, TensorProto.INT64, 99)
            values = [TensorProto(data_type=each, dims=dims) for each in kinds for dims in ([1 << 62], [-1], [0], [])]
        case _:
            values = []
    others = [1, 0.5, "C", [1], TensorProto()]
    yield from (helper.make_attribute(name, value) for value in (*values, *others))


def road(content: bytes) -> None:
    """List a model, and expose all that it computes."""
    with suppress(OnnxvizError):
        graph = Graph.from_bytes(content)
        types = infer_types(graph)
        for layer in catalogue(graph, types, every=True):
            repr((layer.receptive_field, layer.rf))
        values = [output for node in graph.nodes for output in node.outputs]
        Graph.from_bytes(expose(graph, values, types).graph.to_bytes())
        expose(graph, ["result"], types, only=True)


def ends(content: bytes) -> str:
    """Return how a process ends that takes a model down the road: an empty text where all is well."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _child(content, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status, usage = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1 << 10)
    return said or ("memory" if peak > MEMORY else f"exit code {os.WEXITSTATUS(status)}")


def _child(content: bytes, writing: int) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # a failed assertion in C++ is printed there
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (HANG, HANG + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    inference = onnx.shape_inference.infer_shapes
    onnx.shape_inference.infer_shapes = lambda model: _inferred(inference, model, writing)
    try:
        road(content)
        said = NOT_INFERRED if _refused else WELL
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}: {error!s:.200}"
    os.write(writing, said.encode())
    os._exit(0)


_refused: list[Exception] = []


def _inferred(inference: Callable[..., Any], model: onnx.ModelProto, writing: int) -> onnx.ModelProto:
    """Infer, and keep what onnxviz passes over: that memory ran out, which ends the process, or another error."""
    try:
        return inference(model)
    except MemoryError:
        os.write(writing, b"memory")
        os._exit(0)
    except Exception as error:
        _refused.append(error)
        raise


def run(only: str) -> Iterator[dict[str, object]]:
    """Yield a record of each operator: how many nodes were sent, and some of those that do not end well."""
    gc.freeze()
    for schema, opsets, ranks in definitions():
        if only not in ("", schema.name):
            continue
        case = case_of(schema, opsets, ranks)
        outcome, faults = ends(case.model(case.nodes)), {}
        if outcome != WELL:
            alone = ((node, ends(case.model([node]))) for node in case.nodes)
            bad = ((node, end) for node, end in alone if end not in (WELL, NOT_INFERRED))
            faults = {_text(case, node): end for node, end in itertools.islice(bad, 3)}
            if not faults and outcome != NOT_INFERRED:
                faults = {"all nodes together": outcome}
        yield {"case": case.name, "nodes": len(case.nodes), "operator": schema.name, "faults": faults}


def _text(case: Case, node: NodeProto) -> str:
    attributes = [f"{each.name}={helper.get_attribute_value(each)!s:.80}" for each in node.attribute]
    constants = [numpy_helper.to_array(case.constants[name]).tolist() for name in node.input if name in case.constants]
    return f"{node.op_type} {attributes} of {[name for name in node.input if name in case.inputs]}, {constants}"


if __name__ == "__main__":
    for record in run(sys.argv[1] if len(sys.argv) > 1 else ""):
        print(json.dumps(record), flush=True)
