"""The options of a conversion, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """How to convert.

    Attributes:
        inputs: names of the input tensors, for a graph that does not name its own, or of a TensorFlow Lite file that is
            to be cut.
        outputs: names of the output tensors, likewise.
        signature: one of a SavedModel's signatures.
        keep: names of layers that stay visible with `fold`.
        fold: keep only the layers of `keep` as values, which gives a smaller graph.
        opset: the version of ONNX's operators, 9 to 18.
        python: the interpreter that has TensorFlow; None takes this one.
        trust: let code in the source run.
        verify: compare the model with TensorFlow on the same random input.
        force: replace a file that exists.
    """

    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    signature: str | None = None
    keep: Sequence[str] = ()
    fold: bool = False
    opset: int = 17
    python: Path | None = None
    trust: bool = False
    verify: bool = True
    force: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the converted model and TensorFlow differ on a random input and, where it takes pictures, on a picture.

    `output` and `layer` are the largest differences of the outputs and of all compared values, each a share of the
    largest magnitude of its tensor; `worst` names the value that comes nearest to its tolerance, and `tolerance` is
    that tolerance. `compared` counts the compared values; `random` names the tensors that are not compared because
    they differ between two runs, `tied` those that hang on a choice between equals. With `by_layer` each layer was
    given the values that TensorFlow had before it, and `layer` speaks of these; `output` is from input to output all
    the same.
    """

    output: float
    layer: float
    worst: str
    compared: int
    tolerance: float
    random: tuple[str, ...] = ()
    by_layer: bool = False
    tied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion made: the file, its source, its inputs and outputs, how many layers it has, and the check.

    `agreement` is None without a check. `remarks` are sentences for the user. `cpu_seconds` and `peak_bytes` are what
    the converter took.
    """

    path: Path
    source: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: int
    agreement: Agreement | None
    remarks: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
