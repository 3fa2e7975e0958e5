"""Which devices onnxruntime can use here, and the providers that a wish for one means."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import Any

from onnxviz.errors import DeviceError, RunError, UsageError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "webgpu": "WebGpuExecutionProvider",
}
WHEELS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
EXTRAS = {"cpu": "cpu", "cuda": "gpu", "tensorrt": "gpu", "openvino": "openvino", "directml": "directml"}
# In the order in which `auto` tries them; TensorRT compiles for minutes, so it is never taken unasked.
ACCELERATORS = ("cuda", "directml", "coreml", "openvino")


@dataclass(frozen=True, slots=True)
class Device:
    """One device of this machine's onnxruntime: its name, its provider, whether it works and why not."""

    name: str
    provider: str
    usable: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Where nodes run: the device, why it was taken, and how many of the nodes it got; 0 before a session is opened.

    An `automatic` device was not asked for by name, so that the CPU may take its place.
    """

    device: str
    provider: str
    reason: str
    nodes: int | None = 0
    total: int | None = 0
    automatic: bool = False


def runtime() -> Any:
    """Return the module onnxruntime.

    Raises:
        RunError: It is not installed or cannot be loaded.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise RunError(
            f"running a model needs onnxruntime, which cannot be imported ({error}); "
            "install it with: pip install 'onnxviz[cpu]' (or [gpu], [openvino], [directml])"
        ) from None
    # Its own warnings and errors come back as exceptions or are of no use to the reader: 4 is fatal only.
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def check_name(wish: str) -> None:
    """Refuse the name of a device that does not exist; what is installed is not looked at.

    Raises:
        UsageError: The name is unknown.
    """
    name, colon, number = wish.partition(":")
    if (name not in PROVIDERS and wish != "auto") or (colon and not number.isdecimal()):
        raise UsageError(
            f"unknown device {wish!r}; known are auto, {', '.join(PROVIDERS)}; `onnxviz devices` tells more"
        )


def providers_of(wish: str) -> list[str | tuple[str, dict[str, Any]]]:
    """Return onnxruntime's provider list for a device name such as `cpu` or `cuda:1`.

    Raises:
        UsageError: The name is unknown.
        DeviceError: This onnxruntime was built without it.
    """
    check_name(wish)
    name, _, number = wish.partition(":")
    provider = PROVIDERS[name]
    if provider not in runtime().get_available_providers():
        raise DeviceError(f"device {name!r} is not in the installed onnxruntime; {_how_to_get(name)}")
    first = (provider, {"device_id": number}) if number else provider
    return [first] if name == "cpu" else [first, PROVIDERS["cpu"]]


def devices() -> tuple[Device, ...]:
    """Try each device that onnxruntime knows of with a model of one node."""
    available = runtime().get_available_providers()
    return tuple(
        _tried(name, provider) if provider in available else Device(name, provider, False, _how_to_get(name))
        for name, provider in PROVIDERS.items()
        if provider in available or name in EXTRAS
    )


def _tried(name: str, provider: str) -> Device:
    ort = runtime()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(_ONE_RELU, options, providers=[provider])
    except Exception as error:  # onnxruntime raises many unrelated kinds here; each means that it does not work
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Device(name, provider, False, lines[0][:300])
    if session.get_providers()[0] != provider:
        return Device(name, provider, False, "onnxruntime lists it, but its libraries or its hardware are missing")
    return Device(name, provider, True, "works")


def target_of(wish: str) -> Placement:
    """Return the device that a wish means here; for `auto` accelerators are tried with a model of one node.

    Raises:
        UsageError: The name is unknown.
        RunError: onnxruntime is missing.
    """
    check_name(wish)
    if wish != "auto":
        return Placement(wish, PROVIDERS[wish.partition(":")[0]], "asked for")
    available = runtime().get_available_providers()
    for name in ACCELERATORS:
        if PROVIDERS[name] in available and _tried(name, PROVIDERS[name]).usable:
            return Placement(name, PROVIDERS[name], f"{name} works here", automatic=True)
    return Placement("cpu", PROVIDERS["cpu"], "no accelerator was found", automatic=True)


def overlapping_wheels() -> tuple[str, ...]:
    """Return the onnxruntime wheels installed over each other; more than one leaves only the last one's files."""
    return tuple(wheel for wheel in WHEELS if any(importlib.metadata.distributions(name=wheel)))


def _how_to_get(name: str) -> str:
    extra = EXTRAS.get(name)
    return f"pip install 'onnxviz[{extra}]' in an environment of its own" if extra else "it needs a build of its own"


# ModelProto of `y = Relu(x)`, float32 of shape (1,), IR 8, opset 13: written out since this room does not know onnx.
_ONE_RELU = bytes.fromhex(
    "08083a330a0c0a0178120179220452656c75120167"
    "5a0f0a0178120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a00100d"
)
