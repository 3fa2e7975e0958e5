"""Files that are no models, broken models and models made to harm: each is one clear error or a right answer."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile

import numpy
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from onnxviz.errors import ModelError, NotAModelError
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.operators.receptive_field import Status
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.storage.wire import delimited_field, encode_varint, varint_field
from tests.cost import counted

FLOAT = TensorProto.FLOAT
LIMITS = {"lines": 20_000, "peak": 1 << 18}  # the costliest runs 10,000 lines of onnxviz and holds 85 kB


def small_model():
    """A convolution with a weight above 1 KiB, a Constant, an If and a function-like custom call: about 3 kB."""
    branch = make_graph([make_node("Neg", ["b"], ["t"])], "branch", [], [make_tensor_value_info("t", FLOAT, None)])
    weight = numpy.linspace(-1, 1, 4 * 3 * 3 * 9, dtype="f4").reshape(12, 3, 3, 3)
    nodes = [
        make_node("Conv", ["x", "w"], ["a"], name="conv", pads=[1, 1, 1, 1]),
        make_node("Relu", ["a"], ["b"], name="relu"),
        make_node("Constant", [], ["c"], value=numpy_helper.from_array(numpy.array(True))),
        make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch),
        make_node("GlobalAveragePool", ["d"], ["e"]),
        make_node("Flatten", ["e"], ["y"], axis=1),
    ]
    graph = make_graph(
        nodes,
        "small",
        [make_tensor_value_info("x", FLOAT, ["N", 3, 8, 8])],
        [make_tensor_value_info("y", FLOAT, ["N", 12])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=9, producer_name="onnxviz tests")
    model.metadata_props.add(key="key", value="größe")
    return model.SerializeToString()


def look(path):
    """All that a listing does with a file."""
    file = ModelFile.open(path)
    graph = Graph.from_bytes(file.skeleton)
    infer_types(graph)
    for node in graph.nodes:
        assert isinstance(node.key, str)
        assert isinstance(node.scope, str)
        for attribute in node.proto.attribute:
            node.attribute(attribute.name)
    for value in (*graph.initializers, *graph.producers):
        graph.dims(value)
        graph.is_constant(value)
        graph.constant(value)
    return graph


def zipped():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("data.pkl", b"weights")
    return content.getvalue()


def nested(depth, filler=b""):
    """If nodes in each other's branches."""
    output = delimited_field(12, delimited_field(1, b"o"))
    graph = delimited_field(1, delimited_field(2, b"o") + delimited_field(4, b"Constant")) + output
    for _ in range(depth):
        branch = delimited_field(1, b"then_branch") + delimited_field(6, graph) + varint_field(20, 5)
        node = delimited_field(2, b"o") + delimited_field(4, b"If") + delimited_field(5, branch) + filler
        graph = delimited_field(1, node) + output
    return varint_field(1, 8) + delimited_field(8, varint_field(2, 17)) + delimited_field(7, graph)


def frozen_tensorflow_graph():
    node = delimited_field(1, b"input") + delimited_field(2, b"Placeholder")
    return delimited_field(1, node) + delimited_field(4, varint_field(1, 1987))


FOREIGN = {
    "nothing": (b"", "the file is empty"),
    "zip": (zipped(), "a zip archive"),
    "html": (b"<!DOCTYPE html><html>404</html>", "an HTML or XML page"),
    "html after blanks": (b"\xef\xbb\xbf\n <html>", "an HTML or XML page"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n", "git lfs pull"),
    "ORT format": (b"\x20\0\0\0ORTM" + bytes(100), "ORT format"),
    "TFLite": (b"\x20\0\0\0TFL3" + bytes(100), "TensorFlow Lite model; onnxviz convert"),
    "JSON": (json.dumps({"ir_version": 8}).encode(), "a JSON text"),
    "text": (b'ir_version: 8\nproducer_name: "x"\n', "onnxviz reads ONNX in its binary form"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    "gzip": (gzip.compress(b"model"), "a gzip archive"),
    "safetensors": (encode_varint(40).ljust(8, b"\0") + b'{"weight":{"dtype":"F32"}}', "a safetensors file"),
    "pickle": (b"\x80\x02}q\x00.", "a Python pickle"),
    "NumPy": (b"\x93NUMPY\x01\x00", "a NumPy array"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    "TensorFlow": (frozen_tensorflow_graph(), "it may be a frozen TensorFlow graph"),
    "zeros": (bytes(100), "it begins with zeros only"),
    "no graph": (varint_field(1, 8), "it holds no graph"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_model_is_said_in_one_line(tmp_path, name):
    content, text = FOREIGN[name]
    path = tmp_path / "file.onnx"
    path.write_bytes(content)
    with pytest.raises(NotAModelError) as caught:
        ModelFile.open(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


BROKEN = {
    "truncated": (small_model()[:-1], "the file is truncated at byte"),
    "half": (small_model()[: len(small_model()) // 2], "the file is truncated at byte"),
    "huge length": (varint_field(1, 8) + b"\x3a" + encode_varint(1 << 62) + b"abc", "truncated at byte"),
    "negative length": (varint_field(1, 8) + b"\x3a" + b"\xff" * 9 + b"\x01abc", "truncated at byte"),
    "endless number": (b"\x08" + b"\xff" * 20, "damaged at byte 1: a number has no end"),
    "random": (random.Random(0).randbytes(5000), "the file is damaged at byte 6: wire type 7 does not occur in ONNX"),
    "nested 25 deep, small": (nested(25), "nested too deeply"),
    "nested 33 deep, small": (nested(33), "nested too deeply"),
    "nested 50 deep": (nested(50), "more than 64 deep"),
    "nested 50 deep, large": (nested(50, delimited_field(3, bytes(2000))), "more than 64 deep"),
    "nested 4,000 deep": (nested(4_000), "more than 64 deep"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_one_clear_error(tmp_path, name):
    content, text = BROKEN[name]
    path = tmp_path / "file.onnx"
    path.write_bytes(content)
    with counted(**LIMITS), pytest.raises(ModelError) as caught:
        look(path)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_eighteen_bodies_in_each_other_are_read(tmp_path):
    path = tmp_path / "deep.onnx"
    path.write_bytes(nested(18))
    assert [node.op for node in look(path).nodes] == ["If"]


@pytest.mark.parametrize("end", range(0, len(small_model()), 97))
def test_wherever_a_file_is_cut_it_says_so(tmp_path, end):
    path = tmp_path / "cut.onnx"
    path.write_bytes(small_model()[:end])
    with pytest.raises(ModelError):
        look(path)


def test_names_are_data_and_harm_nobody(tmp_path):
    path = tmp_path / "names.onnx"
    path.write_bytes(small_model().replace(b"conv", b"\x1b[3\n"))
    assert look(path).nodes[0].name == "\x1b[3\n"


DAMAGED = {
    "too few strides": "Conv <kernel_shape=[3,3], strides=[2]> (x, w)",
    "strides that are no whole numbers": "Conv <kernel_shape=[3,3], strides=[0.5,0.5]> (x, w)",
    "groups in a list": "Conv <kernel_shape=[3,3], group=[1,1]> (x, w)",
    "groups in a text": 'Conv <kernel_shape=[3,3], group=""> (x, w)',
    "an axis twice": "Transpose <perm=[0,0,2,3]> (x)",
    "a stride of 2^40": "ConvTranspose <kernel_shape=[3,3], strides=[1099511627776,2]> (x, w)",
    "no stride": "ConvTranspose <kernel_shape=[3,3], strides=[0,0]> (x, w)",
    "blocks of 2^40": "DepthToSpace <blocksize=1099511627776> (x)",
    "blocks in a text": 'SpaceToDepth <blocksize="two"> (x)',
    "an axis in a text": 'Softmax <axis="C"> (x)',
}


def damaged(node: str) -> list[Layer]:
    """A sound convolution, then a node that is none as its operator is defined."""
    text = (
        '<ir_version: 8, opset_import: ["": 11]> g (float[1,1,8,8] x, float[1,1,8,8] u) => (float[] z) '
        f"<float[1,1,3,3] w = {{1,1,1,1,1,1,1,1,1}}> {{ c = Conv (x, w) y = {node} z = Identity (y) }}"
    )
    graph = Graph.from_proto(onnx.parser.parse_model(text))
    return list(catalogue(graph, infer_types(graph), every=True))


@pytest.mark.parametrize("name", DAMAGED)
def test_of_a_damaged_node_nothing_is_known_and_the_rest_is_listed(name):
    with counted(**LIMITS):
        sound, broken, _ = damaged(DAMAGED[name])
        assert sound.rf == 3
        assert broken.op == DAMAGED[name].split(" ")[0]
        assert broken.receptive_field is not None
        assert broken.receptive_field.status is Status.WHOLE_INPUT


@pytest.mark.parametrize(
    ("node", "size"),
    [
        ("Conv <kernel_shape=[1152921504606846976,3]> (x, w)", None),
        ('Conv <auto_pad="SAME_UPPER", strides=[1099511627776,1]> (x, w)', 3),
        ("Softmax <axis=-4611686018427387904> (x)", None),
        ("LayerNormalization <axis=2147483648> (x, u)", None),
        ("Split <num_outputs=2147483648> (x)", 1),
        ("ReduceMean ()", None),
        ("MaxPool <kernel_shape=[2,2]> ()", None),
        ("Softmax ()", None),
    ],
)
def test_absurd_numbers_and_missing_inputs_cost_nothing(node, size):
    with counted(**LIMITS):
        sound, broken, last = damaged(node)
        assert (sound.rf, broken.op, last.op) == (3, node.split(" ")[0], "Identity")
        assert broken.rf == size


def test_a_node_with_an_absurd_axis_leaves_the_others_their_shapes():
    sound, broken, _ = damaged("LayerNormalization <axis=2147483648> (x, u)")
    assert (sound.shape, broken.shape) == ((1, 1, 6, 6), None)


def test_a_constant_that_is_no_number_is_one_clear_error():
    node = make_node("Constant", [], ["y"], value_int=1)
    node.attribute[0].CopyFrom(onnx.helper.make_attribute("value_int", float("nan")))
    graph = make_graph([node], "g", [], [make_tensor_value_info("y", TensorProto.INT64, [])])
    with pytest.raises(ModelError, match=r"the Constant 'y' is damaged: its value_int cannot convert float NaN"):
        Graph.from_proto(make_model(graph)).constant("y")
