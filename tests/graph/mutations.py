"""Mutates real models and holds what onnxviz makes of each against onnx alone; test_mutations.py runs it.

    mutations.py               all of them: a line of JSON for each
    mutations.py NUMBER        that one only

It is a process of its own so that a crash in C++ or an endless loop is seen from outside, and memory can be bounded.
The sources are the models that the installed onnx and onnxruntime wheels carry, the bundled model and the fixtures.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

import onnxviz
from onnxviz.errors import ModelError, NoMatchError, OnnxvizError, UnsupportedError
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.layout import TensorSpec

try:
    import resource
except ImportError:  # Windows: no limit there
    resource = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parents[2]
MUTATIONS = 3000
SEED = 20
MEMORY = 512 << 20
# How many mutations a file gets by its size in bytes; the smallest take what is left of the 3,000.
SHARES = ((1 << 12, 8), (1 << 14, 120), (1 << 17, 40), (1 << 23, 12))
# Nets of hundreds of nodes or with weights take ten times as long as the others.
SHARE_OF = {
    "efficientnet_lite0_int8": 30,
    "light_bvlc_alexnet": 12,
    "light_inception_v1": 12,
    "light_resnet50": 12,
    "light_shufflenet": 12,
    "light_squeezenet": 40,
    "light_vgg19": 40,
    "light_zfnet512": 40,
}
HANG = 60  # seconds of CPU time after which a mutation is stopped; the longest takes about 0.1
# What onnx's checker passes and onnxviz refuses: text that onnxruntime's Python fails on, and the groups of protobuf's
# first version, which ONNX does not have.
REFUSED_ALONE = ("is not valid UTF-8", "does not occur in ONNX")
KINDS = {"Conv": "conv", "BatchNormalization": "norm", "LRN": "norm", "MaxPool": "pool", "AveragePool": "pool"}


@dataclass(frozen=True)
class Source:
    """A real model: its bytes, the end of its first field, and the places in it that are no large weights."""

    name: str
    content: bytes
    first_end: int
    places: tuple[range, ...]

    def place(self, start: int, generator: random.Random) -> int:
        """Draw a place from `start` on."""
        ranges = [range(max(each.start, start), each.stop) for each in self.places if each.stop > start]
        (chosen,) = generator.choices(ranges, [len(each) for each in ranges])
        return generator.randrange(chosen.start, chosen.stop)


def read_sources() -> list[Source]:
    packages = (importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
    wheels = (Path(spec.origin).parent for spec in packages if spec is not None and spec.origin is not None)
    folders = (*wheels, ROOT / "tests" / "fixtures", ROOT / "models")
    # onnx 1.22 carries 1,700 models of a few nodes besides, in a folder `node`.
    paths = [path for folder in folders for path in sorted(folder.rglob("*.onnx")) if "node" not in path.parts]
    return [read_source(path) for path in paths]


def read_source(path: Path) -> Source:
    content = path.read_bytes()
    # All begin with their IR version: a key of one byte, a number of one byte.
    assert content[0] == 1 << 3 and content[1] < 128, path
    proto = onnx.ModelProto.FromString(content)
    large = [tensor.raw_data for tensor in proto.graph.initializer if len(tensor.raw_data) > 1024]
    weights = sorted((content.index(data), len(data)) for data in set(large))
    starts = [0, *(start + length for start, length in weights)]
    stops = [*(start for start, _ in weights), len(content)]
    places = tuple(range(start, stop) for start, stop in zip(starts, stops, strict=True) if stop > start)
    return Source(path.parent.name if path.stem == "model" else path.stem, content, 2, places)


def schedule(sources: list[Source]) -> list[Source]:
    """Return which source each mutation is of."""
    smallest = SHARES[0][0]
    planned = [source for source in sources for _ in range(share(source))]
    small = itertools.cycle([source for source in sources if len(source.content) <= smallest])
    return [*planned, *itertools.islice(small, MUTATIONS - len(planned))]


def share(source: Source) -> int:
    by_size = next(count for size, count in SHARES if len(source.content) <= size)
    return SHARE_OF.get(source.name, by_size)


def mutate(source: Source, start: int, generator: random.Random) -> tuple[bytes, int]:
    """Change a few bytes from `start` on: flipped, replaced, taken out, put in or copied; return the first place."""
    result, first = bytearray(source.content), len(source.content)
    for _ in range(generator.choice((1, 1, 1, 2, 4))):
        place = min(source.place(start, generator), len(result) - 1)
        length = generator.randint(1, 8)
        first = min(first, place)
        match generator.choice((0, 0, 0, 1, 1, 2, 3, 4)):
            case 0:
                result[place] ^= 1 << generator.randrange(8)
            case 1:
                result[place] = generator.choice((0, 1, 127, 128, 255, generator.randrange(256)))
            case 2:
                del result[place : place + length]
            case 3:
                result[place:place] = generator.randbytes(length)
            case _:
                other = source.place(start, generator)
                result[place : place + length] = source.content[other : other + length]
        if len(result) <= start:
            break
    return bytes(result), first


def stop_if_it_hangs() -> None:
    """Let the process take no more than the limit from now on; what goes on without an end is killed by a signal."""
    if resource is not None:
        used = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used + HANG, resource.getrlimit(resource.RLIMIT_CPU)[1]))


@contextmanager
def little_memory() -> Iterator[None]:
    """Let the process take no more than the limit besides what it has: what asks for more ends in a MemoryError."""
    if resource is None or sys.platform != "linux":
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def look(path: Path) -> onnxviz.Model | OnnxvizError:
    """List a file, read every constant, and write it with all layers exposed; return the error where there is one."""
    try:
        model = onnxviz.open(path)
        assert len(every_layer(model)) >= len(model.catalogue)
        for value in (*model.graph.initializers, *model.graph.producers):
            model.graph.constant(value)
    except OnnxvizError as error:
        return error
    with suppress(NoMatchError, UnsupportedError):  # there is no layer, or only in bodies
        model.expose("all").save(exposed_path(path))
    return model


def every_layer(model: onnxviz.Model) -> tuple[Layer, ...]:
    return catalogue(model.graph, model.types, every=True)


def exposed_path(path: Path) -> Path:
    return path.with_name("exposed.onnx")


def judge(path: Path, model: onnxviz.Model | OnnxvizError) -> str:
    """Return the outcome: the error's name, or `right`; AssertionError where it is neither clear nor right."""
    if isinstance(model, OnnxvizError):
        assert isinstance(model, ModelError), repr(model)
        assert str(model).count("\n") <= 1 and 10 < len(str(model)) < 1000, str(model)
        assert any(text in str(model) for text in REFUSED_ALONE) or not passes(path), f"onnx takes it: {model}"
        return type(model).__name__
    whole = onnx.ModelProto.FromString(path.read_bytes())
    assert_same_graph(model.graph.proto.graph, whole.graph, path.read_bytes())
    assert_same_types(model.types, whole)
    assert_kinds(every_layer(model), model.types, whole)
    if exposed_path(path).exists():
        assert_exposed(
            onnx.load(exposed_path(path)), whole, [layer.act for layer in model.catalogue if not layer.inside]
        )
    return "right"


def passes(model: Path | onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(str(model) if isinstance(model, Path) else model, full_check=True)
    except Exception:  # the checker raises errors of several unrelated kinds
        return False
    return True


def assert_same_graph(ours: onnx.GraphProto, whole: onnx.GraphProto, content: bytes) -> None:
    """Hold the skeleton against what protobuf reads of the whole file, weights put back by their references."""
    filled = onnx.GraphProto()
    filled.CopyFrom(ours)
    constants = (attribute.t for node in filled.node for attribute in node.attribute if node.op_type == "Constant")
    for tensor in (*filled.initializer, *constants):
        put_back(tensor, content)
    # Nodes that were out of order are sorted.
    assert Counter(node.SerializeToString() for node in filled.node) == Counter(
        node.SerializeToString() for node in whole.node
    )
    assert list(filled.input) == list(whole.input)
    assert list(filled.output) == list(whole.output)
    assert list(filled.initializer) == list(whole.initializer)


def assert_exposed(exposed: onnx.ModelProto, whole: onnx.ModelProto, values: Sequence[str]) -> None:
    """Hold a file with more outputs against the original: those are its only difference, and the checker minds none."""
    count = len(whole.graph.output)
    assert list(exposed.graph.output[:count]) == list(whole.graph.output)
    assert {info.name for info in exposed.graph.output} == {*values, *(info.name for info in whole.graph.output)}
    ranked = all(info.type.tensor_type.HasField("shape") for info in exposed.graph.output[count:])
    if ranked and passes(whole):
        onnx.checker.check_model(exposed, full_check=True)
    del exposed.graph.output[count:]
    for proto in (exposed, whole):
        for tensor in proto.graph.initializer:
            packed_as_raw(tensor)
    assert sorted(node.SerializeToString() for node in exposed.graph.node) == sorted(
        node.SerializeToString() for node in whole.graph.node
    )
    assert list(exposed.graph.initializer) == list(whole.graph.initializer)


def packed_as_raw(tensor: TensorProto) -> None:
    """Large tensors are written as their bytes, whichever field they came from."""
    for name, code in (("float_data", "<f4"), ("double_data", "<f8")):
        data = getattr(tensor, name)
        if data:
            tensor.raw_data = np.array(data, code).tobytes()
            tensor.ClearField(name)


def put_back(tensor: TensorProto, content: bytes) -> None:
    if tensor.data_location == TensorProto.EXTERNAL:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        start, length = int(entries["offset"]), int(entries["length"])
        tensor.raw_data = content[start : start + length]
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")


def inferred(whole: onnx.ModelProto, *, ranks: bool) -> onnx.GraphProto:
    """Return what onnx infers of a model without the sizes that it notes, and without their `ranks` unless asked."""
    unnoted = onnx.ModelProto()
    unnoted.CopyFrom(whole)
    infos = (*unnoted.graph.value_info, *unnoted.graph.output)
    for info in (info for info in infos if info.type.HasField("tensor_type")):
        for dim in info.type.tensor_type.shape.dim:
            dim.Clear()
        if not ranks:
            info.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(unnoted).graph


def assert_same_types(types: Mapping[str, TensorSpec], whole: onnx.ModelProto) -> None:
    """Hold shapes and types against onnx's inference on the whole file, whose notes of sizes may contradict it."""
    try:
        graph, bare = inferred(whole, ranks=True), inferred(whole, ranks=False)
    except Exception:  # C++ raises what it likes; then there is no other opinion
        return
    # A rank that follows from the inputs may count more than one that the file notes.
    sure = {info.name: info for info in (*bare.value_info, *bare.output) if info.type.tensor_type.HasField("shape")}
    # onnx takes the lower half of an axis of more than 32 bits, and infers shapes for that.
    if any(abs(attribute.i) >> 31 for node in whole.graph.node for attribute in node.attribute):
        return
    infos = [info for info in (*graph.value_info, *graph.input, *graph.output) if info.type.HasField("tensor_type")]
    counts = Counter(info.name for info in infos)
    initializers = {tensor.name for tensor in whole.graph.initializer}
    for info in infos:
        if counts[info.name] > 1 or info.name in initializers:
            continue
        tensor, spec = info.type.tensor_type, types[info.name]
        if tensor.elem_type in onnx.helper.get_all_tensor_dtypes():
            assert spec.dtype == onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name, info.name
        if tensor.HasField("shape"):
            shapes = [one.type.tensor_type.shape for one in (info, sure.get(info.name, info))]
            assert any(fits(spec, shape) for shape in shapes), (info.name, spec.shape)


def fits(spec: TensorSpec, shape: onnx.TensorShapeProto) -> bool:
    """Return whether a shape has the rank and all sizes that onnx tells."""
    if spec.shape is None or len(spec.shape) != len(shape.dim):
        return False
    pairs = zip(shape.dim, spec.shape, strict=True)
    return all(not 0 < dim.dim_value < 1 << 40 or dim.dim_value == size for dim, size in pairs)


def assert_kinds(layers: Sequence[Layer], types: Mapping[str, TensorSpec], whole: onnx.ModelProto) -> None:
    """All that nodes put out is listed; the first of a node that computes on an input has its operator's kind."""
    listed = {layer.output: layer for layer in layers if not layer.inside}
    assert {output: layer.op for output, layer in listed.items()} == {
        output: node.op_type for node in whole.graph.node for output in node.output if output
    }
    nodes = {next(filter(None, node.output)): node for node in whole.graph.node if any(node.output)}
    initializers = {tensor.name for tensor in whole.graph.initializer}
    fed, before = {info.name for info in whole.graph.input} - initializers, 0
    while len(fed) > before:
        before = len(fed)
        for node in nodes.values():
            if not fed.isdisjoint(node.input):
                fed.update(node.output)
    for output, node in nodes.items():
        floats = output in types and types[output].dtype == "float32"
        if output in fed and floats and node.domain == "" and node.op_type in KINDS:
            assert listed[output].kind == KINDS[node.op_type], node


def run(only: int | None = None) -> Iterator[dict[str, object]]:
    """Yield a record of each mutation: what it is of, and its outcome."""
    planned = schedule(read_sources())
    assert len(planned) == MUTATIONS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.onnx"
        for number, source in enumerate(planned):
            if only is not None and number != only:
                continue
            generator = random.Random(f"{SEED} {number}")
            # Half of them leave the first field alone, so that not all end at the version number.
            content, first = mutate(source, source.first_end if number % 2 else 0, generator)
            path.write_bytes(content)
            exposed_path(path).unlink(missing_ok=True)
            stop_if_it_hangs()
            try:
                with little_memory():
                    model = look(path)
                outcome, detail = judge(path, model), ""
            except Exception as error:
                if only is not None:
                    raise
                outcome, detail = "wrong", repr(error)[:500]
            yield {
                "number": number,
                "source": source.name,
                "outcome": outcome,
                "exposed": exposed_path(path).exists() and outcome == "right",
                "past": first >= source.first_end,
                "detail": detail,
            }


if __name__ == "__main__":
    for record in run(int(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(json.dumps(record), flush=True)
