"""Models in canonical form, worked out by hand."""

from __future__ import annotations

from pathlib import Path

from onnxviz.comparing.matching.canonical import Canonical, canonical
from tests.comparing.matching.nets import Net
from tests.models import model_of


def written(found: Canonical) -> list[tuple[str, tuple[tuple[int, int], ...], list[tuple[tuple[str, ...], str]]]]:
    return [(x.operator, x.inputs, [(stage.steps, stage.value) for stage in x.stages]) for x in found.operations]


def test_a_kernel_that_adds_is_spelled_out(tmp_path: Path) -> None:
    net = Net()
    first = net.conv("x", "first", 1)
    fused = net.conv(first, "fused", 2, activation="Relu", domain="com.microsoft")
    net.nodes[-1].op_type = "FusedConv"
    net.nodes[-1].input.extend(["", "first_out"])
    assert written(canonical(net.save(tmp_path / "a.onnx", fused))) == [
        ("Conv", ((-1, 0),), [((), "first_out")]),
        ("Conv", ((0, 0),), [((), "")]),
        ("Add", ((1, 0), (0, 0)), [((), ""), (("Relu",), "fused_out")]),
    ]


def test_what_only_hands_on_is_passed(tmp_path: Path) -> None:
    nodes = """
        i = Identity (x) c = Cast <to = 1> (i) t = Transpose <perm = [0, 2, 3, 1]> (c)
        u = Transpose <perm = [0, 3, 1, 2]> (t) p = GlobalAveragePool (u) s = Shape (p) y = Reshape (p, s)
    """
    found = canonical(model_of(tmp_path / "a.onnx", f"g (float[1,4,5,6] x) => (float[] y) {{ {nodes} }}"))
    assert [(x.operator, x.inputs, x.reads) for x in found.operations] == [
        ("GlobalAveragePool", ((-1, 0),), ("u",)),
        ("Reshape", ((0, 0),), ("p",)),
    ]


def test_a_nonlinearity_of_several_nodes_is_one_step(tmp_path: Path) -> None:
    net = Net()
    conv = net.conv("x", "conv", 1)
    gate = net.add("Sigmoid", [conv], "sigmoid")
    (operation,) = canonical(net.save(tmp_path / "a.onnx", net.add("Mul", [conv, gate], "mul"))).operations
    assert [(stage.steps, stage.value) for stage in operation.stages] == [((), "conv_out"), (("Swish",), "mul_out")]
