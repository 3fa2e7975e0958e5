"""`Classes`: the names of a classifier's classes, and the outputs that may hold their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from onnxviz.errors import InputError
from onnxviz.feed.preprocessing import model_labels
from onnxviz.graph.cut import needed_inputs, needed_nodes
from onnxviz.graph.node import Node
from onnxviz.graph.segments import item_bytes, map_bytes
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import Dimension, shape_text
from onnxviz.model import Model
from onnxviz.words import listed, quoted, shown

LARGE_HEAD = 512 * 2**20
"""Bytes up to which running to the class scores never counts as much: the dense layers of a VGG net take 472 MiB."""


@dataclass(frozen=True, slots=True)
class Classes:
    """The class names, or None; whether the user gave them; and the outputs that may hold their scores.

    `left_out` says why outputs that may hold scores are not among these, or is empty.
    """

    labels: tuple[str, ...] | None
    asked: bool
    outputs: tuple[Choice, ...]
    left_out: str = ""

    def labels_of(self, value: str) -> tuple[str, ...] | None:
        """Return a class name for each unit of a value; None if it is not an output that may hold scores."""
        return self.labels if any(choice.value == value for choice in self.outputs) else None


def find_classes(
    model: Model,
    choices: Sequence[Choice],
    given: tuple[str, ...] | Path | None,
    inputs: Set[str] = frozenset(),
) -> Classes:
    """Return the classes of a model, by the names that are given, or in a file that is, else by the model's own.

    `inputs` are those that are given by name: what needs one of them that the choices do not is wanted.

    Raises:
        InputError: The file cannot be read, or the names that are given fit no output.
    """
    asked = given is not None
    labels = read_labels(given) if isinstance(given, Path) else given
    if labels is None:
        labels = model_labels(model.metadata)
    else:
        shapes = {spec.name: model.types.get(spec.name, spec).shape for spec in model.outputs}
        if not any(_may_be_scores(shape, labels) for shape in shapes.values()):
            raise unfit(labels, shapes)
    found = Classes(labels, asked, class_outputs(model, choices, labels, asked=asked, inputs=inputs))
    if not found.outputs:
        return replace(found, left_out=_lacking(model, choices, labels))
    more = _head_bytes(model, choices, found.outputs)
    if asked or more <= LARGE_HEAD:
        return found
    reason = f"the end of the model takes {more / 2**30:.1f} GiB that no chosen layer needs"
    name = shown(found.outputs[0].name)
    return replace(found, outputs=(), left_out=f"no class scores, for {reason}; with `{name}` selected they are run")


def class_outputs(
    model: Model,
    choices: Sequence[Choice],
    labels: Sequence[str] | None,
    *,
    asked: bool = False,
    inputs: Set[str] = frozenset(),
) -> tuple[Choice, ...]:
    """Return the model's outputs that may hold class scores, where running up to them costs little more.

    Classes must not make a selection at the front of a deep model run all of it: they come only if the choices need
    half of the nodes anyway, or if the user `asked` for them by giving labels, or an input that only they need.
    """
    is_far = 2 * len(_needed(model, choices)) < len(model.graph.nodes)
    near = [
        name
        for name, more in _candidates(model, choices, labels).items()
        if asked or (more <= inputs if more else not is_far)
    ]
    return tuple(Choice(name, name, "value", None) for name in near)


def _candidates(model: Model, choices: Sequence[Choice], labels: Sequence[str] | None) -> Mapping[str, Set[str]]:
    """Return the outputs that may hold class scores, each with the inputs that it needs and the choices do not."""
    given = needed_inputs(model.graph, [choice.value for choice in choices])
    return {
        spec.name: needed_inputs(model.graph, [spec.name]) - given
        for spec in model.outputs
        if spec.dtype in ("float32", "float16", "float64")
        and spec.name in model.graph.producers
        and _may_be_scores(model.types.get(spec.name, spec).shape, labels)
    }


def _lacking(model: Model, choices: Sequence[Choice], labels: Sequence[str] | None) -> str:
    """Say which inputs class scores lack; empty where they lack none, or no output is known to hold some."""
    for name, more in _candidates(model, choices, labels).items():
        if more and (labels or model.graph.producers[name].operator == "Softmax"):
            return (
                f"no class scores, for `{shown(name)}` needs {listed(map(quoted, sorted(more)))} too: give it by name"
            )
    return ""


def _needed(model: Model, choices: Sequence[Choice]) -> tuple[Node, ...]:
    return needed_nodes(model.graph, [choice.value for choice in choices])


def _head_bytes(model: Model, choices: Sequence[Choice], outputs: Sequence[Choice]) -> int:
    """Estimate the weights and the largest map that outputs take besides the choices; 0 where these take more."""
    body = _needed(model, choices)
    own = {node.index for node in body}
    head = [node for node in _needed(model, outputs) if node.index not in own]
    weights = {value for node in body for value in node.reads if value in model.graph.initializers}
    more = {value for node in head for value in node.reads if value in model.graph.initializers} - weights
    taken, beside = _bytes(model, body, weights), _bytes(model, head, more)
    return beside if beside > taken else 0


def _bytes(model: Model, nodes: Sequence[Node], weights: set[str]) -> int:
    maps = (item_bytes(model.types[value]) or 0 for node in nodes for value in node.outputs if value in model.types)
    return max(maps, default=0) + sum(map_bytes(model.types[value]) or 0 for value in weights)


def _may_be_scores(shape: Sequence[Dimension] | None, labels: Sequence[str] | None) -> bool:
    """Return whether a shape may be that of scores; an unknown size may fit the labels, if there are any."""
    if shape is None:
        return bool(labels)
    return len(shape) in (1, 2) and (not labels or not isinstance(shape[-1], int) or shape[-1] == len(labels))


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the lines of a file of class names.

    Raises:
        InputError: It cannot be read.
    """
    try:
        # Windows' editors begin a text with a mark of its encoding, which is not a letter of the first class.
        return tuple(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError:
        raise InputError(f"the labels {path} cannot be read: they are not UTF-8 text") from None
    except FileNotFoundError:
        raise InputError(f"the labels {path} cannot be read: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"the labels {path} cannot be read: that is a folder") from None
    except OSError as error:
        raise InputError(f"the labels {path} cannot be read: {error.strerror}") from None


def unfit(labels: Sequence[str], shapes: Mapping[str, Sequence[Dimension] | None]) -> InputError:
    """Return the error that says that labels fit no output, each of which has one of these shapes."""
    told = listed(f"{quoted(name)} is {shape_text(shape)}" for name, shape in shapes.items())
    classes = f"{len(labels)} class{'es' * (len(labels) != 1)}"
    return InputError(f"the labels name {classes}, and no output is a vector of so many{': ' * bool(told)}{told}")
