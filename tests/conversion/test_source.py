"""What needs no TensorFlow: what a source is, what is said where it is none, and where TensorFlow is missing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from onnxviz.conversion.source import ConversionSource, find_source, is_tensorflow
from onnxviz.errors import ModelError, NotAModelError, OnnxvizError


def archive(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(name.replace("__", "."), text)
    return path


def test_a_source_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\x08\x01")
    (tmp_path / "lite.bin").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(16))
    (tmp_path / "weights.dat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(16))
    # GraphDef: node { name: "x" op: "Placeholder" }
    node = b"\n\x01x\x12\x0bPlaceholder"
    (tmp_path / "net.pb").write_bytes(b"\n" + bytes([len(node)]) + node)
    config = json.dumps({"module": "keras", "class_name": "Functional", "config": {"name": "n", "layers": []}})
    archive(tmp_path / "net.zip", config__json=config)
    kinds = {
        "saved": "saved_model",
        "lite.bin": "tflite",
        "weights.dat": "keras",
        "net.pb": "frozen",
        "net.zip": "keras",
    }
    for name, kind in kinds.items():
        assert find_source(tmp_path / name).kind == kind
        assert is_tensorflow(tmp_path / name)
    assert not is_tensorflow(tmp_path / "nothing.pb")


def test_the_files_of_a_source(tmp_path: Path) -> None:
    for name in ("saved/saved_model.pb", "saved/variables/a", "net[1].meta", "net[1].index", "net1.index"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    for source, names in (
        (ConversionSource(tmp_path / "saved", "saved_model"), ["saved_model.pb", "a"]),
        (ConversionSource(tmp_path / "net[1].meta", "checkpoint"), ["net[1].index", "net[1].meta"]),
        (ConversionSource(tmp_path / "net1.index", "frozen"), ["net1.index"]),
    ):
        assert [path.name for path in source.files] == names


def test_an_onnx_model_is_no_source(bundled_model: Path) -> None:
    assert not is_tensorflow(bundled_model)
    with pytest.raises(ModelError, match="is an ONNX model already: view, layers and expose take it as it is"):
        find_source(bundled_model)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["model.json", "group1-shard1of1.bin"], r"TensorFlow\.js model; convert the SavedModel or Keras file"),
        (["config.json", "model.weights.h5"], "unpacked: zip it again"),
        (["net.ckpt.meta", "net.ckpt.index"], r"convert its graph, '.*net\.ckpt\.meta'"),
        (["checkpoint", "ckpt-1.index"], "weights and no graph"),
        (["1/saved_model.pb", "2/saved_model.pb"], r"holds SavedModels \(1, 2\): convert one of them"),
        (["readme.txt"], r"without a saved_model\.pb"),
        ([], r"without a saved_model\.pb"),
    ],
)
def test_a_folder_that_is_no_source_says_what_to_do(files: list[str], said: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / name).write_bytes(b"")
    (tmp_path / "f").mkdir(exist_ok=True)
    with pytest.raises(ModelError, match=said):
        find_source(tmp_path / "f")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"archive/data.pkl": "x", "archive/version": "3"}, r"a PyTorch file; in PyTorch: torch\.onnx\.export"),
        ({"a.npy": "x", "b.npy": "x"}, "NumPy arrays"),
        ({"net/model.onnx": "x"}, r"a zip archive; unpack it first: 'net/model\.onnx' is in it"),
        ({"notes.txt": "x"}, "a zip archive$"),
    ],
)
def test_an_archive_is_known_by_its_members(members: dict[str, str], said: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file", "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
    with pytest.raises(NotAModelError, match=said):
        find_source(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    (tmp_path / "half").write_bytes(content[: len(content) // 2])
    with pytest.raises(NotAModelError, match="a zip archive that is damaged or cut short"):
        find_source(tmp_path / "half")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.pb", b"", "the file is empty"),
        ("old.pt", b"\x80\x02}q", r"torch\.onnx\.export"),
        ("page.h5", b"<html>", "HTML"),
        ("pointer.h5", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ("model.json", b'{"format": "layers-model"}', r"TensorFlow\.js"),
        ("other.json", b'{"a": 1}', "a JSON text"),
        ("net.pdmodel", bytes(range(9, 60)), "paddle2onnx"),
        ("graph.pbtxt", b'node { name: "x" }', "written as text"),
        ("saved_model.pb", b"\x08\x01", "convert its folder"),
        ("net.ckpt.data-00000-of-00001", b"\x00\x01", "weights and no graph"),
        ("noise.pb", bytes(range(1, 200)), "not a model that onnxviz can convert"),
    ],
)
def test_what_cannot_be_converted_says_what_it_is(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OnnxvizError, match=said) as caught:
        find_source(tmp_path / name)
    assert str(caught.value).count("\n") <= 1
