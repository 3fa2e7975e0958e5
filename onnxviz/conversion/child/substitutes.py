"""Operators that tf2onnx does not know, in terms of those that it does.

1. `Erfc(x)`, as Keras 3 writes the exact GELU, is `1 - Erf(x)`.
2. A call that is to be compiled as a whole (Keras 3 does so with grouped convolutions) is an ordinary call, which
   TensorFlow's rewriter then inlines.
"""

from __future__ import annotations

from typing import Any

_COMPILED = ("_XlaMustCompile", "_XlaCompile", "_noinline")


def substitute(tensorflow: Any, graph: Any) -> None:
    """Rewrite a frozen graph, in place."""
    added = []
    for node in graph.node:
        if node.op == "Erfc":
            added.extend(_erfc(tensorflow, node))
    graph.node.extend(added)


def open_calls(graph: Any) -> None:
    """Let all calls be inlined, in place."""
    for part in [*graph.node, *graph.library.function]:
        for name in _COMPILED:
            if name in part.attr:
                del part.attr[name]


def _erfc(tensorflow: Any, node: Any) -> list[Any]:
    new = tensorflow.compat.v1.NodeDef
    kind = node.attr["T"].type
    inner = new(name=f"{node.name}/erf", op="Erf", input=list(node.input))
    inner.attr["T"].type = kind
    one = new(name=f"{node.name}/one", op="Const")
    one.attr["dtype"].type = kind
    one.attr["value"].tensor.CopyFrom(tensorflow.make_tensor_proto(1, tensorflow.as_dtype(kind)))
    node.op = "Sub"
    del node.input[:]
    node.input.extend([one.name, inner.name])
    return [inner, one]
