"""What people write today, as scripts to measure against. Run as: python usual_way.py NAME MODEL [...]"""

from __future__ import annotations

import sys
from pathlib import Path


def list_all(model: str) -> None:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(onnx.load(model))
    print(len(inferred.graph.value_info))


def expose_and_save(model: str, target: str) -> None:
    import onnx

    loaded = onnx.load(model)
    loaded.graph.output.extend(onnx.ValueInfoProto(name=name) for name in _convolutions(loaded)[:4])
    onnx.save(loaded, target)


def run_usual(model: str, count: str) -> None:
    import numpy as np
    import onnx
    import onnxruntime

    loaded = onnx.load(model)
    names = _convolutions(loaded)[: int(count) or None]
    loaded.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(loaded.SerializeToString())
    print(len(session.run(names, {"input": np.ones((1, 3, 32, 32), np.float32)})))


def run_careful(model: str, count: str, target: str) -> None:
    import numpy as np
    import onnx
    import onnxruntime

    loaded = onnx.load(model)
    names = _convolutions(loaded)[: int(count) or None]
    loaded.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    onnx.save(loaded, target)
    del loaded
    session = onnxruntime.InferenceSession(target)
    print(len(session.run(names, {"input": np.ones((1, 3, 32, 32), np.float32)})))


def one_axes_a_channel(maps: str, target: str) -> None:
    """The loop over matplotlib axes, at one array pixel a picture pixel."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    array = np.load(maps)
    channels, height, width = array.shape
    columns = int(np.ceil(channels**0.5 * 1.4))
    rows = -(-channels // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * width / 100, rows * height / 100), dpi=100)
    for place, axis in enumerate(axes.flat):
        axis.axis("off")
        if place < channels:
            axis.imshow(array[place], cmap="viridis")
    figure.savefig(target)


def _convolutions(model: object) -> list[str]:
    return [node.output[0] for node in model.graph.node if node.op_type in ("Conv", "GlobalAveragePool")]  # type: ignore[attr-defined]


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    if Path(sys.argv[0]).name == "usual_way.py":
        globals()[name](*arguments)
