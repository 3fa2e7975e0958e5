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
    print(len(session.run(names, {"input": np.ones(session.get_inputs()[0].shape, np.float32)})))


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
    print(len(session.run(names, {"input": np.ones(session.get_inputs()[0].shape, np.float32)})))


def scan_output(model: str) -> None:
    """Every step of a value in a Loop: as one more output of its body, all in memory."""
    import numpy as np
    import onnx
    import onnxruntime

    proto = onnx.load(model)
    (loop,) = (node for node in proto.graph.node if node.op_type == "Loop")
    loop.attribute[0].g.output.append(onnx.helper.make_tensor_value_info("t", 1, [1, 16, 128, 128]))
    loop.output.append("steps")
    proto.graph.output.append(onnx.helper.make_tensor_value_info("steps", 1, [None, 1, 16, 128, 128]))
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    session.run(["steps"], {"x": np.ones((1, 16, 128, 128), np.float32), "n": np.array(1000)})


def bare_view(model: str, picture: str, folder: str) -> None:
    """All conv and pool layers of an exposed model as tiles without text: what nobody needs a tool for."""
    import numpy as np
    import onnxruntime
    from PIL import Image

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(model, options)
    pixels = Image.open(picture).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    image = ((np.asarray(pixels, np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    Path(folder).mkdir(exist_ok=True)
    for place, maps in enumerate(session.run(None, {"image": image})):
        if maps.ndim != 4:
            continue
        channels, height, width = maps[0].shape
        low = maps[0].min((1, 2), keepdims=True)
        scaled = (maps[0] - low) * (255 / np.maximum(maps[0].max((1, 2), keepdims=True) - low, 1e-12))
        zoom = max(1, round((64 if channels > 160 else 96 if channels > 48 else 128) / max(height, width)))
        tiles = scaled.astype(np.uint8).repeat(zoom, 1).repeat(zoom, 2)
        columns = int(np.ceil((channels * 1.4) ** 0.5))
        page = np.zeros((-(-channels // columns) * (height * zoom + 4), columns * (width * zoom + 4)), np.uint8)
        for index, tile in enumerate(tiles):
            y, x = index // columns * (height * zoom + 4), index % columns * (width * zoom + 4)
            page[y : y + height * zoom, x : x + width * zoom] = tile
        Image.fromarray(page).save(f"{folder}/{place}.png", compress_level=1)


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


def skimage_montage(maps: str, target: str, times: str) -> None:
    """scikit-image's montage, each map on its own range, through a colormap to an RGB PNG."""
    import matplotlib
    import numpy as np
    from PIL import Image
    from skimage.util import montage

    array = np.load(maps)
    for _ in range(int(times)):
        page = montage(array, rescale_intensity=True, padding_width=4)
        colours = matplotlib.colormaps["viridis"](page, bytes=True)[..., :3]
        Image.fromarray(colours).save(target)


def differ(model: str, quantised: str, *inputs: str) -> None:
    """The errors of a quantised model's values, as `onnxruntime.quantization.qdq_loss_debug` has them."""
    import numpy as np
    import onnxruntime
    from onnxruntime.quantization import qdq_loss_debug as debug

    session = onnxruntime.InferenceSession(model)
    (name,) = (each.name for each in session.get_inputs())
    del session
    found = []
    for path in (model, quantised):
        debug.modify_model_output_intermediate_tensors(path, f"{path}.all.onnx")
        found.append(debug.collect_activations(f"{path}.all.onnx", iter([{name: np.load(each)} for each in inputs])))
    matched = debug.create_activation_matching(found[1], found[0])
    print(len(debug.compute_activation_error({key: each for key, each in matched.items() if each.get("float")})))


def _convolutions(model: object) -> list[str]:
    return [node.output[0] for node in model.graph.node if node.op_type in ("Conv", "GlobalAveragePool")]  # type: ignore[attr-defined]


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    if Path(sys.argv[0]).name == "usual_way.py":
        globals()[name](*arguments)
