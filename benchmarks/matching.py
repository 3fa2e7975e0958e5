"""How many pairs of layers are right: matching two models scored by what their layers compute, which it never looks at.

    python benchmarks/matching.py A.onnx B.onnx        two exports of one network
    python benchmarks/matching.py --copies A.onnx...   each against its copies as onnxruntime optimises them at three
                                                       levels, and all of these with every name and the order changed
    python benchmarks/matching.py --exports FOLDER     what matching_nets.py wrote: NAME_old.onnx against the others of
                                                       NAME, as they are and scrambled
    python benchmarks/matching.py --quantised          the bundled model in floats against its copies: codes in three
                                                       forms, float16, optimised; as they are and scrambled
    python benchmarks/matching.py --nodes 5000         the time that matching takes

Of one network, a pair is right where both values are the same numbers on a random input, but for the order of axes; it
is wrong where they are not, and another layer has those numbers; it is missed where a layer of A has no counterpart,
and B has its numbers. Pairs that are called assumed are counted apart, and so are those that say themselves that their
numbers cannot be compared. Copies that are quantised compute other numbers: there a pair is right where both layers had
one name before the copy was scrambled.
"""

from __future__ import annotations

import argparse
import heapq
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import onnxviz
from onnxviz.comparing.matching.canonical import canonical
from onnxviz.comparing.matching.match import match

Array = np.ndarray[Any, Any]
_LEVELS = {
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_CLOSE = 2e-4


@dataclass
class Score:
    """What became of the pairs."""

    right: int = 0
    wrong: int = 0
    assumed_wrong: int = 0
    missed: int = 0
    elsewhere: int = 0
    silent: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def __add__(self, other: Score) -> Score:
        counts = (self.right + other.right, self.wrong + other.wrong, self.assumed_wrong + other.assumed_wrong)
        more = (self.missed + other.missed, self.elsewhere + other.elsewhere, self.silent + other.silent)
        return Score(*counts, *more, self.statuses + other.statuses, self.notes + other.notes)

    def __str__(self) -> str:
        found = self.right + self.wrong + self.assumed_wrong + self.missed
        return (
            f"right {self.right}, wrong {self.wrong}, wrong but assumed {self.assumed_wrong}, missed {self.missed} "
            f"({100 * self.missed / max(found, 1):.1f} %), differing with no other to match {self.elsewhere}, "
            f"without numbers {self.silent}; {dict(self.statuses)}"
        )


def score(first: Path, second: Path, feed: Mapping[str, Array] | None = None) -> Score:
    """Match two models of one network and score the pairs by the values."""
    a, b = onnxviz.open(first), onnxviz.open(second)
    found = match(a, b)
    feed = random_feed(first) if feed is None else feed
    theirs_by_ours = {other: feed[name] for name, other in found.inputs.items()}
    stages_a, stages_b = ([stage.value for x in canonical(m).operations for stage in x.stages] for m in (a, b))
    ours, theirs = values(first, feed, stages_a), values(second, theirs_by_ours, stages_b)
    result = Score()
    paired = set()
    for pair in found.pairs:
        paired.add(pair.a.layer)
        result += _judged(pair, ours, theirs)
    for operation in canonical(a).operations:
        value = operation.end.value
        if (
            operation.name not in paired
            and value in ours
            and any(same(ours[value], other) for other in theirs.values())
        ):
            result += Score(missed=1, notes=[f"missed {operation.operator} {operation.name}"])
    return result


def _judged(pair: Any, ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> Score:
    if pair.comparable or pair.a.value not in ours or pair.b.value not in theirs:
        return Score(silent=1)
    value = ours[pair.a.value]
    if same(value, theirs[pair.b.value]):
        return Score(right=1, statuses=Counter([pair.status]))
    note = f"{pair.status} {pair.a.operator} {pair.a.layer} {pair.a.stage} = {pair.b.layer} {pair.b.stage}"
    if not any(same(value, other) for other in theirs.values()):
        return Score(elsewhere=1, notes=[f"differs: {note}"])
    is_assumed = pair.status == "assumed"
    return Score(wrong=not is_assumed, assumed_wrong=is_assumed, notes=[f"wrong: {note}"])


def same(a: Array, b: Array) -> bool:
    """Return whether two arrays hold the same numbers, but for the order of axes or for blocks of channels."""
    if abs(float(np.abs(a).sum()) - float(np.abs(b).sum())) > 5e-3 * float(np.abs(a).sum()) + 1e-6:
        return False
    orders = [a.ravel()]
    if a.ndim > 2:
        orders += [np.moveaxis(a, 1, -1).ravel(), np.moveaxis(a, -1, 1).ravel()]
    limit = _CLOSE * float(np.linalg.norm(a)) + 1e-9
    if a.size == b.size and any(float(np.linalg.norm(order - b.ravel())) < limit for order in orders):
        return True
    if a.ndim != 4 or b.ndim != 4 or (a.shape == b.shape and a.shape[1] % 8):
        return False
    left, right = (np.sort(part[part != 0]) for part in (a, b))
    return left.size == right.size and float(np.linalg.norm(left - right)) < limit


def random_feed(path: Path, seed: int = 0) -> dict[str, Array]:
    """Return random arrays for a model's inputs; sizes that are open are 1, those of pictures 64."""
    numbers = np.random.default_rng(seed)
    session = onnxruntime.InferenceSession(path, _options(), providers=["CPUExecutionProvider"])
    feed: dict[str, Array] = {}
    for given in session.get_inputs():
        shape = [
            s if isinstance(s, int) and s > 0 else 64 if axis > 1 and len(given.shape) == 4 else 1
            for axis, s in enumerate(given.shape)
        ]
        if "int" in given.type:
            feed[given.name] = numbers.integers(0, 5, shape).astype(np.int64 if "64" in given.type else np.int32)
        else:
            feed[given.name] = numbers.standard_normal(shape).astype(np.float16 if "16" in given.type else np.float32)
    return feed


def values(path: Path, feed: Mapping[str, Array], names: Iterable[str]) -> dict[str, Array]:
    """Return the values of a model as onnxruntime computes them without optimising."""
    proto = onnx.load(path)
    made = {output for node in proto.graph.node for output in node.output}
    wanted = [name for name in dict.fromkeys(names) if name in made]
    have = {output.name for output in proto.graph.output}
    proto.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in wanted if name not in have)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), _options(), providers=["CPUExecutionProvider"])
    found = dict(zip(wanted, session.run(wanted, dict(feed)), strict=True))
    return {
        name: array.astype(np.float32)
        for name, array in found.items()
        if getattr(array, "dtype", None) is not None and array.dtype.kind in "fiu"
    }


def _options(level: Any = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level
    return options


def optimised(path: Path, level: str, target: Path) -> Path:
    """Write a model as onnxruntime optimises it."""
    options = _options(_LEVELS[level])
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return target


def scrambled(path: Path, target: Path, seed: int = 1) -> Path:
    """Write a model with another name for every node and value, and its nodes in another order."""
    scrambling(path, target, seed)
    return target


def scrambling(path: Path, target: Path, seed: int) -> dict[str, str]:
    """Write a scrambled model, and return what the values were called by what they are called now."""
    proto, chance = onnx.load(path), random.Random(seed)
    graph = proto.graph
    kept = {info.name for info in (*graph.input, *graph.output)}
    named = [tensor.name for tensor in graph.initializer] + [
        output for node in graph.node for output in node.output if output
    ]
    numbers = list(range(len(named)))
    chance.shuffle(numbers)
    names = {name: name if name in kept else f"t{number}" for name, number in zip(named, numbers, strict=True)}
    for node in _renamed(graph.node, names, chance):
        node.name = f"n{chance.randrange(10**9)}"
        del node.metadata_props[:]
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    del graph.value_info[:]
    if not any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in _shuffled(graph, chance)]
        del graph.node[:]
        graph.node.extend(nodes)
    onnx.save(proto, target)
    return {new: old for old, new in names.items()}


def _renamed(
    nodes: Iterable[onnx.NodeProto], names: Mapping[str, str], chance: random.Random
) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                for _ in _renamed(attribute.g.node, names, chance):
                    pass
                for info in attribute.g.output:
                    info.name = names.get(info.name, info.name)
        yield node


def _shuffled(graph: onnx.GraphProto, chance: random.Random) -> Iterator[onnx.NodeProto]:
    """Give the nodes in a random order in which each comes behind what it reads."""
    made = {output for node in graph.node for output in node.output if output}
    missing = [len({name for name in node.input if name in made}) for node in graph.node]
    readers: dict[str, list[int]] = {}
    for number, node in enumerate(graph.node):
        for name in {name for name in node.input if name in made}:
            readers.setdefault(name, []).append(number)
    ready = [(chance.random(), number) for number, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    while ready:
        _, number = heapq.heappop(ready)
        yield graph.node[number]
        for output in graph.node[number].output:
            for reader in readers.get(output, ()):
                missing[reader] -= 1
                if not missing[reader]:
                    heapq.heappush(ready, (chance.random(), reader))


def copies(paths: Sequence[Path], seed: int) -> None:
    """Print the scores of models against their optimised copies."""
    totals: dict[str, Score] = {}
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            for name, copy in _copies(path, Path(folder), seed):
                try:
                    result = score(path, copy)
                except Exception as error:  # a model that cannot be copied or run is said, and the others go on
                    print(f"{path.name} {name}: {type(error).__name__}: {str(error)[:200]}", flush=True)
                    continue
                totals[name] = totals.get(name, Score()) + result
                print(f"{path.parent.name}/{path.name} {name}: {result}", *result.notes[:6], sep="\n    ", flush=True)
    for name, total in totals.items():
        print(f"all, {name}: {total}")


def exports(folder: Path, seed: int) -> None:
    """Print the scores of exports of one network by several exporters."""
    plain, changed = Score(), Score()
    for first in sorted(folder.glob("*_old.onnx")):
        name = first.name.removesuffix("_old.onnx")
        for other in sorted(folder.glob(f"{name}_*.onnx")):
            if other != first:
                with tempfile.TemporaryDirectory() as temporary:
                    results = score(first, other), score(first, scrambled(other, Path(temporary) / "s.onnx", seed))
                plain, changed = plain + results[0], changed + results[1]
                for words, result in zip(("", ", scrambled"), results, strict=True):
                    print(f"{other.name}{words}: {result}", *result.notes[:5], sep="\n    ", flush=True)
    print(f"all: {plain}\nall, scrambled: {changed}")


def quantised(seed: int) -> None:
    """Print the scores of the bundled model in floats against copies that compute other numbers."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        first = folder / "float.onnx"
        onnx.save(in_floats(onnx.load(onnxviz.bundled.classifier())), first)
        copies([first], seed)
        for name, copy in _quantised_copies(first, folder):
            print(f"{name}: {named_score(first, copy, {})}")
            truth = scrambling(copy, folder / "s.onnx", seed)
            result = named_score(first, folder / "s.onnx", truth)
            print(f"{name}, scrambled: {result}", *result.notes[:5], sep="\n    ", flush=True)


def named_score(first: Path, second: Path, truth: Mapping[str, str]) -> Score:
    """Match two models, and score the pairs by what the layers of B were called."""
    a, b = onnxviz.open(first), onnxviz.open(second)
    ours, theirs = ({x.name: x for x in canonical(model).operations} for model in (a, b))
    result = Score()
    for pair in match(a, b).pairs:
        one, other = (_plain(ours[pair.a.layer], {}), _plain(theirs[pair.b.layer], truth))
        status = Counter([pair.status])
        note = f"{pair.status} {pair.a.operator} {pair.a.layer} = {sorted(other)[:3]}"
        is_right, is_assumed = bool(one & other), pair.status == "assumed"
        if is_right and pair.comparable:
            result += Score(silent=1, statuses=status, notes=[f"{note}: {pair.comparable}"])
        elif is_right:
            result += Score(right=1, statuses=status)
        else:
            result += Score(wrong=not is_assumed, assumed_wrong=is_assumed, notes=[f"wrong: {note}"])
        ours.pop(pair.a.layer)
    return result + Score(missed=len(ours), notes=[f"missed {name}" for name in ours])


def _plain(operation: Any, truth: Mapping[str, str]) -> set[str]:
    """Return what an operation's values were called, without what quantisers and optimisers append."""
    names = (truth.get(name, name) for name in operation.names)
    return {
        re.sub(
            r"^InsertedPrecisionFreeCast_|(_quantized|_QuantizeLinear_\w+|_DequantizeLinear_\w+|_nchwc|_output)+$",
            "",
            name,
        )
        for name in names
    }


def in_floats(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with the weights that it keeps as codes in floats."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    kept = []
    for node in proto.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            codes, scale, zero = ([arrays[name].astype(np.float32) for name in node.input] + [np.zeros(1, np.float32)])[
                :3
            ]
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            along = [-1 if place == axis and scale.size > 1 else 1 for place in range(codes.ndim)]
            zero = zero.reshape(along) if zero.size == scale.size else zero
            floats = ((codes - zero) * scale.reshape(along)).astype(np.float32)
            proto.graph.initializer.append(numpy_helper.from_array(floats.reshape(codes.shape), node.output[0]))
        else:
            kept.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    tensors = [tensor for tensor in proto.graph.initializer if tensor.name in used]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(tensors)
    return proto


def _quantised_copies(path: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.transformers.float16 import convert_float_to_float16

    shape = [1, 3, 224, 224]
    numbers = np.random.default_rng(0)
    (given,) = onnxruntime.InferenceSession(path, _options(), providers=["CPUExecutionProvider"]).get_inputs()
    pictures = [numbers.uniform(-1, 1, shape).astype(np.float32) for _ in range(3)]
    ways = {
        "QDQ": (QuantFormat.QDQ, True),
        "QDQ a tensor": (QuantFormat.QDQ, False),
        "QOperator": (QuantFormat.QOperator, True),
    }
    for name, (form, per_channel) in ways.items():
        copy = folder / f"{name}.onnx"
        quantize_static(
            path, copy, _Reader(given.name, pictures), form, per_channel=per_channel, activation_type=QuantType.QUInt8
        )
        yield name, copy
    yield "QDQ, optimised", optimised(folder / "QDQ.onnx", "extended", folder / "qdq-extended.onnx")
    quantize_dynamic(path, folder / "dynamic.onnx")
    yield "dynamic", folder / "dynamic.onnx"
    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), folder / "half.onnx")
    yield "float16", folder / "half.onnx"
    yield "float16, optimised", optimised(folder / "half.onnx", "extended", folder / "half-extended.onnx")


class _Reader:
    """Gives a quantiser its pictures."""

    def __init__(self, name: str, pictures: Sequence[Array]) -> None:
        self._given = iter([{name: picture} for picture in pictures])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._given, None)


def _copies(path: Path, folder: Path, seed: int) -> Iterator[tuple[str, Path]]:
    yield "scrambled", scrambled(path, folder / "scrambled.onnx", seed)
    for level in _LEVELS:
        copy = optimised(path, level, folder / f"{level}.onnx")
        yield level, copy
        yield f"{level}, scrambled", scrambled(copy, folder / f"{level}-scrambled.onnx", seed)


def many_nodes(count: int, channels: int = 4, seed: int = 0) -> onnx.ModelProto:
    """Return residual blocks of two convolutions, five nodes each."""
    numbers = np.random.default_rng(seed)
    nodes, tensors, value = [], [], "x"
    for block in range(count // 5):
        steps = [value]
        for place in range(2):
            name = f"b{block}/c{place}"
            weight = numbers.standard_normal((channels, channels, 3, 3)).astype(np.float32) * 0.15
            tensors.append(numpy_helper.from_array(weight, f"{name}.w"))
            nodes.append(helper.make_node("Conv", [steps[-1], f"{name}.w"], [f"{name}/o"], name=name, pads=[1] * 4))
            steps.append(f"{name}/o")
            if not place:
                nodes.append(helper.make_node("Relu", [steps[-1]], [f"{name}/r"], name=f"{name}/relu"))
                steps.append(f"{name}/r")
        nodes.append(helper.make_node("Add", [value, steps[-1]], [f"b{block}/a"], name=f"b{block}/add"))
        nodes.append(helper.make_node("Relu", [f"b{block}/a"], [f"b{block}/y"], name=f"b{block}/relu"))
        value = f"b{block}/y"
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, 8, 8]) for name in ("x", value)]
    graph = helper.make_graph(nodes, "many", infos[:1], infos[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def timed(count: int) -> None:
    """Print what matching many nodes with their scrambled copy takes, beyond listing both."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.onnx"
        onnx.save(many_nodes(count), path)
        a, b = onnxviz.open(path), onnxviz.open(scrambled(path, Path(folder) / "copy.onnx"))
        start = time.process_time()
        listed = len(a.every_layer) + len(b.every_layer)
        between = time.process_time()
        found = match(a, b)
        took = time.process_time() - between
        statuses = Counter(pair.status for pair in found.pairs)
        print(
            f"{count} nodes: {took:.2f} CPU s, listing both {between - start:.2f} s ({listed} layers); {dict(statuses)}"
        )


def main(arguments: Sequence[str]) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--copies", action="store_true")
    parser.add_argument("--exports", type=Path)
    parser.add_argument("--quantised", action="store_true")
    parser.add_argument("--nodes", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    if given.nodes:
        timed(given.nodes)
    if given.exports:
        exports(given.exports, given.seed)
    if given.quantised:
        quantised(given.seed)
    if given.copies:
        copies(given.models, given.seed)
    elif given.models:
        result = score(*given.models)
        print(result, *result.notes, sep="\n    ")


if __name__ == "__main__":
    main(sys.argv[1:])
