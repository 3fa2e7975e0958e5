"""What the two processes say to each other: the parent's request, the facts that the child reports, and a refusal.

Both sides import these types. Between them everything is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TypedDict


class KnownPreprocessing(TypedDict):
    """What to write into the metadata of a model whose whole name matches the regular expression `pattern`.

    Where `layers` names classes of layers, the model must also have a layer of one of them.
    """

    pattern: str
    layers: list[str]
    key: str
    text: str


class Request(TypedDict):
    """One conversion; `kind` is a key of `KINDS` in `conversion/source.py`, the other fields are as in ConvertOptions.

    `reference` is where to store TensorFlow's results (`.npz`), None for no verification, and `picture` a picture to
    run on (`.npy`, `(H, W, 3) uint8`). `report` is the file to report to, and `parent` the process whose end ends the
    child.
    """

    source: str
    kind: str
    output: str
    reference: str | None
    picture: str
    inputs: list[str]
    outputs: list[str]
    signature: str | None
    keep: list[str]
    fold: bool
    opset: int
    trust: bool
    preprocessing: list[KnownPreprocessing]
    report: str
    parent: int


class Failure(TypedDict, total=False):
    """Why there is no model: a kind of `Refusal`, `memory` or `failed`, and the text and class of the exception."""

    kind: str
    text: str
    type: str


class Kept(TypedDict):
    """The ONNX value of a kept tensor; transposed by `order`, if there is one, it is the TensorFlow tensor."""

    value: str
    order: list[int] | None


class StoredTensor(TypedDict):
    """One tensor that TensorFlow computed, stored as the array `key`.

    `repeats`: a second run gave the same. `rounding` and `step` are shares of the largest magnitude: how far the tensor
    moves with an input moved by one unit in its last place, and how far two neighbouring numbers lie apart, where they
    have few digits: quantised ones, and those of half precision (0 for others). `limits` are the least and the largest
    number that a quantised tensor can hold.
    """

    tensor: str
    key: str
    output: bool
    repeats: bool
    rounding: float
    step: float
    limits: tuple[float, float] | None


class Reference(TypedDict):
    """What TensorFlow computed: for each input by its ONNX name the key of its array, and the stored tensors."""

    inputs: dict[str, str]
    values: list[StoredTensor]


class Facts(TypedDict, total=False):
    """What is known about a conversion; each stage adds some of it.

    `reference` is what TensorFlow computed on a random input, `on_picture` on a picture, where the model takes one.
    `guessed` says for `inputs` and `outputs` whether nobody named them. `renames` maps TensorFlow's names of inputs and
    outputs to the model's. `unread` are inputs that no output needs, which the model does not have. `widened` is the
    type of numbers that became float32. `lost` are layers that are not values of the model. `preprocessing` is the name
    by which a network was recognised. `error` is there only after a failure, `done` only after success.
    """

    stage: str
    versions: dict[str, str]
    model: str
    signature: str
    guessed: dict[str, bool]
    renames: dict[str, str]
    inputs: list[str]
    outputs: list[str]
    reference: Reference
    on_picture: Reference
    unread: list[str]
    widened: str
    lost: list[str]
    preprocessing: str
    layers: int
    where: dict[str, Kept]
    done: bool
    error: Failure
    cpu_seconds: float
    peak_bytes: int | None


class Refusal(Exception):  # noqa: N818 (it is an answer to the user, not a fault of the program)
    """A reason not to convert, which the user reads as it stands; `kind` says which error the parent raises."""

    def __init__(self, text: str, kind: str = "model") -> None:
        """Keep the sentence and the kind: `model`, `unsupported`, `missing` or `usage`."""
        super().__init__(text)
        self.kind = kind


class FactsFile:
    """The facts of one conversion in a file: each stage appends a line of JSON with all that is known by then.

    The file is never replaced, because on Windows that fails while the parent reads it. The parent ignores a line that
    does not end yet.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.facts: Facts = {"stage": ""}

    def stage(self, name: str) -> None:
        """Begin a stage."""
        self.facts["stage"] = name
        self._write()

    def finish(self, facts: Facts) -> None:
        """Add the last facts and what the work cost."""
        self.facts.update({**facts, "cpu_seconds": round(time.process_time(), 2), "peak_bytes": peak_bytes()})
        self._write()

    def _write(self) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(self.facts) + "\n")


def peak_bytes() -> int | None:
    """Return the most memory that this process had, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
