"""Explanations against Captum, pytorch-grad-cam and PyTorch in float64; runs where these are installed.

    pip install torch captum grad-cam

What they get wrong is left out or put right: Captum's guided backpropagation and deconvnet see modules nn.ReLU alone;
the Grad-CAM++ of pytorch-grad-cam adds 1e-6 to a denominator whose terms may be as small, and is compared where they
are large.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxviz
from onnxviz import FeedOptions
from onnxviz.explaining.class_activation import CLASS_ACTIVATION
from onnxviz.explaining.input_gradients import gradient, integrated_gradients, smoothgrad
from onnxviz.explaining.network import Network
from onnxviz.explaining.target import class_targets
from onnxviz.gradient.overlays import DECONVNET, GUIDED

torch = pytest.importorskip("torch")
nn = torch.nn

CLASS = 2
LAYER = 4
"""The place in the net below of the ReLU whose maps are weighed."""


def net() -> Any:
    """Modules of ReLU, each used once, and max pools that overlap and that do not; seeded weights."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, 2, 1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 32),
        nn.ReLU(),
        nn.Linear(32, 5),
    )
    return made.eval()


X = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)


def network_of(module: Any, path: Path) -> Network:
    ends = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "N"}, "y": {0: "N"}}}
    with pytest.warns(DeprecationWarning):
        torch.onnx.export(module, (torch.zeros(1, 3, 32, 32),), str(path), dynamo=False, opset_version=17, **ends)
    model = onnxviz.open(path)
    return Network(model, model.feed(X, FeedOptions()))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return network_of(net(), tmp_path_factory.mktemp("torch") / "net.onnx")


def close(found: np.ndarray, wanted: np.ndarray, share: float = 1e-6) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=share * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("method", "rules", "name"),
    [("Saliency", None, ""), ("GuidedBackprop", GUIDED, "guided"), ("Deconvolution", DECONVNET, "deconvnet")],
)
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_gradients_are_captum_s(network: Network, method: str, rules: Any, name: str) -> None:
    captum = pytest.importorskip("captum.attr")
    (found,) = gradient(network, class_targets(network, CLASS, None), rules, name)
    options = {"abs": False} if method == "Saliency" else {}
    picture = torch.from_numpy(X).requires_grad_()
    wanted = getattr(captum, method)(net()).attribute(picture, target=CLASS, **options)
    close(found, wanted.detach().numpy()[0])


def test_integrated_gradients_are_captum_s(tmp_path: Path) -> None:
    captum = pytest.importorskip("captum.attr")
    # Without max pools: the way begins on a flat picture, where all of a window share the gradient; with PyTorch the
    # first has all of it.
    plain = nn.Sequential(*[one for one in net() if not isinstance(one, nn.MaxPool2d)][:4], nn.Flatten())
    plain.append(nn.Linear(16 * 16 * 16, 5)).eval()
    network = network_of(plain, tmp_path / "plain.onnx")
    (found,) = integrated_gradients(network, class_targets(network, CLASS, None), (2, 3), 5.0)
    picture, start = torch.from_numpy(X), torch.from_numpy(X.mean((2, 3), keepdims=True)).expand(1, 3, 32, 32)
    # Trapezoids of 32 steps are 33 places, of which the ends count half. Captum 0.9 gives each a width of 1/33: the
    # shares do not add up, and its sum is 3 % too small.
    wanted = captum.IntegratedGradients(plain).attribute(
        picture, start, target=CLASS, n_steps=found.steps + 1, method="riemann_trapezoid"
    )
    close(found.array, wanted.numpy()[0] * (found.steps + 1) / found.steps)


def test_smoothgrad_is_the_root_of_pytorch_s_squares(network: Network) -> None:
    (found,) = smoothgrad(network, class_targets(network, CLASS, None), samples=5, noise=0.1, seed=3)
    draw, spread, squares, model = np.random.default_rng(3), 0.1 * float(np.ptp(X)), 0, net().double()
    for _ in range(5):
        moved = X + (draw.standard_normal(X.shape) * spread).astype(np.float32)
        picture = torch.from_numpy(moved).double().requires_grad_()
        squares = squares + torch.autograd.grad(model(picture)[0, CLASS], picture)[0].numpy() ** 2
    close(found, np.sqrt(squares[0] / 5))


def test_a_whole_net_s_gradient_is_pytorch_s_in_float64(network: Network) -> None:
    (found,) = gradient(network, class_targets(network, CLASS, None))
    picture = torch.from_numpy(X).double().requires_grad_()
    close(found, torch.autograd.grad(net().double()(picture)[0, CLASS], picture)[0].numpy()[0])


CAMS = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "xgradcam": "XGradCAM",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "eigencam": "EigenCAM",
}


@pytest.mark.parametrize("method", CAMS)
@pytest.mark.filterwarnings("ignore")
def test_class_activation_maps_are_those_of_pytorch_grad_cam(network: Network, method: str) -> None:
    cams = pytest.importorskip("pytorch_grad_cam")
    target, model, picture = cams.utils.model_targets.ClassifierOutputTarget(CLASS), net(), torch.from_numpy(X)
    # Beside gradients of 1e3 the 1e-6 that its Grad-CAM++ adds is nothing.
    scale = 1e4 if method == "gradcam++" else 1.0
    with torch.no_grad():
        model[-1].weight *= scale
    with getattr(cams, CAMS[method])(model=model, target_layers=[model[LAYER]]) as cam:
        cam(input_tensor=picture, targets=[target])
        maps = cam.activations_and_grads.activations[0].numpy()
        grads = cam.activations_and_grads.gradients
        steep = grads[0].numpy() if grads else np.zeros_like(maps)
        wanted = np.maximum(cam.get_cam_image(picture, model[LAYER], [target], maps, steep, False), 0)[0]
    close(CLASS_ACTIVATION[method](maps[0], steep[0]), wanted)
    # And ours from the ONNX file has those maps and gradients.
    relus = [node.outputs[0] for node in network.model.graph.nodes if node.op == "Relu"]
    own = network.gradient(class_targets(network, CLASS, None)[0].value, (relus[1],)).forward(network.feed)
    seed = np.zeros((1, 5), np.float32)
    seed[0, CLASS] = scale
    close(own.values[relus[1]], maps)
    if method != "eigencam":
        close(own.backward(seed)[relus[1]], steep)
