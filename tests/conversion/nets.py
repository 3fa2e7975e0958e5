"""Builds small nets of every kind of source that `onnxviz convert` takes, with what TensorFlow computes for each.

    python nets.py OUT [NAME ...]        run by a Python that has TensorFlow; NAME chooses among `NETS`

`OUT/nets.json` lists them: `name`, `source` (a file or folder in OUT), `reference` (.npz in OUT), and `layers` with
`name`, `class` and `layout`. The reference holds `input/NAME`, `output/NAME` and `layer/NAME`; layers are named as
their author named them: a path of Keras layers (its second call `PATH@2`), or a tensor of the graph. An entry with
`refused` is a source that cannot be converted, and why.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")

import graph_nets
import keras_nets
import lite_nets
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
KERAS = version("keras")  # tf.keras of TensorFlow 2.15 does not tell its own
Values = dict[str, np.ndarray]
LAYOUTS = {2: "NC", 3: "NLC", 4: "NHWC", 5: "NDHWC"}


@dataclass(frozen=True)
class LayerEntry:
    name: str
    kind: str
    layout: str | None


@dataclass(frozen=True)
class Entry:
    name: str
    source: str
    reference: str | None = None
    layers: tuple[LayerEntry, ...] = ()
    refused: str | None = None


def entry(out: Path, source: str, values: tuple[Values, Values, dict[str, tuple[str, np.ndarray]]]) -> Entry:
    """Store what TensorFlow computes for a source and describe it."""
    name = source.rstrip("/").replace("/", "_").replace(".", "_")
    inputs, outputs, layers = values
    arrays = {f"input/{key}": array for key, array in inputs.items()}
    arrays |= {f"output/{key}": array for key, array in outputs.items()}
    arrays |= {f"layer/{key}": array for key, (_, array) in layers.items()}
    np.savez(out / f"{name}.npz", **arrays)
    described = tuple(LayerEntry(key, kind, LAYOUTS.get(array.ndim)) for key, (kind, array) in layers.items())
    return Entry(name, source, f"{name}.npz", described)


# Graphs.


def slim(out: Path) -> list[Entry]:
    with tf.Graph().as_default(), v1.Session() as session:
        graph_nets.slim_graph(session)
        graph_nets.save_checkpoint(session, out / "checkpoint")
        graph_nets.save_for_serving(session, out / "saved_model_tf1")
        frozen = v1.graph_util.convert_variables_to_constants(session, session.graph.as_graph_def(), ["scores"])
        graph_nets.save_training(session, out / "training")
    (out / "frozen.pb").write_bytes(frozen.SerializeToString())
    image = np.random.default_rng(2).uniform(0, 1, (2, 20, 20, 3)).astype(np.float32)
    return [
        entry(out, "frozen.pb", of_graph(frozen, {"image:0": image}, ["scores:0"])),
        entry(out, "checkpoint/model.ckpt.meta", of_graph(frozen, {"image:0": image}, ["scores:0"])),
        entry(out, "saved_model_tf1", of_graph(frozen, {"image:0": image}, ["scores:0"], served=True)),
    ]


def two_ends(out: Path) -> list[Entry]:
    graph = graph_nets.graph_of_two_ends()
    (out / "two_ends.pb").write_bytes(graph.SerializeToString())
    generator = np.random.default_rng(2)
    feed = {name: generator.uniform(0, 1, (2, 8, 8, 2)).astype(np.float32) for name in ("left:0", "right:0")}
    return [entry(out, "two_ends.pb", of_graph(graph, feed, ["first:0", "second:0"]))]


def unsupported(out: Path) -> list[Entry]:
    graph = graph_nets.graph_of_unknown_operator()
    (out / "unsupported.pb").write_bytes(graph.SerializeToString())
    return [Entry("unsupported_pb", "unsupported.pb", refused="Svd at Decompose/Svd is not an operator of ONNX")]


def noise(out: Path) -> list[Entry]:
    (out / "noise.pb").write_bytes(graph_nets.graph_of_noise().SerializeToString())
    return [Entry("noise_pb", "noise.pb", refused="its output noisy cannot be compared")]


def module(out: Path) -> list[Entry]:
    net = graph_nets.Module()
    tf.saved_model.save(net, str(out / "saved_model_tf2"))
    image = np.random.default_rng(2).uniform(0, 1, (2, 18, 18, 3)).astype(np.float32)
    values = {name: ("Operation", value.numpy()) for name, value in net.values(tf.constant(image)).items()}
    outputs = {"scores": values["head/scores"][1], "maps": values["body/sum"][1]}
    return [entry(out, "saved_model_tf2", ({"image": image}, outputs, values))]


def of_graph(graph: v1.GraphDef, feed: Values, outputs: list[str], served: bool = False) -> Any:
    values = graph_nets.graph_values(graph, feed)
    operators = {f"{node.name}:0": node.op for node in graph.node}
    layers = {name: (operators[name], value) for name, value in values.items()}
    # The ends of a SavedModel have the names of its signature.
    ends = (lambda name: name.partition(":")[0]) if served else (lambda name: name)
    return ({ends(n): a for n, a in feed.items()}, {ends(n): values[n] for n in outputs}, layers)


# Keras.


def keras3(make: Callable[[Any], Any], *suffixes: str) -> Callable[[Path], list[Entry]]:
    def build(out: Path) -> list[Entry]:
        return keras_files(out, tf.keras, make, make.__name__, suffixes)

    return build


def keras2(make: Callable[[Any], Any], *suffixes: str) -> Callable[[Path], list[Entry]]:
    def build(out: Path) -> list[Entry]:
        if KERAS.startswith("2."):
            return keras_files(out, tf.keras, make, f"{make.__name__}_keras2", suffixes)
        import tf_keras

        return keras_files(out, tf_keras, make, f"{make.__name__}_keras2", suffixes)

    return build


def keras_files(out: Path, keras: Any, make: Any, name: str, suffixes: tuple[str, ...]) -> list[Entry]:
    model = keras_nets.built(make, keras)
    given = keras_nets.inputs_of(model)
    with keras_nets.recorded(keras) as layers:
        result = model(given, training=False)
    entries = []
    for suffix in suffixes:
        path = out / f"{name}{suffix}"
        if suffix:
            model.save(path)
            names = [tensor.name.partition(":")[0] for tensor in model.inputs]
            # A Sequential model of Keras 3 has no names for its output.
            outputs = by_name(getattr(model, "output_names", ["output"]), result)
            inputs = by_name(names, given)
        else:
            model.export(str(path)) if hasattr(model, "export") and not name.endswith("_keras2") else model.save(path)
            inputs, outputs = served(path, given)
        entries.append(entry(out, path.name, (inputs, outputs, layers)))
    return entries


def by_name(names: list[str], values: Any) -> Values:
    """Return arrays by the names of a model's ends, in whatever structure they are."""
    if isinstance(values, dict):
        return {name: np.asarray(value) for name, value in values.items()}
    return {name: np.asarray(value) for name, value in zip(names, tf.nest.flatten(values), strict=True)}


def served(folder: Path, given: Any) -> tuple[Values, Values]:
    """Run a SavedModel's signature, and name its ends as the signature does."""
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    # A signature has its inputs in an order of its own; no two of these nets' inputs have one shape.
    given = [np.asarray(array) for array in tf.nest.flatten(given)]
    arrays = {
        name: next(array for array in given if spec.shape.is_compatible_with(array.shape))
        for name, spec in specs.items()
    }
    results = signature(**{name: tf.constant(array) for name, array in arrays.items()})
    return arrays, {name: results[name].numpy() for name in sorted(results)}


def subclassed(out: Path) -> list[Entry]:
    exported = keras_files(out, tf.keras, keras_nets.subclassed, "subclassed", ("",))
    keras_nets.built(keras_nets.subclassed, tf.keras).save(out / "subclassed.keras")
    return [*exported, Entry("subclassed_keras", "subclassed.keras", refused="only its Python code knows its calls")]


def lite(out: Path) -> list[Entry]:
    model = keras_nets.built(lite_nets.lite_net, tf.keras)
    entries = []
    for precision in lite_nets.PRECISIONS:
        content = lite_nets.lite_model(model, precision)
        (out / f"{precision}.tflite").write_bytes(content)
        inputs, outputs, layers = lite_nets.lite_values(content)
        values = inputs, outputs, {name: ("Operation", value) for name, value in layers.items()}
        entries.append(entry(out, f"{precision}.tflite", values))
    return entries


FILES = (".keras", ".h5", "")
NETS: dict[str, Callable[[Path], list[Entry]]] = {
    "slim": slim,
    "two_ends": two_ends,
    "unsupported": unsupported,
    "noise": noise,
    "module": module,
    "functional": keras3(keras_nets.functional, *FILES),
    "sequential": keras3(keras_nets.sequential, *FILES),
    "nested": keras3(keras_nets.nested, *FILES),
    "shared": keras3(keras_nets.shared, ".keras"),
    "multi": keras3(keras_nets.multi, *FILES),
    "multi_dict": keras3(keras_nets.multi_dict, ".keras", ""),
    "subclassed": subclassed,
    "mobilenet_v2": keras3(keras_nets.mobilenet_v2, *FILES),
    "functional_keras2": keras2(keras_nets.functional, *FILES),
    "sequential_keras2": keras2(keras_nets.sequential, ".h5"),
    "mobilenet_v2_keras2": keras2(keras_nets.mobilenet_v2, *FILES),
    "lite": lite,
}
"""What can be built; those of Keras 3 need TensorFlow 2.16 or later."""
OF_ANY_VERSION = ("slim", "two_ends", "unsupported", "noise", "module", "lite")


def main() -> None:
    out, names = Path(sys.argv[1]), sys.argv[2:] or list(NETS)
    if KERAS.startswith("2."):
        names = [name for name in names if name in OF_ANY_VERSION or name.endswith("_keras2")]
    out.mkdir(parents=True, exist_ok=True)
    old = json.loads((out / "nets.json").read_text()) if (out / "nets.json").exists() else []
    new = [asdict(built) for name in names for built in NETS[name](out)]
    made = {built["name"] for built in new}
    (out / "nets.json").write_text(json.dumps([known for known in old if known["name"] not in made] + new, indent=1))


if __name__ == "__main__":
    main()
