"""Shapes that a graph computes although only the batch is unknown; a few lines stand in for TensorFlow."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from onnxviz.conversion.child.fold_constants import fold_shapes

from .fake_graph import Attributes, FakeGraph, Node, graph_of, value

INT32 = 3
TENSORFLOW = SimpleNamespace(
    int32=SimpleNamespace(as_datatype_enum=INT32),
    make_ndarray=np.array,
    make_tensor_proto=lambda numbers, kind: numbers,
    compat=SimpleNamespace(v1=SimpleNamespace(NodeDef=lambda name, op: Node(name, op, [], Attributes()))),
)


class Tensor(list[int]):
    def CopyFrom(self, other: list[int]) -> None:  # noqa: N802 (protobuf's name)
        self[:] = other


def graph(sizes: list[int | None], known: list[int]) -> FakeGraph:
    """Return a Reshape of `x`, whose sizes are `known`; each size that is None is computed from the batch."""
    names = ["batch" if size is None else f"size{place}" for place, size in enumerate(sizes)]
    lines = [f"size{place} = Const()" for place, size in enumerate(sizes) if size is not None]
    made = graph_of(
        "\n".join(["x = Relu(image)", "batch = Shape(x)", *lines, f"pack = Pack({', '.join(names)})"])
        + "\n y = Reshape(x, pack)"
    )
    for place, size in enumerate(sizes):
        if size is not None:
            made[f"size{place}"].attr["value"] = value(tensor=size)
    dims = [SimpleNamespace(size=size) for size in known]
    shapes = [SimpleNamespace(dim=dims, unknown_rank=False)] if known else []
    made["x"].attr["_output_shapes"] = value(list=SimpleNamespace(func=[], shape=shapes))
    return made


@pytest.fixture(autouse=True)
def tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor of the stand-in is a list of numbers."""
    monkeypatch.setattr(Attributes, "__missing__", lambda self, name: self.setdefault(name, value(tensor=Tensor())))


@pytest.mark.parametrize(
    ("sizes", "known", "shape"),
    [
        ([None, 7, 7, 64], [], [-1, 7, 7, 64]),  # the computed one is left open
        ([2, None], [], [2, -1]),
        ([None, -1], [-1, 7, 7, 64], [-1, 3136]),  # 7 * 7 * 64: what a Flatten leaves
    ],
)
def test_a_shape_with_one_computed_size_is_constant(
    sizes: list[int | None], known: list[int], shape: list[int]
) -> None:
    made = graph(sizes, known)
    fold_shapes(TENSORFLOW, made)
    constant = made["y/static_shape"]
    assert made["y"].input == ["x", "y/static_shape"]
    assert (constant.op, constant.attr["dtype"].type, constant.attr["value"].tensor) == ("Const", INT32, shape)
    assert made["y"].attr["Tshape"].type == INT32


@pytest.mark.parametrize(
    ("sizes", "known"),
    [
        ([None, None, 64], [-1, 7, 64]),  # two are open
        ([3, 4], [3, 4]),  # no size is
        ([None, -1], []),  # nobody knows the rest
        ([None, -1], [-1, 7, -1]),
        ([None, -1, 64], [-1, 7, 64]),  # more than the batch and a rest
        ([-1, None], [-1, 7]),  # the batch is not the computed one
    ],
)
def test_other_shapes_stay(sizes: list[int | None], known: list[int]) -> None:
    made = graph(sizes, known)
    count = len(made.node)
    fold_shapes(TENSORFLOW, made)
    assert (made["y"].input, len(made.node)) == (["x", "pack"], count)
