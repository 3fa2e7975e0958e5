from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data
from onnx.helper import (
    make_function,
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_sparse_tensor,
    make_tensor,
    make_tensor_value_info,
)

from onnxviz.errors import ModelError, NotAModelError
from onnxviz.graph.graph import Graph
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.storage.wire import delimited_field, encode_varint, varint_field

BUNDLED = Path(__file__).parents[3] / "models" / "efficientnet_lite0_int8.onnx"
FLOAT = TensorProto.FLOAT
LARGE = numpy.arange(400, dtype="f4").reshape(4, 100)
SMALL = numpy.arange(4, dtype="f4").reshape(4, 1)

links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


def array(name, values):
    return numpy_helper.from_array(values, name)


def constant(name, values):
    return make_node("Constant", [], [name], value=array(f"{name}_tensor", values))


def model(nodes, initializers=(), *, inputs=(), **more):
    graph = make_graph(
        nodes,
        "g",
        [make_tensor_value_info("x", FLOAT, [4, 100]), *inputs],
        [make_tensor_value_info("y", FLOAT, [4, 100])],
        list(initializers),
    )
    return make_model(graph, opset_imports=[make_opsetid("", 17), make_opsetid("my", 1)], ir_version=9, **more)


def add(initializer):
    return model([make_node("Add", ["x", "w"], ["y"])], [initializer])


def saved(proto, path):
    path.write_bytes(proto.SerializeToString())
    return path


def references(proto):
    """Each reference of a model, as (tensor's name, location, offset, length)."""
    return [
        (tensor.name, entries["location"], int(entries.get("offset", 0)), int(entries.get("length", -1)))
        for tensor in onnx.external_data_helper._get_all_tensors(proto)
        if tensor.data_location == TensorProto.EXTERNAL
        for entries in [{entry.key: entry.value for entry in tensor.external_data}]
    ]


def filled(file):
    """The skeleton with the data of each reference put back, as onnx.load gives the original."""
    proto = onnx.ModelProto.FromString(file.skeleton)
    for tensor in onnx.external_data_helper._get_all_tensors(proto):
        if tensor.data_location == TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            start, length = int(entries.get("offset", 0)), int(entries["length"])
            tensor.raw_data = (file.folder / entries["location"]).read_bytes()[start : start + length]
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return proto


def weights(proto):
    return {tensor.name: tensor.raw_data for tensor in proto.graph.initializer}


def test_the_bundled_model_is_small_without_its_weights_and_whole_with_them():
    file = ModelFile.open(BUNDLED)
    assert len(file.skeleton) < file.size / 50
    assert filled(file) == onnx.load(BUNDLED)
    assert (file.folder, file.path, file.missing) == (BUNDLED.parent.resolve(), BUNDLED, "")


def test_tensors_up_to_one_kib_stay_inside(tmp_path):
    kept = array("w", numpy.zeros((2, 128), "f4"))
    moved = array("w", numpy.zeros((1, 257), "f4"))
    assert references(onnx.ModelProto.FromString(ModelFile.open(saved(add(kept), tmp_path / "a.onnx")).skeleton)) == []
    file = ModelFile.open(saved(add(moved), tmp_path / "b.onnx"))
    ((name, location, offset, length),) = references(onnx.ModelProto.FromString(file.skeleton))
    assert (name, location, length) == ("w", "b.onnx", 1028)
    assert file.path.read_bytes()[offset : offset + length] == moved.raw_data


@pytest.mark.parametrize(
    ("tensor", "moves"),
    [
        (make_tensor("w", FLOAT, [4, 100], LARGE.ravel()), True),
        (make_tensor("w", TensorProto.DOUBLE, [4, 100], LARGE.ravel()), True),
        (make_tensor("w", TensorProto.COMPLEX64, [400], LARGE.ravel() + 1j), True),
        (array("w", LARGE.astype("i8")), True),
        (make_tensor("w", TensorProto.INT64, [4, 100], range(400)), False),
        (make_tensor("w", TensorProto.INT32, [4, 100], [1000] * 400), False),
        (make_tensor("w", TensorProto.UINT64, [4, 100], [1 << 60] * 400), False),
        (make_tensor("w", TensorProto.STRING, [400], [b"text"] * 400), False),
    ],
    ids=["float", "double", "complex", "raw", "int64", "int32", "uint64", "string"],
)
def test_data_that_lie_as_raw_data_do_are_referenced_and_others_copied(tmp_path, tensor, moves):
    file = ModelFile.open(saved(add(tensor), tmp_path / "m.onnx"))
    (stored,) = onnx.ModelProto.FromString(file.skeleton).graph.initializer
    assert (stored.data_location == TensorProto.EXTERNAL) is moves
    (whole,) = filled(file).graph.initializer
    assert numpy.array_equal(numpy_helper.to_array(whole), numpy_helper.to_array(tensor))


def everywhere():
    """A model with 1.6 kB tensors in every place where they can be referenced."""
    then = make_graph(
        [constant("then_weight", LARGE), make_node("Add", ["x", "then_weight"], ["t"])],
        "then",
        [],
        [make_tensor_value_info("t", FLOAT, [4, 100])],
    )
    other = make_graph(
        [make_node("Add", ["x", "else_weight"], ["e"])],
        "else",
        [],
        [make_tensor_value_info("e", FLOAT, [4, 100])],
        [array("else_weight", LARGE * 2)],
    )
    function = make_function(
        "my",
        "F",
        ["a"],
        ["b"],
        [constant("function_weight", LARGE * 3), make_node("Mul", ["a", "function_weight"], ["b"])],
        [make_opsetid("", 17)],
    )
    nodes = [
        constant("outer_weight", LARGE * 5),
        make_node("If", ["c"], ["chosen"], then_branch=then, else_branch=other),
        make_node("F", ["chosen"], ["called"], domain="my"),
        make_node("Add", ["called", "initial"], ["sum"]),
        make_node("Add", ["sum", "outer_weight"], ["y"]),
    ]
    condition = make_tensor_value_info("c", TensorProto.BOOL, [])
    initial = make_tensor("initial", FLOAT, [4, 100], LARGE.ravel() * 7)
    return model(nodes, [initial], inputs=[condition], functions=[function])


def test_onnxruntime_runs_references_in_constants_bodies_and_functions(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    path = saved(everywhere(), tmp_path / "größe.onnx")
    file = ModelFile.open(path)
    named = [name for name, _, _, length in references(onnx.ModelProto.FromString(file.skeleton)) if length == 1600]
    assert {*named} >= {"initial", "outer_weight_tensor", "then_weight_tensor", "else_weight"}
    assert file.skeleton.count("größe.onnx".encode()) == 5
    options = runtime.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(file.folder))
    for condition in (True, False):
        feed = {"x": LARGE, "c": numpy.array(condition)}
        (expected,) = runtime.InferenceSession(path).run(None, feed)
        (result,) = runtime.InferenceSession(file.skeleton, options).run(None, feed)
        assert numpy.array_equal(result, expected)


def test_a_file_with_two_dots_in_its_name_runs_too(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    file = ModelFile.open(saved(everywhere(), tmp_path / "a..b.onnx"))
    options = runtime.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(file.folder))
    (result,) = runtime.InferenceSession(file.skeleton, options).run(None, {"x": LARGE, "c": numpy.array(True)})
    assert numpy.array_equal(result, (LARGE * 2) * (LARGE * 3) + LARGE * 7 + LARGE * 5)


@pytest.mark.parametrize("condition", [True, False])
def test_a_file_with_two_hard_links_runs_too(tmp_path, condition):
    runtime = pytest.importorskip("onnxruntime")
    path = saved(everywhere(), tmp_path / "m.onnx")
    os.link(path, tmp_path / "in_a_cache.onnx")
    file = ModelFile.open(path)
    options = runtime.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(file.folder))
    (result,) = runtime.InferenceSession(file.skeleton, options).run(None, {"x": LARGE, "c": numpy.array(condition)})
    chosen = LARGE if condition else LARGE * 2
    assert numpy.array_equal(result, (LARGE + chosen) * (LARGE * 3) + LARGE * 7 + LARGE * 5)


def test_what_kernels_read_themselves_stays_inside(tmp_path):
    keys = numpy.arange(400)
    encoder = make_node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_tensor=array("k", keys))
    named_alike = make_node("Constant", [], ["c"], domain="my", value=array("v", LARGE))
    sparse = make_sparse_tensor(array("s", LARGE.ravel()), array("i", numpy.arange(400)), [1000])
    proto = model([encoder, named_alike])
    proto.graph.sparse_initializer.append(sparse)
    proto.training_info.add().algorithm.initializer.append(array("t", LARGE))
    assert ModelFile.open(saved(proto, tmp_path / "m.onnx")).skeleton == proto.SerializeToString()


def test_data_in_two_pieces_are_left_as_they_are(tmp_path):
    half = delimited_field(4, LARGE.tobytes())
    tensor = varint_field(1, 8) + varint_field(1, 100) + varint_field(2, 1) + delimited_field(8, b"w") + half + half
    proto = model([make_node("Relu", ["x"], ["y"])])
    content = proto.SerializeToString()
    graph = delimited_field(7, proto.graph.SerializeToString() + delimited_field(5, tensor))
    proto.ClearField("graph")
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString() + graph)
    assert len(path.read_bytes()) > len(content) + 3200
    assert numpy_helper.to_array(filled(ModelFile.open(path)).graph.initializer[0]).shape == (8, 100)
    assert ModelFile.open(path).skeleton == path.read_bytes()


def external(path, *, location="m.data", proto=None):
    proto = proto or add(array("w", LARGE))
    convert_model_to_external_data(proto, location=location, size_threshold=0)
    (path.parent / location).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, path)
    return path


def test_external_data_are_kept_as_they_are(tmp_path):
    path = external(tmp_path / "m.onnx")
    file = ModelFile.open(path)
    assert onnx.ModelProto.FromString(file.skeleton) == onnx.load(path, load_external_data=False)
    assert [part.path.name for part in file.parts] == ["m.onnx", "m.data"]
    assert weights(filled(file)) == weights(onnx.load(path))


def test_external_data_and_large_tensors_of_its_own_mix(tmp_path):
    proto = add(array("w", LARGE))
    proto.graph.initializer.append(array("inner", LARGE * 2))
    path = external(tmp_path / "m.onnx", proto=add(array("w", LARGE)), location="deep/m.data")
    mixed = onnx.load(path, load_external_data=False)
    mixed.graph.initializer.append(array("inner", LARGE * 2))
    saved(mixed, path)
    file = ModelFile.open(path)
    assert {location for _, location, _, _ in references(onnx.ModelProto.FromString(file.skeleton))} == {
        "deep/m.data",
        "m.onnx",
    }
    assert [numpy_helper.to_array(tensor)[3, 99] for tensor in filled(file).graph.initializer] == [399, 798]


@links
def test_the_cache_of_hugging_face_opens_and_runs(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "0123" / "onnx"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    external(tmp_path / "model.onnx", location="model.onnx_data")
    (tmp_path / "model.onnx").rename(blobs / "aaaa")
    (tmp_path / "model.onnx_data").rename(blobs / "bbbb")
    (snapshot / "model.onnx").symlink_to("../../../blobs/aaaa")
    (snapshot / "model.onnx_data").symlink_to("../../../blobs/bbbb")
    file = ModelFile.open(snapshot / "model.onnx")
    assert file.folder == blobs.resolve()
    assert references(onnx.ModelProto.FromString(file.skeleton)) == [("w", "bbbb", 0, 1600)]
    options = runtime.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(file.folder))
    (result,) = runtime.InferenceSession(file.skeleton, options).run(None, {"x": LARGE})
    assert numpy.array_equal(result, LARGE * 2)


@links
def test_a_link_to_a_model_elsewhere_is_read_where_the_model_is(tmp_path):
    (tmp_path / "real").mkdir()
    external(tmp_path / "real" / "m.onnx")
    (tmp_path / "link.onnx").symlink_to("real/m.onnx")
    file = ModelFile.open(tmp_path / "link.onnx")
    assert (file.folder, file.missing) == ((tmp_path / "real").resolve(), "")
    assert weights(filled(file)) == weights(onnx.load(tmp_path / "real" / "m.onnx"))


def referring(location, offset="0", length="1600"):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[4, 100], data_location=TensorProto.EXTERNAL)
    for key, value in [("location", location), ("offset", offset), ("length", length)]:
        tensor.external_data.add(key=key, value=value)
    return add(tensor)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (("../../etc/passwd",), "lie outside the model's folder: '../../etc/passwd'; such a model is not opened"),
        (("a/../../b",), "lie outside the model's folder"),
        (("..\\b",), "lie outside the model's folder"),
        (("/etc/passwd",), "lie outside the model's folder"),
        (("C:\\data",), "lie outside the model's folder"),
        (("",), "have a location that is not a file: ''"),
        (("*/_ORT_MEM_ADDR_/*",), "have a location that is not a file"),
        (("a\0b",), "have a location that is not a file"),
        (("x" * 5000,), "have a location that is not a file"),
        (("m.data", "-8"), "in 'm.data' have a negative offset or length"),
        (("m.data", "0", "-5"), "in 'm.data' have a negative offset or length"),
        (("m.data", "zero"), "in 'm.data' have an offset or length that is not a number"),
    ],
)
def test_references_that_lead_out_or_nowhere_are_refused(tmp_path, reference, text):
    with pytest.raises(ModelError) as caught:
        ModelFile.open(saved(referring(*reference), tmp_path / "m.onnx"))
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reference_in_a_small_constant_of_a_body_is_checked_too(tmp_path):
    (tensor,) = referring("../secret").graph.initializer
    branch = make_graph(
        [make_node("Constant", [], ["k"], value=tensor)], "b", [], [make_tensor_value_info("k", FLOAT, [4, 100])]
    )
    proto = model([make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)])
    with pytest.raises(ModelError, match="outside the model's folder"):
        ModelFile.open(saved(proto, tmp_path / "m.onnx"))


@links
def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "secret").write_bytes(bytes(1600))
    (tmp_path / "model" / "m.data").symlink_to("../secret")
    with pytest.raises(ModelError, match=r"'m\.data' lead outside the model's folder, to '.*secret'"):
        ModelFile.open(saved(referring("m.data"), tmp_path / "model" / "m.onnx"))


def test_weights_that_are_not_there_leave_a_model_that_can_be_listed(tmp_path):
    file = ModelFile.open(saved(referring("m.data"), tmp_path / "m.onnx"))
    assert [node.op for node in Graph.from_bytes(file.skeleton).nodes] == ["Add"]
    with pytest.raises(ModelError, match=r"'.*m\.onnx': its weights are in 'm\.data', which is missing beside it"):
        file.check_complete()
    (tmp_path / "m.data").write_bytes(bytes(1000))
    with pytest.raises(ModelError, match=r"need 1600 bytes of 'm\.data', which has 1000: it is truncated"):
        ModelFile.open(tmp_path / "m.onnx").check_complete()
    (tmp_path / "m.data").write_bytes(bytes(1600))
    ModelFile.open(tmp_path / "m.onnx").check_complete()


@pytest.mark.parametrize("changed", ["m.onnx", "m.data"])
def test_a_change_after_opening_is_noticed(tmp_path, changed):
    file = ModelFile.open(external(tmp_path / "m.onnx"))
    file.check_unchanged()
    os.utime(tmp_path / changed, ns=(1, 1))
    with pytest.raises(ModelError, match=rf"{changed}' has changed since the model was opened"):
        file.check_unchanged()
    (tmp_path / changed).unlink()
    with pytest.raises(ModelError, match=rf"{changed}' cannot be read any more"):
        file.check_unchanged()


@pytest.mark.skipif(sys.platform == "win32", reason="files are sparse on Unix only")
def test_a_single_file_above_2_gb_lists_in_little_memory(tmp_path):
    length = 2_500_000_000
    tensor = b"".join(
        [
            varint_field(1, length // 4),
            varint_field(2, FLOAT),
            delimited_field(8, b"w"),
            encode_varint(9 << 3 | 2),
            encode_varint(length),
        ]
    )
    proto = model([make_node("Mul", ["x", "w"], ["y"])])
    graph = proto.graph.SerializeToString() + encode_varint(5 << 3 | 2) + encode_varint(len(tensor) + length) + tensor
    proto.ClearField("graph")
    content = proto.SerializeToString() + encode_varint(7 << 3 | 2) + encode_varint(len(graph) + length) + graph
    path = tmp_path / "huge.onnx"
    path.write_bytes(content)
    os.truncate(path, len(content) + length)
    tracemalloc.start()
    file = ModelFile.open(path)
    found = Graph.from_bytes(file.skeleton)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert file.size > 2**31
    assert found.dims("w") == (625_000_000,)
    assert references(found.proto) == [("w", "huge.onnx", len(content), length)]


def test_two_graphs_in_one_file_are_refused(tmp_path):
    content = add(array("w", SMALL)).SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(content + content)
    with pytest.raises(ModelError, match="holds 2 graph fields where a model has one"):
        ModelFile.open(path)


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "half.onnx"
    path.write_bytes(BUNDLED.read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"'.*half\.onnx': the file is truncated at byte 100000: its field 7 at byte"):
        ModelFile.open(path)
    with pytest.raises(NotAModelError, match=r"'.*empty\.onnx' is not an ONNX model: the file is empty"):
        (tmp_path / "empty.onnx").touch()
        ModelFile.open(tmp_path / "empty.onnx")


@pytest.mark.skipif(sys.platform != "linux", reason="such names exist on Linux only")
def test_a_file_name_that_is_no_text_is_told(tmp_path):
    with pytest.raises(ModelError, match="not valid UTF-8 text, as ONNX needs it; rename the file"):
        ModelFile.open(saved(add(array("w", LARGE)), tmp_path / os.fsdecode(b"m\xff.onnx")))
