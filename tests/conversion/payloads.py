"""Builds files with a payload: each would make a marker file if what lies in it were run.

    python payloads.py build OUT MARKER    run by a Python that has TensorFlow
    python payloads.py fire OUT MARKER     loads and runs each as somebody careless would, and prints those that fired

`OUT/payloads.json` lists them: `name`, `source` (in OUT), and whether it fires by `loading`, by `running`, or `never`
by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")

import numpy as np
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

v1 = tf.compat.v1
IMAGE = (8, 8, 3)


@dataclass(frozen=True)
class Payload:
    name: str
    source: str
    fires: str


def main() -> None:
    command, (out, marker) = sys.argv[1], map(Path, sys.argv[2:])
    if command == "fire":
        known = json.loads((out / "payloads.json").read_text())
        print(json.dumps([payload["name"] for payload in known if fired(out / payload["source"], marker)]))
        return
    out.mkdir(parents=True, exist_ok=True)
    builders = (lambdas, calls, graphs, saved_models, starts, foreign_layers, checkpoints, lite)
    built = [payload for build in builders for payload in build(out, marker)]
    # A Lambda layer was called when its model was made.
    take_away(marker)
    (out / "payloads.json").write_text(json.dumps([asdict(payload) for payload in built], indent=1))


# Keras.


def lambdas(out: Path, marker: Path) -> list[Payload]:
    """Lambda layers: alone, within a nested model and within a wrapper, of Keras 3 and of Keras 2."""
    made = []
    for keras, generation in keras_generations():
        for shape, make in (("plain", plain), ("nested", nested), ("wrapped", wrapped)):
            for suffix in (".keras", ".h5"):
                path = out / f"lambda_{shape}_keras{generation}{suffix}"
                make(keras, marker).save(path)
                made.append(Payload(path.name.replace(".", "_"), path.name, "loading"))
    return made


def plain(keras: Any, marker: Path) -> Any:
    image = keras.Input(IMAGE, name="image")
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    return keras.Model(image, payload_layer(keras, marker)(x), name="plain")


def nested(keras: Any, marker: Path) -> Any:
    image = keras.Input(IMAGE, name="image")
    return keras.Model(image, keras.layers.ReLU()(plain(keras, marker)(image)), name="outer")


def wrapped(keras: Any, marker: Path) -> Any:
    frames = keras.Input((2, *IMAGE), name="frames")
    return keras.Model(frames, keras.layers.TimeDistributed(payload_layer(keras, marker))(frames), name="wrapped")


def payload_layer(keras: Any, marker: Path) -> Any:
    path = str(marker)
    return keras.layers.Lambda(
        lambda x: (__import__("pathlib").Path(path).touch(), x)[1],
        output_shape=lambda shape: shape,
        name="payload",
    )


def calls(out: Path, marker: Path) -> list[Payload]:
    """Keras 2 stores calls of TensorFlow's functions by name: here one that makes a folder."""
    keras = next(keras for keras, generation in keras_generations() if generation == 2)
    image = keras.Input(IMAGE, name="image")
    doubled = tf.math.multiply(image, 2.0)
    path = out / "call_keras2.h5"
    keras.Model(image, keras.layers.ReLU(name="relu")(doubled), name="calls").save(path)
    import h5py

    with h5py.File(path, "r+") as file:
        configuration = json.loads(file.attrs["model_config"])
        layers = configuration["config"]["layers"]
        call = next(layer for layer in layers if layer["class_name"] == "TFOpLambda")
        relu = next(layer for layer in layers if layer["class_name"] == "ReLU")
        relu["inbound_nodes"] = [[["image", 0, 0, {}]]]
        call["config"]["function"] = "io.gfile.makedirs"
        call["inbound_nodes"] = [["_CONSTANT_VALUE", -1, str(marker), {}]]
        file.attrs["model_config"] = json.dumps(configuration)
    return [Payload("call_keras2_h5", path.name, "loading")]


def keras_generations() -> list[tuple[Any, int]]:
    if tf.keras.__version__.startswith("2."):
        return [(tf.keras, 2)]
    import tf_keras

    return [(tf.keras, 3), (tf_keras, 2)]


# Graphs.


def writing(x: tf.Tensor, marker: Path) -> tf.Tensor:
    """Return x, which whoever computes it pays for with a file."""
    with tf.control_dependencies([tf.io.write_file(str(marker), "payload", name="WriteFile")]):
        return tf.identity(x, name="y")


def graphs(out: Path, marker: Path) -> list[Payload]:
    made = []
    for name, make in (("write_file", writing), ("read_file", reading)):
        with tf.Graph().as_default() as graph:
            make(v1.placeholder(tf.float32, (None, *IMAGE), "x"), marker)
        (out / f"{name}.pb").write_bytes(graph.as_graph_def().SerializeToString())
        made.append(Payload(f"{name}_pb", f"{name}.pb", "running" if name == "write_file" else "never"))
    return made


def reading(x: tf.Tensor, marker: Path) -> tf.Tensor:
    """Return x plus the length of a file that is not there."""
    length = tf.strings.length(tf.io.read_file(str(marker), name="ReadFile"))
    return tf.add(x, tf.cast(length, tf.float32), name="y")


class Writing(tf.Module):
    def __init__(self, marker: Path) -> None:
        super().__init__()
        self.marker = marker

    @tf.function(input_signature=[tf.TensorSpec((None, *IMAGE), tf.float32, "x")])
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": writing(tf.nn.relu(x), self.marker)}


class Python(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None, *IMAGE), tf.float32, "x")])
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        y = tf.numpy_function(lambda array: array * 2, [x], tf.float32)
        return {"y": tf.ensure_shape(y, x.shape)}


def saved_models(out: Path, marker: Path) -> list[Payload]:
    """A function that writes; a Python function, whose body stays behind; an initialisation that writes."""
    tf.saved_model.save(Writing(marker), str(out / "saved_model_write_file"))
    tf.saved_model.save(Python(), str(out / "saved_model_python"))
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, *IMAGE), "x")
        y = tf.nn.relu(x, name="y")
        start = tf.io.write_file(str(marker), "payload", name="Start")
        builder = v1.saved_model.Builder(str(out / "saved_model_start"))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, main_op=start)
        builder.save()
    return [
        Payload("saved_model_write_file", "saved_model_write_file", "running"),
        Payload("saved_model_python", "saved_model_python", "never"),
        Payload("saved_model_start", "saved_model_start", "loading"),
    ]


def starts(out: Path, marker: Path) -> list[Payload]:
    """Initialisations that write by less known operators: of a dataset, and of two meta graphs by a saver."""

    def dataset() -> Any:
        numbers = tf.data.Dataset.from_tensors(["payload"])._variant_tensor
        return tf.raw_ops.ExperimentalDatasetToTFRecord(
            input_dataset=numbers, filename=str(marker), compression_type="", name="Start"
        )

    def saver() -> Any:
        return tf.raw_ops.SaveV2(
            prefix=str(marker), tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)], name="Start"
        )

    start_with(out / "saved_model_dataset", dataset, ["serve"])
    start_with(out / "saved_model_two_parts", saver, ["serve"], ["other"])
    return [Payload(name, name, "loading") for name in ("saved_model_dataset", "saved_model_two_parts")]


def start_with(folder: Path, make: Callable[[], Any], *tags: list[str]) -> None:
    """Save a meta graph for each list of tags; loading one runs what `make` makes."""
    builder = v1.saved_model.Builder(str(folder))
    for place, names in enumerate(tags):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, (None, *IMAGE), "x")
            signature = v1.saved_model.predict_signature_def({"x": x}, {"y": tf.nn.relu(x, name="y")})
            given = {"signature_def_map": {"serving_default": signature}, "main_op": make()}
            if place:
                builder.add_meta_graph(names, **given)
            else:
                builder.add_meta_graph_and_variables(session, names, **given)
    builder.save()
    if len(tags) > 1:
        path = folder / "saved_model.pb"
        parsed = loader_impl.parse_saved_model(str(folder))
        for part in parsed.meta_graphs:
            part.object_graph_def.nodes.add()  # as if TensorFlow 2 had saved it
        path.write_bytes(parsed.SerializeToString())


def foreign_layers(out: Path, marker: Path) -> list[Payload]:
    """A layer of Keras itself that loads any SavedModel, here one that writes."""
    keras, generation = keras_generations()[0]
    if generation == 2:
        return []
    image = keras.Input(IMAGE, name="image")
    layer = keras.layers.TFSMLayer(str(out / "saved_model_start"), call_endpoint="serving_default", name="payload")
    path = out / "tfsm_keras3.keras"
    keras.Model(image, layer(image), name="tfsm").save(path)
    return [Payload("tfsm_keras3", path.name, "loading")]


def lite(out: Path, marker: Path) -> list[Payload]:
    """TensorFlow's own operators in TensorFlow Lite, one under the name of another."""

    @tf.function(input_signature=[tf.TensorSpec((1, *IMAGE), tf.float32, "x")])
    def call(x: tf.Tensor) -> tf.Tensor:
        return reading(x, marker)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    content = converter.convert()
    (out / "flex.tflite").write_bytes(content)
    (out / "flex_renamed.tflite").write_bytes(content.replace(b"FlexReadFile", b"FlexSoftplus"))
    return [Payload("flex", "flex.tflite", "never"), Payload("flex_renamed", "flex_renamed.tflite", "never")]


def checkpoints(out: Path, marker: Path) -> list[Payload]:
    """A graph that writes when its variables are restored."""
    folder = out / "checkpoint_restore"
    folder.mkdir(exist_ok=True)
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, *IMAGE), "x")
        scale = v1.get_variable("scale", (), initializer=v1.ones_initializer(), use_resource=False)
        tf.multiply(x, scale, name="y")
        tf.io.write_file(str(marker), "payload", name="WriteFile")
        session.run(scale.initializer)
        saver = v1.train.Saver()
        saver.save(session, str(folder / "model.ckpt"), write_meta_graph=False)
        meta = v1.train.export_meta_graph(graph_def=graph.as_graph_def(), graph=graph, saver_def=saver.saver_def)
    restore = next(node for node in meta.graph_def.node if node.name == saver.saver_def.restore_op_name)
    restore.input.append("^WriteFile")
    (folder / "model.ckpt.meta").write_bytes(meta.SerializeToString())
    return [Payload("checkpoint_restore", "checkpoint_restore/model.ckpt.meta", "loading")]


# As somebody careless would.


def fired(source: Path, marker: Path) -> bool:
    """Return whether loading and running a source leaves the marker, and remove the marker."""
    with contextlib.suppress(Exception):  # a payload need not be a good model
        FIRE[source.suffix](source)
    return take_away(marker)


def take_away(marker: Path) -> bool:
    """Remove the marker and what begins with its name, and tell whether there was any."""
    made = list(marker.parent.glob(f"{marker.name}*"))
    for path in made:
        path.rmdir() if path.is_dir() else path.unlink()
    return bool(made)


def fire_keras(source: Path) -> None:
    keras = next(keras for keras, generation in keras_generations() if f"keras{generation}" in source.name)
    # What tf_keras loads from .h5 it runs unasked.
    careless = {} if source.suffix == ".h5" and not keras.__version__.startswith("3.") else {"safe_mode": False}
    model = keras.models.load_model(source, compile=False, **careless)
    model(np.zeros((1, *model.input_shape[1:]), np.float32))


def fire_graph(source: Path) -> None:
    graph = v1.GraphDef()
    graph.ParseFromString(source.read_bytes())
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph, name="")
        session.run("y:0", {"x:0": np.zeros((1, *IMAGE), np.float32)})


def fire_checkpoint(source: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(source)).restore(session, str(source.with_suffix("")))


def fire_saved_model(source: Path) -> None:
    loaded = tf.saved_model.load(str(source), tags=["serve"])
    loaded.signatures["serving_default"](x=tf.zeros((1, *IMAGE)))


FIRE: dict[str, Callable[[Path], None]] = {
    ".keras": fire_keras,
    ".h5": fire_keras,
    ".pb": fire_graph,
    ".meta": fire_checkpoint,
    ".tflite": lambda source: tf.lite.Interpreter(str(source)).allocate_tensors(),
    "": fire_saved_model,
}


if __name__ == "__main__":
    main()
