"""Pairs by names and by modules, as far as weights and what lies before them do not say otherwise.

Names lie: PyTorch's newer exporter numbers them (`conv2d_3`), so that one layer more in front shifts all that follow.
Where the weights contradict a single name, no name is believed before structure has been asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from onnxviz.comparing.matching.canonical import Canonical
from onnxviz.comparing.matching.operation import Operation
from onnxviz.comparing.matching.pairing import Pairing
from onnxviz.words import quoted

_ADDED = re.compile(
    r"(_quantized|_quant|_QuantizeLinear_Input|_QuantizeLinear_Output|_DequantizeLinear_Output|_nchwc|:0|_output_0|_out)+$"
)
_MEANINGLESS = re.compile(r"(?:[A-Za-z_]*?_?(?:token|reorder|fuse\w*)?_?)?\d+|reorder_token.*|fused .*|#\d+")


def pair_by_names(pairing: Pairing) -> None:
    """Pair the layers that share a name which says something, and which no other layer has."""
    named = _by_name(pairing.b)
    for x in pairing.free()[0]:
        for name in _names(x):
            ys = [y for y in named.get(name, ()) if y.number not in pairing.a_of]
            if len(ys) == 1 and not is_contradicted(pairing, x, ys[0]) and pairing.pair(x, ys[0], "name"):
                break


def pair_by_scopes(pairing: Pairing) -> None:
    """Pair the layers of one operator in one module, in order, where both models have as many of them there."""
    modules_a, modules_b = _by_module(pairing.a), _by_module(pairing.b)
    for module, xs in modules_a.items():
        ys = modules_b.get(module, [])
        if len(xs) == len(ys):
            for x, y in zip(xs, ys, strict=True):
                if not is_contradicted(pairing, x, y):
                    pairing.pair(x, y, "scope")


def misnamed(pairing: Pairing) -> Iterator[str]:
    """Give a sentence for each name of A that is another layer's in B, as the weights say."""
    named = _by_name(pairing.b)
    for x in pairing.a.operations:
        found = pairing.b_of.get(x.number)
        if found is None or pairing.status[x.number] not in ("weights", "given"):
            continue
        others = (y for name in _names(x) for y in named.get(name, ()) if y.operator == x.operator)
        other = next(others, None)
        if other is not None and other.number != found:
            name = quoted(pairing.b.operations[found].name)
            yield f"{quoted(x.name)} is another layer in B: by its weights it is {name}"


def share_a_name(x: Operation, y: Operation) -> bool:
    """Return whether two layers have a name in common that says something."""
    return not set(_names(x)).isdisjoint(_names(y))


def _names(operation: Operation) -> Iterator[str]:
    for name in operation.names:
        cleaned = _ADDED.sub("", name.strip("/"))
        if cleaned and not _MEANINGLESS.fullmatch(cleaned):
            yield cleaned


def _by_name(model: Canonical) -> Mapping[str, list[Operation]]:
    found: dict[str, list[Operation]] = defaultdict(list)
    for operation in model.operations:
        for name in dict.fromkeys(_names(operation)):
            found[name].append(operation)
    return found


def _by_module(model: Canonical) -> Mapping[tuple[str, str], list[Operation]]:
    found: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for operation in model.operations:
        if operation.scope:
            found[operation.scope, operation.operator].append(operation)
    return found


def is_contradicted(pairing: Pairing, x: Operation, y: Operation) -> bool:
    """Return whether the weights of two layers, or what they read, say that they are not the same."""
    one, other = pairing.sketches_a.get(x.number), pairing.sketches_b.get(y.number)
    if (one is None) != (other is None) or (one is not None and other is not None and one.shape != other.shape):
        return True
    if x.operator == "Transpose" and x.settings != y.settings:
        return True
    if len(x.inputs) != len(y.inputs):
        return False
    if _read_turned(pairing.a, x) != _read_turned(pairing.b, y):
        return True  # an optimiser moved a Transpose behind it
    wanted = [pairing.counterpart(source) for source in x.inputs]
    are_known = None not in wanted and all(number in pairing.a_of or number < 0 for number, _ in y.inputs)
    return are_known and not set(wanted) & set(y.inputs)


def _read_turned(model: Canonical, operation: Operation) -> list[bool]:
    """Return which inputs of an operation come from a Transpose."""
    return [number >= 0 and model.operations[number].operator == "Transpose" for number, _ in operation.inputs]
