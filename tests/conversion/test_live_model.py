"""A model that lives in the caller's program: how it is saved, and by real Keras what comes of it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxviz
from onnxviz.conversion.live_model import check_live, save_live
from onnxviz.errors import ConversionError, UsageError

SCRIPT = Path(__file__).with_name("live_nets.py")


def keras_class(name: str, module: str = "keras.src.models", base: type = object) -> type:
    return type(name, (base,), {"__module__": module})


def configuration(part: Any) -> dict[str, Any]:
    """Return what Keras writes of a model or layer: what is not its own it finds by a registered name."""
    module = type(part).__module__
    own = not module.startswith("keras")
    inner = {"layers": [configuration(layer) for layer in getattr(part, "layers", [])], **getattr(part, "more", {})}
    name = type(part).__name__
    return {"module": None if own else module, "class_name": name, "registered_name": own and name, "config": inner}


class Saving:
    """What Keras' models can do here: saving leaves a mark of which way was taken, and prints as Keras does."""

    name = "my/net"

    def __init__(self, *layers: Any) -> None:
        self.layers = list(layers)

    def save(self, path: str) -> None:
        print("saved")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(configuration(self)))

    def export(self, path: str) -> None:
        print("exported")
        Path(path).write_text("exported")


MODEL = keras_class("Model", base=Saving)
FUNCTIONAL = keras_class("Functional", base=MODEL)
CONV = keras_class("Conv2D", "keras.src.layers")()
LAMBDA = keras_class("Lambda", "keras.src.layers")()
OWN = keras_class("Gate", "my_program")()
WRAPPED = keras_class("TimeDistributed", "keras.src.layers")()
WRAPPED.more = {"layer": configuration(OWN)}
OWN_FUNCTION = keras_class("Dense", "keras.src.layers")()
OWN_FUNCTION.more = {
    "activation": {"module": "builtins", "class_name": "function", "config": "mine", "registered_name": "function"}
}


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (FUNCTIONAL(CONV), "keras"),
        (keras_class("Sequential", base=MODEL)(CONV), "keras"),
        (FUNCTIONAL(FUNCTIONAL(CONV)), "keras"),
        (FUNCTIONAL(OWN), "saved_model"),
        (FUNCTIONAL(WRAPPED), "saved_model"),
        (FUNCTIONAL(OWN_FUNCTION), "saved_model"),
        (FUNCTIONAL(LAMBDA), "saved_model"),
        (FUNCTIONAL(FUNCTIONAL(LAMBDA)), "saved_model"),
        (keras_class("Net", "my_program", MODEL)(CONV), "saved_model"),
    ],
)
def test_what_its_file_can_build_is_saved_and_all_else_exported(
    model: Any, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_live(model)
    source = save_live(model, tmp_path)
    assert source.kind == kind
    assert source.path.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == [source.path.name]
    assert zipfile.is_zipfile(source.path) == (kind == "keras")
    if kind == "saved_model":
        assert source.path.read_text() == "exported"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("other", [3, None, np.zeros(2), CONV, keras_class("Model", "my_program")()])
def test_what_is_no_model_is_refused(other: Any) -> None:
    with pytest.raises(UsageError, match="convert takes a path or a Keras model, not "):
        check_live(other)
    with pytest.raises(UsageError):
        onnxviz.convert(other)


def test_what_cannot_be_saved_is_exported(tmp_path: Path) -> None:
    class Halfway(FUNCTIONAL):  # type: ignore[valid-type, misc]
        def save(self, path: str) -> None:
            Path(path).write_bytes(b"PK")
            raise NotImplementedError("get_config")

    assert save_live(Halfway(CONV), tmp_path).kind == "saved_model"
    assert [path.name for path in tmp_path.iterdir()] == ["my_net"]


def test_what_keras_cannot_save_is_said(tmp_path: Path) -> None:
    class Failing(MODEL):  # type: ignore[valid-type, misc]
        def export(self, path: str) -> None:
            raise ValueError("has not yet\n  been built")

    with pytest.raises(ConversionError, match=r"cannot save the model 'my_net': ValueError: has not yet been built$"):
        save_live(Failing(), tmp_path)


@pytest.mark.parametrize("name", ["functional", "subclassed", "lambda", "wrapped", "function"])
def test_real_models(name: str, in_tensorflow: Callable[..., str], tmp_path: Path) -> None:
    in_tensorflow(SCRIPT, name, tmp_path)
    with np.load(tmp_path / "values.npz") as stored:
        image, expected = stored["image"], stored["output"]
    model = onnxviz.open(tmp_path / "live.onnx")
    (found,) = model.run({model.inputs[0].name: image}, layers=[f'"{model.outputs[0].name}"']).values()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found.array, expected, atol=1e-5 * float(np.abs(expected).max()))
    assert [layer.name for layer in model.select("conv")] != []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live.onnx", "values.npz"]
