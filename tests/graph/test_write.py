import errno
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxviz.errors import ModelError, OutputError
from onnxviz.graph import write
from onnxviz.graph.cut import cut
from onnxviz.graph.expose import expose
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.write import check_link, write_linked, write_standalone

SIZE = 600


def weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SIZE).astype(np.float32)


def packed(name: str, array: np.ndarray) -> TensorProto:
    """A tensor whose numbers lie in the packed field of their type, not in raw data."""
    return helper.make_tensor(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.tolist())


def varied_model() -> onnx.ModelProto:
    """y = x + raw + floats + doubles + ints + constant, then of that a function's constant and a body's weights."""
    vector = helper.make_tensor_value_info("inside", TensorProto.FLOAT, [SIZE])
    body = helper.make_graph(
        [helper.make_node("Add", ["s4", "of_body"], ["inside"])],
        "body",
        [],
        [vector],
        [numpy_helper.from_array(weights(5), "of_body")],
    )
    function = helper.make_function(
        "mine",
        "shift",
        ["p"],
        ["q"],
        [
            helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(weights(6))),
            helper.make_node("Add", ["p", "c"], ["q"]),
        ],
        [helper.make_opsetid("", 17)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "raw"], ["s0"]),
            helper.make_node("Add", ["s0", "floats"], ["s1"]),
            helper.make_node("Cast", ["doubles"], ["doubles_cast"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["s1", "doubles_cast"], ["s2"]),
            helper.make_node("Cast", ["ints"], ["ints_cast"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["s2", "ints_cast"], ["s3"]),
            helper.make_node("Constant", [], ["constant"], value=numpy_helper.from_array(weights(4))),
            helper.make_node("Add", ["s3", "constant"], ["s4"]),
            helper.make_node("If", ["flag"], ["s5"], then_branch=body, else_branch=body),
            helper.make_node("shift", ["s5"], ["y"], domain="mine"),
        ],
        "varied",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [SIZE])],
        [
            numpy_helper.from_array(weights(0), "raw"),
            packed("floats", weights(1)),
            packed("doubles", weights(2).astype(np.float64)),
            packed("ints", np.arange(SIZE, dtype=np.int64)),
            numpy_helper.from_array(np.array(True), "flag"),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    model = helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=8)
    model.metadata_props.add(key="author", value="me")
    return model


@pytest.fixture
def varied(tmp_path) -> Path:
    path = tmp_path / "varied.onnx"
    path.write_bytes(varied_model().SerializeToString())
    return path


@pytest.fixture
def scattered(tmp_path) -> Path:
    """The same with its weights in two files, one of them in a folder below and without a length."""
    model = varied_model()
    (tmp_path / "data").mkdir()
    for tensor, location in zip(model.graph.initializer[:2], ("one.bin", "data/two.bin"), strict=True):
        content = numpy_helper.to_array(tensor).tobytes()
        (tmp_path / location).write_bytes(b"\0" * 64 + content)
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        entries = {"location": location, "offset": "64", "length": str(len(content))}
        if location == "data/two.bin":
            del entries["length"]
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    path = tmp_path / "scattered.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def opened(path: Path) -> tuple[ModelFile, Graph]:
    file = ModelFile.open(path)
    return file, Graph.from_bytes(file.skeleton)


def arrays(model: onnx.ModelProto) -> dict[str, bytes]:
    return {tensor.name: numpy_helper.to_array(tensor).tobytes() for tensor in model.graph.initializer}


def run(path: Path, *outputs: str) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(list(outputs) or None, {"x": np.ones(SIZE, np.float32)})


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


class TestStandalone:
    @pytest.mark.parametrize("original", ["varied", "scattered"])
    def test_it_holds_the_weights_byte_for_byte(self, request, tmp_path, original):
        path = request.getfixturevalue(original)
        file, graph = opened(path)
        alone = tmp_path / "alone"
        alone.mkdir()
        exposed = expose(graph, ["s2"], infer_types(graph)).graph
        write_standalone(exposed, file, alone / "out.onnx", force=False)
        assert names(alone) == ["out.onnx"]
        model = onnx.load(alone / "out.onnx", load_external_data=False)
        assert arrays(model) == arrays(onnx.load(path))
        assert [info.name for info in model.graph.output] == ["y", "s2"]
        onnx.checker.check_model(model, full_check=True)
        (want,) = run(path)
        got, inner = run(alone / "out.onnx", "y", "s2")
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(inner, ((1 + weights(0)) + weights(1)) + weights(2))

    def test_nothing_but_the_outputs_differs_from_the_original(self, tmp_path, varied):
        file, graph = opened(varied)
        write_standalone(expose(graph, ["s0"], infer_types(graph)).graph, file, tmp_path / "out.onnx", force=False)
        model, want = onnx.load(tmp_path / "out.onnx"), varied_model()
        del model.graph.output[1:]
        for tensor in (*model.graph.initializer[1:3], *want.graph.initializer[1:3]):
            content = numpy_helper.to_array(tensor).tobytes()
            tensor.ClearField("float_data")
            tensor.ClearField("double_data")
            tensor.raw_data = content
        assert model == want

    def test_constants_in_nodes_bodies_and_functions_are_written(self, tmp_path, varied):
        file, graph = opened(varied)
        assert any(True for _ in write._references(graph.proto.graph.node[6]))
        write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert not any(True for _ in write._references(onnx.load(tmp_path / "out.onnx", load_external_data=False)))

    def test_a_cut_graph_holds_only_its_own_weights(self, tmp_path, varied):
        file, graph = opened(varied)
        write_standalone(cut(graph, ["s0"], infer_types(graph)), file, tmp_path / "out.onnx", force=False)
        assert (tmp_path / "out.onnx").stat().st_size < 4 * SIZE + 300
        onnx.checker.check_model(str(tmp_path / "out.onnx"), full_check=True)
        (maps,) = run(tmp_path / "out.onnx")
        np.testing.assert_array_equal(maps, 1 + weights(0))

    @pytest.mark.parametrize("force", [False, True])
    @pytest.mark.parametrize("name", ["scattered.onnx", "one.bin", "link.onnx"])
    def test_it_never_takes_the_place_of_the_model(self, tmp_path, scattered, name, force):
        (tmp_path / "link.onnx").symlink_to("scattered.onnx")
        file, graph = opened(scattered)
        before = (tmp_path / name).read_bytes()
        with pytest.raises(OutputError, match="the model is read from it"):
            write_standalone(graph, file, tmp_path / name, force=force)
        assert (tmp_path / name).read_bytes() == before

    def test_another_file_is_overwritten_by_force_only(self, tmp_path, varied):
        file, graph = opened(varied)
        exposed = expose(graph, ["s0"], infer_types(graph)).graph
        (tmp_path / "out.onnx").write_bytes(b"mine")
        with pytest.raises(OutputError, match="exists: --force"):
            write_standalone(exposed, file, tmp_path / "out.onnx", force=False)
        write_standalone(exposed, file, tmp_path / "out.onnx", force=True)
        assert arrays(onnx.load(tmp_path / "out.onnx")) == arrays(varied_model())
        assert [info.name for info in onnx.load(tmp_path / "out.onnx").graph.output] == ["y", "s0"]

    def test_an_original_that_changed_is_refused(self, tmp_path, varied):
        file, graph = opened(varied)
        varied.write_bytes(varied.read_bytes()[:-1])
        with pytest.raises(ModelError, match="has changed"):
            write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert names(tmp_path) == ["varied.onnx"]

    def test_an_original_that_changes_meanwhile_leaves_no_file(self, tmp_path, varied, monkeypatch):
        file, graph = opened(varied)
        copy_range = write.copy_range

        def cutting_short(*arguments):
            os.truncate(varied, 100)
            copy_range(*arguments)

        monkeypatch.setattr(write, "copy_range", cutting_short)
        with pytest.raises(ModelError, match="too early"):
            write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert names(tmp_path) == ["varied.onnx"]

    @pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
    def test_a_full_disk_or_an_interrupt_leaves_nothing(self, tmp_path, varied, monkeypatch, error):
        file, graph = opened(varied)

        def failing(*_):
            assert names(tmp_path) == ["out.onnx.part", "varied.onnx"]
            raise error

        monkeypatch.setattr(write, "copy_range", failing)
        expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(expected, match=r"no space left on device|^$"):
            write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert names(tmp_path) == ["varied.onnx"]

    def test_no_room_is_told_before_anything_is_copied(self, tmp_path, varied, monkeypatch):
        file, graph = opened(varied)
        monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
        with pytest.raises(OutputError, match="0 MB are free"):
            write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert names(tmp_path) == ["varied.onnx"]

    def test_weights_outside_above_2_gb_are_told_with_the_way_out(self, tmp_path, scattered, monkeypatch):
        file, graph = opened(scattered)
        monkeypatch.setattr(write, "LARGEST", file.size + 1000)
        with pytest.raises(OutputError, match=r"protobuf ends at 2 GB\n--linked leaves the weights where they are"):
            write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert "out.onnx" not in names(tmp_path)

    def test_missing_weights_are_told(self, tmp_path, scattered):
        (tmp_path / "one.bin").unlink()
        file, graph = opened(scattered)
        with pytest.raises(ModelError, match=r"one\.bin"):
            write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert "out.onnx" not in names(tmp_path)

    def test_a_model_without_large_weights(self, tmp_path, doubling_model):
        file, graph = opened(doubling_model)
        write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert onnx.load(tmp_path / "out.onnx") == onnx.load(doubling_model)

    def test_the_bundled_model(self, tmp_path, bundled_model):
        file, graph = opened(bundled_model)
        write_standalone(graph, file, tmp_path / "out.onnx", force=False)
        assert arrays(onnx.load(tmp_path / "out.onnx")) == arrays(onnx.load(bundled_model))
        onnx.checker.check_model(str(tmp_path / "out.onnx"), full_check=True)


class TestLinked:
    @pytest.mark.parametrize("original", ["varied", "scattered"])
    def test_it_reads_the_originals_weights(self, request, tmp_path, original):
        path = request.getfixturevalue(original)
        file, graph = opened(path)
        linked = tmp_path / "linked.onnx"
        write_linked(expose(graph, ["s2"], infer_types(graph)).graph, file, linked, force=False)
        assert linked.stat().st_size < 8000
        onnx.checker.check_model(str(linked), full_check=True)
        got, _ = run(linked)
        np.testing.assert_array_equal(got, run(path)[0])
        again_file, again = opened(linked)
        check_link(again, tmp_path)
        assert again.metadata["author"] == "me"
        assert again.metadata["onnxviz.linked.file"] == path.name
        assert again.metadata["onnxviz.linked.size"] == str(path.stat().st_size)
        assert again.metadata["onnxviz.linked.sha256"] == hashlib.sha256(file.skeleton).hexdigest()
        assert again_file.missing == ""

    def test_the_original_may_lie_below(self, tmp_path, varied):
        (tmp_path / "below").mkdir()
        below = varied.rename(tmp_path / "below" / varied.name)
        file, graph = opened(below)
        write_linked(graph, file, tmp_path / "linked.onnx", force=False)
        assert opened(tmp_path / "linked.onnx")[1].metadata["onnxviz.linked.file"] == "below/varied.onnx"
        check_link(opened(tmp_path / "linked.onnx")[1], tmp_path)
        np.testing.assert_array_equal(run(tmp_path / "linked.onnx"), run(below))

    def test_the_original_may_not_lie_elsewhere(self, tmp_path, varied):
        (tmp_path / "below").mkdir()
        file, graph = opened(varied)
        with pytest.raises(OutputError, match=r"must lie beside its weights(.|\n)*leave out --linked"):
            write_linked(graph, file, tmp_path / "below" / "linked.onnx", force=False)
        assert names(tmp_path / "below") == []

    def test_a_model_that_is_a_link_as_in_a_cache(self, tmp_path, varied):
        """The model is a link into `blobs/`, and so are its weights: written above both, the file is linked to them."""
        (tmp_path / "blobs").mkdir()
        (tmp_path / "snapshot").mkdir()
        varied.rename(tmp_path / "blobs" / "0123")
        link = tmp_path / "snapshot" / "model.onnx"
        link.symlink_to(Path("..") / "blobs" / "0123")
        file, graph = opened(link)
        write_linked(graph, file, tmp_path / "linked.onnx", force=False)
        write_linked(graph, file, tmp_path / "blobs" / "linked.onnx", force=False)
        for path in (tmp_path / "linked.onnx", tmp_path / "blobs" / "linked.onnx"):
            check_link(opened(path)[1], path.parent)
            np.testing.assert_array_equal(run(path), run(tmp_path / "blobs" / "0123"))

    def test_an_original_that_changed_is_told(self, tmp_path, varied):
        file, graph = opened(varied)
        write_linked(graph, file, tmp_path / "linked.onnx", force=False)
        linked = opened(tmp_path / "linked.onnx")[1]
        content = varied.read_bytes()
        varied.write_bytes(content.replace(b"author", b"editor"))
        with pytest.raises(ModelError, match=r"varied\.onnx, which has changed since(.|\n)*onnxviz expose --linked"):
            check_link(linked, tmp_path)
        varied.write_bytes(content + b"\x32\x01a")
        with pytest.raises(ModelError, match="has changed since"):
            check_link(linked, tmp_path)
        varied.unlink()
        with pytest.raises(ModelError, match=r"varied\.onnx, which holds its weights and is missing"):
            check_link(linked, tmp_path)

    @pytest.mark.parametrize("name", ["/etc/passwd", "../secret.onnx", ""])
    def test_a_link_that_leads_outside_is_not_followed(self, tmp_path, varied, name):
        model = varied_model()
        model.metadata_props.add(key="onnxviz.linked.file", value=name)
        with pytest.raises(ModelError, match="outside its folder"):
            check_link(Graph.from_proto(model), tmp_path)

    def test_a_graph_that_is_not_linked_is_not_checked(self, tmp_path):
        check_link(Graph.from_proto(varied_model()), tmp_path)

    def test_a_linked_file_of_a_linked_file_names_the_one_with_the_weights(self, tmp_path, varied):
        (tmp_path / "below").mkdir()
        below = varied.rename(tmp_path / "below" / varied.name)
        file, graph = opened(below)
        write_linked(graph, file, tmp_path / "below" / "once.onnx", force=False)
        once, once_graph = opened(tmp_path / "below" / "once.onnx")
        write_linked(once_graph, once, tmp_path / "twice.onnx", force=False)
        once.path.unlink()
        check_link(opened(tmp_path / "twice.onnx")[1], tmp_path)
        np.testing.assert_array_equal(run(tmp_path / "twice.onnx"), run(below))

    def test_a_standalone_file_of_a_linked_file_is_not_linked(self, tmp_path, varied):
        file, graph = opened(varied)
        write_linked(graph, file, tmp_path / "linked.onnx", force=False)
        linked, linked_graph = opened(tmp_path / "linked.onnx")
        write_standalone(linked_graph, linked, tmp_path / "out.onnx", force=False)
        assert opened(tmp_path / "out.onnx")[1].metadata == {"author": "me"}
        assert arrays(onnx.load(tmp_path / "out.onnx")) == arrays(varied_model())

    @pytest.mark.parametrize("name", ["scattered.onnx", "one.bin"])
    def test_it_never_takes_the_place_of_its_weights(self, tmp_path, scattered, name):
        file, graph = opened(scattered)
        before = (tmp_path / name).read_bytes()
        with pytest.raises(OutputError, match="the model is read from it"):
            write_linked(graph, file, tmp_path / name, force=True)
        assert (tmp_path / name).read_bytes() == before

    def test_it_is_not_overwritten_without_force(self, tmp_path, varied):
        file, graph = opened(varied)
        (tmp_path / "linked.onnx").write_bytes(b"mine")
        with pytest.raises(OutputError, match="exists: --force"):
            write_linked(graph, file, tmp_path / "linked.onnx", force=False)
        write_linked(graph, file, tmp_path / "linked.onnx", force=True)
        assert len(run(tmp_path / "linked.onnx")) == 1
