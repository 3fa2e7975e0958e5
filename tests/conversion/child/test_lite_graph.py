"""What a TensorFlow Lite graph says of its inputs: worked out on paper."""

from __future__ import annotations

from onnxviz.conversion.child.reference import _random
from onnxviz.conversion.child.routes.tflite_model import _LiteGraph, _LiteOperator
from onnxviz.conversion.child.runners import SourceInput


def graph_of(kind: str, inputs: list[str], shapes: dict[str, list[int]]) -> _LiteGraph:
    operators = [_LiteOperator(kind, inputs, ["y"])]
    return _LiteGraph(list(shapes), operators, [name for name in inputs if name != "w"], ["y"], {}, shapes, [])


def test_an_input_that_asks_for_a_shape_is_given_the_one_that_the_file_notes() -> None:
    shapes = {"size": [4], "w": [64, 3, 4, 64], "x": [1, 5, 2, 64], "y": [1, 7, 4, 64]}
    graph = graph_of("TRANSPOSE_CONV", ["size", "w", "x"], shapes)
    assert graph.asked == {"size": [1, 7, 4, 64]}
    given = SourceInput("size", [4], "int32", fixed=graph.asked["size"])
    assert _random(given, 64, None).tolist() == [1, 7, 4, 64]  # type: ignore[arg-type]


def test_other_inputs_are_not() -> None:
    shapes = {"x": [2, 6], "size": [3], "y": []}
    assert graph_of("RESHAPE", ["x", "size"], shapes).asked == {}  # of a shape that the file does not tell
    assert graph_of("ADD", ["x", "size"], {**shapes, "y": [2, 6, 1]}).asked == {}
    assert graph_of("RESHAPE", ["x", "size"], {**shapes, "y": [2, 6, 1]}).asked == {"size": [2, 6, 1]}
    assert graph_of("RESHAPE", ["x"], {"x": [2, 6], "y": [12]}).asked == {}
