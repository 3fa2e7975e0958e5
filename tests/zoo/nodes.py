"""Runs the backend tests of the installed onnx package through onnxviz and holds every value against plain onnxruntime.

    nodes.py [--write docs/nodes.md] [PATTERN ...]     all tests, or those whose names match a pattern

Each model is opened, fed the inputs of its test, run with all its layers and outputs selected, and drawn. A value is
right if it is bit for bit what onnxruntime alone gives of the untouched file (of the file with outputs appended by hand
where it is none of the model's own), both not optimised. The outputs are also held against those that the test expects,
at the test's tolerance. Of a model that holds functions or bodies all values inside are then exposed: the model's own
outputs must stay as they are, bit for bit. So it is with each operator that onnx spells out (`_expanded`), wrapped as
one function, whose values must be those of the model without the function. The models run in child processes, a batch
each, so that one that ends its process is counted. Fails where a value is wrong in onnxviz alone, a process ends or an
error is not one of onnxviz's own.
"""

from __future__ import annotations

import argparse
import ctypes
import fnmatch
import multiprocessing
import os
import re
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

import onnxviz
from onnxviz.errors import OnnxvizError, UnsupportedError
from onnxviz.graph.expose import expose

Arrays = Mapping[str, Any]
ONCE = " times 1"

EQUAL = "equal"
UNEXPECTED = "equal to onnxruntime, which differs from what the test expects"
MENDED = "equal to what the test expects, where onnxruntime refuses the file"
MOVED = "moved by more outputs, in onnxruntime alone too"
WRONG = "wrong in onnxviz alone"
REFUSED = "refused, as onnxruntime refuses it"
OURS = "refused by onnxviz alone"
CRASHED = "crashed"
VERDICTS = (EQUAL, UNEXPECTED, MENDED, MOVED, REFUSED, OURS, WRONG, CRASHED)
NAMED = (WRONG, CRASHED)

HOLDERS = "models with functions or bodies"
WRAPPED = "operators spelled out, wrapped as a function"
STAYED = "the model's own outputs stay"
REMOVED = "the model's own outputs move"
ALIKE = "they move, as by exposing the same values without the function"
STRANGE = "a value differs from that of the model without the function"

BATCH = 50
PATIENCE = 120  # seconds for one model
FOREIGN = re.compile(r"tensor\((bfloat16|float8.*|float4.*|u?int[24])\)")  # types that numpy does not have
BFLOAT16 = 2**-6  # what onnx's own runner allows: two units in the last place


@dataclass(frozen=True)
class Case:
    """One test: a model, and sets of inputs with the outputs that it expects."""

    name: str
    model: bytes
    sets: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Inside:
    """What became of the values inside a model: how many were handed out, and why the others were not."""

    kind: str
    verdict: str
    handed: int = 0
    refusals: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a test; `values` counts what was compared bit for bit, `inside` what holds others."""

    name: str
    verdict: str
    detail: str = ""
    values: int = 0
    inside: Sequence[Inside] = ()


@dataclass(frozen=True)
class Plain:
    """What onnxruntime alone gives: values by name; or why it gives none."""

    values: Arrays = field(default_factory=dict)
    refusal: str = ""


def cases() -> Iterator[Case]:
    for test in load_model_tests(kind="node"):
        sets = [([as_array(item) for item in given], [as_array(item) for item in out]) for given, out in test.data_sets]
        yield Case(test.name, test.model.SerializeToString(), sets, test.rtol, test.atol)
    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        for test in sorted(load_model_tests(kind=kind), key=lambda test: test.name):
            folder = Path(test.model_dir)
            model = onnx.load(folder / "model.onnx")
            sets = [
                (read_all(place, "input", model.graph.input), read_all(place, "output", model.graph.output))
                for place in sorted(folder.glob("test_data_set*"))
            ]
            yield Case(test.name, (folder / "model.onnx").read_bytes(), sets, test.rtol, test.atol)


def as_array(item: Any) -> Any:
    if isinstance(item, onnx.TensorProto):
        return numpy_helper.to_array(item)
    return np.asarray(item) if isinstance(item, np.generic) else item


def read_all(folder: Path, word: str, infos: Sequence[onnx.ValueInfoProto]) -> list[Any]:
    count = len(list(folder.glob(f"{word}_*.pb")))
    return [read(folder / f"{word}_{number}.pb", infos[number].type) for number in range(count)]


def read(path: Path, kind: onnx.TypeProto) -> Any:
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(path.read_bytes()))
    if kind.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(path.read_bytes()))
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def judge(case: Case, path: Path) -> Outcome:
    """Return what becomes of a test; an exception is a crash."""
    path.write_bytes(case.model)
    outcomes = [judge_set(case, path, inputs, expected) for inputs, expected in case.sets]
    return max(outcomes, key=lambda outcome: VERDICTS.index(outcome.verdict))


def judge_set(case: Case, path: Path, inputs: Sequence[Any], expected: Sequence[Any]) -> Outcome:
    proto = onnx.load_from_string(case.model)
    feed = dict(zip([info.name for info in proto.graph.input], inputs, strict=False))
    plain = run_plainly(proto, feed)
    try:
        ours = run_ours(path, proto, feed)
    except OnnxvizError as error:
        refusal = f"{type(error).__name__}: {error}"
        return Outcome(case.name, REFUSED if plain.refusal else OURS, refusal)
    by_hand = run_plainly(appended(proto, ours), feed)
    by_hand = replace(by_hand, values={name.removesuffix(ONCE): value for name, value in by_hand.values.items()})
    truth = {**by_hand.values, **plain.values}
    apart = [name for name in ours if name in truth and not is_same(ours[name], truth[name])]
    counted = len(ours.keys() & truth.keys())
    if apart:
        moved = all(name in by_hand.values and is_same(ours[name], by_hand.values[name]) for name in apart)
        return Outcome(case.name, MOVED if moved else WRONG, f"values {', '.join(apart)}", counted)
    wanted = dict(zip([info.name for info in proto.graph.output], expected, strict=False))
    missed = [name for name in ours if name in wanted and not is_near(ours[name], wanted[name], case)]
    if plain.refusal:
        return Outcome(case.name, WRONG if missed else MENDED, f"outputs {', '.join(missed)}" * bool(missed))
    return Outcome(case.name, UNEXPECTED if missed else EQUAL, f"outputs {', '.join(missed)}" * bool(missed), counted)


def judge_inside(case: Case, path: Path) -> list[Inside]:
    """Expose all values inside a model, and inside a function of all its nodes where it spells an operator out."""
    proto = onnx.load_from_string(case.model)
    plain = run_plainly(proto, feed_of(case, proto))
    found = [] if plain.refusal else [expose_inside(HOLDERS, proto, path, feed_of(case, proto), plain.values, {})]
    if case.name.endswith("_expanded") and not plain.refusal and not proto.graph.initializer:
        values = [value for node in proto.graph.node for value in node.output if value]
        every = run_plainly(appended(proto, dict.fromkeys(values)), feed_of(case, proto))
        wrapped = as_function(proto)
        truth = {f"call/{name}": value for name, value in every.values.items()} | plain.values
        found.append(expose_inside(WRAPPED, wrapped, path, feed_of(case, proto), truth, every.values))
    return [inside for inside in found if inside is not None]


def feed_of(case: Case, proto: onnx.ModelProto) -> Arrays:
    return dict(zip([info.name for info in proto.graph.input], case.sets[0][0], strict=False))


def expose_inside(
    kind: str, proto: onnx.ModelProto, path: Path, feed: Arrays, truth: Arrays, moved: Arrays
) -> Inside | None:
    """Expose what lies inside a model and hold its values against those that are known; None where nothing does.

    `moved` are the outputs of the model without its function where the same values are exposed.
    """
    path.write_bytes(proto.SerializeToString())
    model = onnxviz.open(path)
    wanted = [name for name in model.unfolded.addresses if name in model.unfolded.graph.producers]
    if not wanted:
        return None
    try:
        exposed = expose(model.graph, wanted, model.types, unfolded=model.unfolded)
    except UnsupportedError as error:
        return Inside(kind, STAYED, 0, [str(error)] * len(wanted))
    refusals = [f"{name!r} cannot be handed out: {reason}" for name, reason in exposed.refused.items()]
    found = run_plainly(exposed.graph.proto, feed)
    if found.refusal:
        return Inside(kind, found.refusal, len(exposed.names), refusals)
    own = {info.name for info in proto.graph.output}
    apart = [name for name, value in truth.items() if name in found.values and not is_same(found.values[name], value)]
    verdict = REMOVED if own.intersection(apart) else STRANGE if apart else STAYED
    if apart and own.issuperset(apart) and all(is_same(found.values[name], moved.get(name)) for name in apart):
        verdict = ALIKE
    return Inside(kind, verdict, len(exposed.names), refusals)


def as_function(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose nodes are one function, called once."""
    inputs, outputs = [info.name for info in proto.graph.input], [info.name for info in proto.graph.output]
    wrapped = onnx.ModelProto()
    wrapped.CopyFrom(proto)
    function = helper.make_function("loc", "whole", inputs, outputs, proto.graph.node, list(proto.opset_import))
    wrapped.functions.append(function)
    del wrapped.graph.node[:]
    wrapped.graph.node.append(helper.make_node("whole", inputs, outputs, name="call", domain="loc"))
    wrapped.opset_import.append(helper.make_opsetid("loc", 1))
    wrapped.ir_version = max(wrapped.ir_version, 8)
    return wrapped


def run_ours(path: Path, proto: onnx.ModelProto, feed: Arrays) -> dict[str, Any]:
    """Return every value by name as onnxviz gives it, after drawing it."""
    tensors = [info.name for info in proto.graph.output if info.type.HasField("tensor_type")]
    quoted = ['"' + name.replace('"', '""') + '"' for name in tensors]
    options = onnxviz.RunOptions(exact=True)
    found = onnxviz.open(path).run(dict(feed) or None, layers=["all,other", *quoted], run=options)
    values: dict[str, Any] = {}
    for activation in found.values():
        assert activation.pages()
        if activation.steps is not None and activation.steps.noun == "element":
            values.setdefault(activation.value, []).extend(elements(activation))
        else:
            values[activation.value] = codes(activation, feed)
    return values


def elements(activation: onnxviz.Activation) -> Sequence[np.ndarray[Any, Any]]:
    """Return the elements of a sequence that an activation holds: those of one size together, else one."""
    return list(activation.array) if activation.layout.startswith("S") else [activation.array]


def codes(activation: onnxviz.Activation, feed: Arrays) -> np.ndarray[Any, Any]:
    """Return an array as it is; one that onnxviz dequantised, by the scale that these tests feed, as its codes."""
    if not activation.dequantised:
        return activation.array
    zero = feed["y_zero_point"]
    return (np.rint(activation.array / feed["y_scale"]) + zero).astype(zero.dtype)


def run_plainly(proto: onnx.ModelProto, feed: Arrays) -> Plain:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        fed = {name: fed_value(value) for name, value in feed.items()}
        if not any(FOREIGN.match(output.type) for output in session.get_outputs()):
            return Plain(dict(zip(names, session.run(names, fed), strict=True)))
        fed = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in fed.items()
        }
        return Plain(dict(zip(names, map(numbers, session.run_with_ort_values(names, fed)), strict=True)))
    except Exception as error:  # onnxruntime's exceptions share no base class
        return Plain(refusal=" ".join(str(error).split())[:300])


def fed_value(value: Any) -> Any:
    """Return what onnxruntime takes; an array of a type that numpy does not have goes by its bytes."""
    if not isinstance(value, np.ndarray) or (value.dtype.kind != "V" and value.dtype.isbuiltin == 1):
        return value
    tensor = numpy_helper.from_array(value)
    raw = np.frombuffer(tensor.raw_data, np.uint16 if value.dtype.itemsize == 2 else np.uint8)
    packed = raw if raw.size != value.size else raw.reshape(value.shape)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(packed, tensor.data_type)


def numbers(value: onnxruntime.OrtValue) -> Any:
    """Return a tensor that onnxruntime gives, read by its bytes where numpy does not have its type."""
    if not FOREIGN.match(value.data_type()):
        return value.numpy()
    raw = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    tensor = onnx.TensorProto(dims=value.shape(), data_type=value.element_type(), raw_data=raw)
    return numpy_helper.to_array(tensor).astype(np.float32)


def appended(proto: onnx.ModelProto, values: Arrays) -> onnx.ModelProto:
    """Return the model with these values as outputs; those of float16 times 1, which onnxruntime computes in float32.

    Put out as they are, they would be rounded before other nodes read them, which they are not in the untouched file.
    """
    by_hand = onnx.ModelProto()
    by_hand.CopyFrom(proto)
    own = {info.name for info in [*proto.graph.output, *proto.graph.input]}
    inner = [name for name in values if name not in own]
    halves = [name for name in inner if getattr(values[name], "dtype", None) == np.float16]
    by_hand.graph.initializer.append(numpy_helper.from_array(np.float16(1), ONCE))
    by_hand.graph.node.extend(helper.make_node("Mul", [name, ONCE], [name + ONCE]) for name in halves)
    names = (name + ONCE if name in halves else name for name in inner)
    by_hand.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return by_hand


def is_same(ours: Any, plain: Any) -> bool:
    if isinstance(ours, list) and isinstance(plain, list):
        return len(ours) == len(plain) and all(map(is_same, ours, plain))
    if not isinstance(ours, np.ndarray) or not isinstance(plain, np.ndarray):
        return repr(ours) == repr(plain)
    if ours.shape != plain.shape:
        return False
    if ours.dtype == plain.dtype and ours.dtype.kind != "O":
        return ours.tobytes() == plain.tobytes()
    return np.array_equal(comparable(ours), comparable(plain), equal_nan=comparable(ours).dtype.kind in "fc")


def is_near(ours: Any, expected: Any, case: Case) -> bool:
    if isinstance(ours, list) and isinstance(expected, list):
        return len(ours) == len(expected) and all(map(is_near, ours, expected, [case] * len(ours)))
    if not isinstance(expected, np.ndarray) or not isinstance(ours, np.ndarray):
        return repr(ours) == repr(expected)
    one, other = comparable(ours), comparable(expected)
    if one.shape != other.shape or one.dtype.kind not in "fc" or other.dtype.kind not in "fc":
        return np.array_equal(one, other)
    rtol = max(case.rtol, BFLOAT16) if expected.dtype == ml_dtypes.bfloat16 else case.rtol
    return np.allclose(one, other, rtol, case.atol, equal_nan=True)


def comparable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array in a dtype that numpy compares: texts as texts, all numbers as float64."""
    if array.dtype.kind in "OSU":
        return array.astype(np.str_)
    return array if array.dtype.kind == "c" else array.astype(np.float64)


def judge_all(batch: Sequence[Case], sender: Connection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for case in batch:
            try:
                outcome = judge(case, Path(folder) / "model.onnx")
                outcome = replace(outcome, inside=judge_inside(case, Path(folder) / "model.onnx"))
            except BaseException as error:
                outcome = Outcome(case.name, CRASHED, described(error))
            sender.send(outcome)


def described(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "onnxviz" in Path(frame.filename).parts]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{place}"


def judged(wanted: Sequence[Case]) -> Iterator[Outcome]:
    """Yield the outcome of each test in its order, a child process for each batch."""
    fork = multiprocessing.get_context("fork")  # each child begins with everything imported
    left = list(wanted)
    while left:
        batch, done = left[:BATCH], 0
        receiver, sender = fork.Pipe(duplex=False)
        child = fork.Process(target=judge_all, args=(batch, sender))
        child.start()
        sender.close()
        try:
            while receiver.poll(PATIENCE):
                yield receiver.recv()
                done += 1
        except EOFError:
            pass
        else:
            child.kill()
        child.join()
        if done < len(batch):
            yield Outcome(batch[done].name, CRASHED, f"the process ended with {child.exitcode}")
            done += 1
        left = left[done:]


def kind_of(message: str) -> str:
    """Return a message without what differs between models of one kind.

    >>> kind_of("ModelError: 'x' has 3 axes\\nand more")
    "ModelError: '…' has N axes"
    """
    line = message.splitlines()[0]
    line = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", line)
    line = re.sub(r"(has no operator|has no implementation of|Type Error: Type) \S+", r"\1 …", line)
    line = re.sub(r"\b\d+(x\d+)*\b", "N", line)
    return line.replace("|", "/")[:150]


def page(outcomes: Sequence[Outcome], seconds: float) -> str:
    counts = Counter(outcome.verdict for outcome in outcomes)
    rows = [f"| {verdict} | {counts[verdict]} |" for verdict in VERDICTS]
    values = sum(outcome.values for outcome in outcomes)
    versions = f"onnx {onnx.__version__} and onnxruntime {onnxruntime.__version__}"
    text = (
        "# The tests of onnx\n\n"
        f"The {len(outcomes)} models that the onnx package tests its operators with, run by `make nodes` with\n"
        f"{versions}: each is fed the inputs of its test with all layers and outputs selected, and drawn.\n"
        "Every value is held against what onnxruntime alone gives, bit for bit and not optimised, and the outputs\n"
        "also against those that the test expects, at its tolerance. "
        f"{values:,} values were compared, in {seconds:.0f} s of CPU.\n\n"
        "| what became of it | models |\n|---|---|\n" + "\n".join(rows) + "\n"
    )
    text += values_inside(outcomes)
    for verdict in (OURS, REFUSED):
        text += refusals(verdict, [outcome for outcome in outcomes if outcome.verdict == verdict])
    for verdict in (*NAMED, UNEXPECTED, MOVED):
        found = [outcome for outcome in outcomes if outcome.verdict == verdict]
        if found:
            lines = [f"* `{outcome.name}`" + f": {outcome.detail}" * bool(outcome.detail) for outcome in found]
            text += f"\n## {verdict.capitalize()}\n\n" + "\n".join(lines) + "\n"
    return text


def values_inside(outcomes: Sequence[Outcome]) -> str:
    found = [(outcome.name, inside) for outcome in outcomes for inside in outcome.inside]
    if not found:
        return ""
    verdicts = list(dict.fromkeys((STAYED, *(inside.verdict for _, inside in found))))
    text = (
        "\n## Values inside functions and bodies\n\n"
        "All of them exposed at once, not optimised, of the models that onnxruntime runs.\n\n"
        "| | models | "
        + " | ".join(verdicts)
        + " | values handed out | refused |\n"
        + "|---" * (len(verdicts) + 4)
        + "|\n"
    )
    for kind in (HOLDERS, WRAPPED):
        some = [inside for _, inside in found if inside.kind == kind]
        counts = Counter(inside.verdict for inside in some)
        cells = [len(some), *(counts[verdict] for verdict in verdicts), sum(inside.handed for inside in some)]
        text += f"| {kind} | " + " | ".join(f"{cell:,}" for cell in cells)
        text += f" | {sum(len(inside.refusals) for inside in some)} |\n"
    moved = [f"* `{name}`: {inside.verdict}" for name, inside in found if inside.verdict != STAYED]
    text += "\n" * bool(moved) + "\n".join(moved) + "\n" * bool(moved)
    kinds = Counter(kind_of(line) for _, inside in found for line in inside.refusals)
    rows = [f"| {count} | {kind} |" for kind, count in kinds.most_common()]
    return text + ("\n| values | refused because |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else "")


def refusals(verdict: str, outcomes: Sequence[Outcome]) -> str:
    kinds: dict[str, list[str]] = defaultdict(list)
    for outcome in outcomes:
        kinds[kind_of(outcome.detail)].append(outcome.name)
    if not kinds:
        return ""
    rows = [
        f"| {len(names)} | {kind} | `{names[0]}` |" for kind, names in sorted(kinds.items(), key=lambda k: -len(k[1]))
    ]
    return f"\n## {verdict.capitalize()}\n\n| models | message | such as |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    wanted = [case for case in cases() if not arguments.patterns or matches(case.name, arguments.patterns)]
    outcomes = []
    for outcome in judged(wanted):
        outcomes.append(outcome)
        if outcome.verdict != EQUAL:
            print(": ".join(filter(None, (outcome.name, outcome.verdict, outcome.detail))), flush=True)
    counts = Counter(outcome.verdict for outcome in outcomes)
    print(*(f"{counts[verdict]:5} {verdict}" for verdict in VERDICTS), sep="\n")
    if arguments.write:
        arguments.write.write_text(page(outcomes, cpu_seconds()), encoding="utf-8")
    return 1 if any(counts[verdict] for verdict in NAMED) else 0


def matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    raise SystemExit(main())
