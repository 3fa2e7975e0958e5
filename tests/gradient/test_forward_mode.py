"""Whole models against another program's forward mode: a seed times what moves is the gradient times what moved it.

Needs onnx-ad (`pip install onnx-ad`); without it the tests are skipped. Its reverse mode is not used: it is wrong for
convolutions with asymmetric pads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxviz

onnx_ad = pytest.importorskip("onnx_ad")

WHEEL = Path(onnx.__file__).parent / "backend" / "test" / "data"
MODELS = [
    *(Path(__file__).parents[1] / "fixtures" / f"torch_{kind}.onnx" for kind in ("dynamo", "script")),
    WHEEL / "light" / "light_squeezenet.onnx",
    WHEEL / "light" / "light_shufflenet.onnx",
    WHEEL / "light" / "light_resnet50.onnx",
]


@pytest.mark.parametrize("path", [path for path in MODELS if path.exists()], ids=lambda path: path.stem)
def test_gradients_agree_with_forward_mode(path: Path) -> None:
    model = onnxviz.open(path)
    generator = np.random.default_rng(0)
    (spec,) = model.inputs
    sizes = [size if isinstance(size, int) else 1 for size in spec.shape or ()]
    x, moved = (generator.standard_normal(sizes).astype(np.float32) for _ in range(2))
    maker = model.graph.producers[model.outputs[0].name]
    target = maker.inputs[0] if maker.operator == "Softmax" else model.outputs[0].name
    run = model.gradient(target, spec.name).forward({spec.name: x})
    seed = generator.standard_normal(run.target.shape).astype(np.float32)
    ours = float((run.backward(seed)[spec.name].astype(np.float64) * moved).sum())
    cut = model.expose([target], only=True)
    proto = onnx.load(path)
    if maker.operator == "Softmax":
        proto.graph.node.remove(next(node for node in proto.graph.node if node.output[0] == maker.outputs[0]))
    del proto.graph.output[:]
    proto.graph.output.extend(cut.graph.proto.graph.output)
    try:
        forward = onnx_ad.forward(proto, inputs=[spec.name], outputs=[target], layout="onnx")
        session = onnxruntime.InferenceSession(forward.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:  # it refuses operators by several errors, and writes some models that do not open
        pytest.skip(f"onnx-ad: {str(error)[:80]}")
    found = session.run([f"fwd_{target}"], {spec.name: x, f"fwd_{spec.name}": moved[..., None]})[0]
    theirs = float((found[..., 0].astype(np.float64) * seed).sum())
    scale = max(
        abs(theirs), float(np.sqrt((found.astype(np.float64) ** 2).sum() * (seed.astype(np.float64) ** 2).sum()))
    )
    assert abs(ours - theirs) < 1e-3 * scale
