"""The configuration of a Keras file, read before any loader: who wrote it, and whether code lies in it."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from onnxviz.conversion.child.configuration import (
    Configuration,
    check_configuration,
    check_supported,
    read_configuration,
)
from onnxviz.conversion.child.exchange import Refusal


def layer(kind: str, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": {"name": "mine", **config}, "registered_name": None}


def model(*layers: dict[str, Any], kind: str = "Functional", module: str = "keras") -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": {"name": "net", "layers": list(layers)}}


def written(path: Path, tree: Any, version: str | None = "3.15.1") -> str:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(tree))
        if version is not None:
            archive.writestr("metadata.json", json.dumps({"keras_version": version}))
    return str(path)


@pytest.mark.parametrize(
    ("module", "version", "legacy"),
    [
        ("keras", "3.15.1", False),
        ("keras", None, False),
        ("keras", "2.15.0", True),
        ("tf_keras.src.engine", None, True),
    ],
)
def test_who_wrote_it(module: str, version: str | None, legacy: bool, tmp_path: Path) -> None:
    found = read_configuration(written(tmp_path / "net.keras", model(module=module), version))
    assert (found.legacy, found.version) == (legacy, version or "")


@pytest.mark.parametrize(
    "inner",
    [
        layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wEAAA=="}}),
        layer("Lambda", function="relu"),
        layer("TimeDistributed", layer=layer("Lambda")),
        layer("Functional", layers=[layer("Sequential", layers=[layer("Lambda")])]),
        layer("Dense", activation={"class_name": "__lambda__", "config": {"code": "4wEAAA=="}}),
        {"class_name": "Custom>Lambda", "config": {"name": "mine"}},
        layer("TorchModuleWrapper", module="keras.src.utils.torch_utils"),
        layer("TorchModuleWrapper"),
        layer("TFSMLayer", filepath="/somewhere"),
        layer("TimeDistributed", layer=layer("TFSMLayer")),
        {**layer("Layer"), "registered_name": "keras>TFSMLayer"},
        layer("JaxLayer"),
        layer("StringLookup", vocabulary="/etc/passwd"),
        {"class_name": "IntegerLookup", "config": {"name": "mine", "vocabulary": "gs://bucket/words"}},
        layer("DenseFeatures", columns=[{"class_name": "A", "config": {"name": "mine", "vocabulary_file": "/x"}}]),
        layer("get_file", module="keras.utils"),
        layer("load_model", module="keras.src.saving.saving_api"),
        layer("run", module="subprocess"),
        layer("Dense", kernel_initializer={"module": "os", "class_name": "system", "config": {}}),
        layer("Layer", module="keras_evil"),
        layer("Dense", activation={"module": "builtins", "class_name": "eval", "config": "1"}),
        {"class_name": "TFOpLambda", "config": {"name": "mine", "function": "io.write_file"}},
        {"class_name": "TFOpLambda", "config": {"name": "mine", "function": "raw_ops.WriteFile"}},
        {"class_name": "TFOpLambda", "config": {"name": "mine", "function": "numpy_function"}},
        {"class_name": "TFOpLambda", "config": {"name": "mine", "function": "keras.utils.get_file"}},
    ],
)
def test_code_is_refused_wherever_it_lies(inner: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="onnxviz convert --trust") as caught:
        check_configuration(Configuration(model(layer("Dense"), inner), "3", False))
    assert re.search("layer 'mine'|holds a lambda|not part of Keras|not a layer of Keras", str(caught.value))


@pytest.mark.parametrize(
    "inner",
    [
        layer("Conv2D", activation="relu"),
        layer("StringLookup", vocabulary=["a", "b"]),
        layer("Functional", module="keras.src.models.functional"),
        layer("Dense", activation={"module": "builtins", "class_name": "function", "config": "relu"}),
        layer("Dense", kernel_initializer={"module": "keras.initializers", "class_name": "Zeros", "config": {}}),
        {"class_name": "TFOpLambda", "config": {"name": "mine", "function": "math.multiply"}},
        {"class_name": "TFOpLambda", "config": {"name": "mine", "function": "nn.relu"}},
        {"class_name": "TFOpLambda", "config": {"name": "mine", "function": "image.resize"}},
    ],
)
def test_what_is_keras_own_passes(inner: dict[str, Any]) -> None:
    check_configuration(Configuration(model(inner), "3", False))


def test_a_loss_of_its_authors_is_no_matter(tmp_path: Path) -> None:
    tree = {**model(layer("Dense")), "compile_config": {"loss": layer("my_loss", module="my_program")}}
    check_configuration(read_configuration(written(tmp_path / "net.keras", tree)))


@pytest.mark.parametrize(
    ("tree", "known"),
    [
        (model(), True),
        (model(kind="Sequential"), True),
        (model(kind="Model", module="tf_keras.src.engine"), True),
        (model(kind="Net", module="mine"), False),
        (model(kind="Functional", module="mine"), False),
        ([], False),
    ],
)
def test_a_subclassed_model_is_refused(tree: Any, known: bool) -> None:
    configuration = Configuration(tree, "3", False)
    if known:
        check_supported(configuration)
    else:
        with pytest.raises(
            Refusal, match=r"(?s)subclassed model.*model\.export\('folder'\), then: onnxviz convert folder"
        ):
            check_supported(configuration)


@pytest.mark.parametrize("content", [b"", b"not json", b"[" * 100_000, b"\xff\xfe"])
def test_a_broken_configuration_is_one_refusal(content: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", content)
    with pytest.raises(Refusal, match="the Keras file is damaged: "):
        read_configuration(str(tmp_path / "net.keras"))


def test_a_configuration_that_unpacks_without_end_is_not_unpacked(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "net.keras", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("config.json", "w", force_zip64=True) as member,
    ):
        for _ in range(257):
            member.write(bytes(1 << 20))
    assert (tmp_path / "net.keras").stat().st_size < 1 << 20
    with pytest.raises(Refusal, match="unpacks to more than 256 MB"):
        read_configuration(str(tmp_path / "net.keras"))
