"""One graph opened in onnxruntime on the device that was asked for, and on no other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxviz.errors import DeviceError, ExecutionError
from onnxviz.runtime.devices import PROVIDERS, Placement, providers_of, runtime, target_of
from onnxviz.runtime.translation import explained, numpy_name


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run: the device, the optimisation level, the threads and the memory.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:N`, `openvino` or another that `onnxviz devices` lists.
        exact: turn off all of onnxruntime's optimisation; only then does exposing a value never change a bit, and of
            float16 on the CPU not even then.
        many: optimise for many runs: weights are rearranged once, at the cost of memory.
        threads: threads of one operator; 0 means one a core.
        memory: bytes of maps that are held at a time; a model that needs more runs in pieces.
    """

    device: str = "auto"
    exact: bool = False
    many: bool = False
    threads: int = 0
    memory: int = 512 * 2**20

    @property
    def level(self) -> str:
        """onnxruntime's optimisation level: `disabled`, `extended` or `all`."""
        return "disabled" if self.exact else "all" if self.many else "extended"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a value of a `type`, such as `bfloat16`, that onnxruntime computes and does not hand to Python."""

    type: str


class Session:
    """A graph in onnxruntime, opened from a skeleton whose weights lie in files under `folder`."""

    def __init__(
        self,
        skeleton: bytes,
        folder: Path,
        options: RunOptions,
        target: Placement | None = None,
        *,
        quantised: str = "",
    ) -> None:
        """Open the graph, on the target if the device was looked for already.

        `quantised` is what the graph quantises: `weights` alone, activations to `int8`, or to something `narrow`, as
        four bits are; empty for anything else.

        Raises:
            DeviceError: The device is absent or broken.
            UnsupportedError: onnxruntime lacks an operator of the model.
            RunError: onnxruntime is missing or cannot open the model.
        """
        ort = runtime()
        target = target or target_of(options.device)
        providers = providers_of(target.device)
        settings = _session_options(ort, folder, options)
        for name in _ENTRIES.get(quantised, ()):
            settings.add_session_config_entry(name, "1")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what they say is checked below
                self._session = ort.InferenceSession(skeleton, settings, providers=providers, enable_fallback=False)
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise explained(error, "open the model") from None
        self.placement = _checked_placement(self._session, target)
        self.inputs: tuple[str, ...] = tuple(value.name for value in self._session.get_inputs())
        types = ((value.name, _unreadable(value.type)) for value in self._session.get_outputs())
        self._unreadable = {name: found for name, found in types if found is not None}

    def run(self, feed: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        """Return the values of `outputs`, in their order; an Unreadable for each that Python cannot have.

        Raises:
            ExecutionError: onnxruntime refuses the feed or fails.
        """
        fetched = [name for name in outputs if name not in self._unreadable]
        try:
            # Without names onnxruntime would fetch every output.
            taken = {name: _taken(feed[name]) for name in self.inputs}
            arrays = self._session.run(fetched, taken) if fetched else []
        except Exception as error:
            raise explained(error, "run the model", ExecutionError) from None
        found = dict(zip(fetched, arrays, strict=True)) | self._unreadable
        return [found[name] for name in outputs]


_READABLE = frozenset(
    "float double float16 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool string complex64 complex128".split()
)


def _unreadable(kind: str) -> Unreadable | None:
    """Return what stands for a value of a type as onnxruntime writes it, such as `seq(tensor(bfloat16))`."""
    inner = re.search(r"tensor\((\w+)\)", kind)
    return Unreadable(numpy_name(inner[1])) if inner and inner[1] not in _READABLE else None


def _taken(array: Any) -> Any:
    """Return an array as onnxruntime takes it: of floats narrower than numpy's own it takes the bits."""
    number = _NARROW.get(getattr(getattr(array, "dtype", None), "name", ""))
    if number is None:
        return array
    return runtime().OrtValue.ortvalue_from_numpy_with_onnx_type(array.view(f"uint{8 * array.itemsize}"), number)


_NARROW = {"bfloat16": 16, "float8_e4m3fn": 17, "float8_e4m3fnuz": 18, "float8_e5m2": 19, "float8_e5m2fnuz": 20}
"""The numbers of these types in ONNX."""


_ENTRIES = {
    # onnxruntime otherwise keeps DequantizeLinear of a weight and runs it every time: 125 ms against 48.
    "weights": ["session.disable_quant_qdq"],
    # It has no kernels for Conv and the like in four bits, and refuses the model for what it fused itself.
    "narrow": ["session.disable_quant_qdq"],
    # On x86 it otherwise makes int8 activations uint8 where nothing else reads them, so that exposing one of them moved
    # the outputs of a network of six convolutions by 0.8 % of their greatest; with this entry by nothing.
    "int8": ["session.qdqisint8allowed"],
}


def _session_options(ort: Any, folder: Path, options: RunOptions) -> Any:
    settings = ort.SessionOptions()
    levels = ort.GraphOptimizationLevel
    settings.graph_optimization_level = {
        "disabled": levels.ORT_DISABLE_ALL,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "all": levels.ORT_ENABLE_ALL,
    }[options.level]
    settings.log_severity_level = 4
    settings.intra_op_num_threads = options.threads
    # The arena keeps what it once took: without it a run of 32 pieces peaks at 205 MB instead of 487.
    settings.enable_cpu_mem_arena = options.many
    settings.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return settings


def _checked_placement(session: Any, target: Placement) -> Placement:
    if session.get_providers()[0] != target.provider:
        raise DeviceError(
            f"device {target.device!r} does not work here: onnxruntime fell back to the CPU; see `onnxviz devices`"
        )
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception:  # a build without the record: the provider list above is then all that can be known
        parts = []
    if not parts:
        return replace(target, nodes=None, total=None)
    counts = [(part.ep_name, len(part.get_nodes())) for part in parts]
    nodes = sum(count for name, count in counts if name == target.provider)
    return replace(target, nodes=nodes, total=sum(count for _, count in counts))


def joined(placements: Sequence[Placement]) -> Placement:
    """Return the placement of several pieces of a run together.

    Where an automatic device took none of their nodes, all of them run on the CPU, and the answer says so.
    """
    whole = _summed(placements)
    if not whole.automatic or not _idle(whole):
        return whole
    reason = f"{whole.device} works here, but took none of the nodes"
    return Placement("cpu", PROVIDERS["cpu"], reason, whole.total, whole.total, automatic=True)


def _summed(placements: Sequence[Placement]) -> Placement:
    first = next((place for place in placements if place.provider != PROVIDERS["cpu"]), placements[0])
    nodes = [place.nodes for place in placements if place.provider == first.provider]
    totals = [place.total for place in placements]
    if None in nodes or None in totals:
        return replace(first, nodes=None, total=None)
    return replace(first, nodes=sum(filter(None, nodes)), total=sum(filter(None, totals)))


def check_taken(placement: Placement) -> None:
    """Refuse a run of which the wanted device took no node.

    Raises:
        DeviceError: A device beside the CPU took no node.
    """
    if _idle(placement):
        raise DeviceError(
            f"device {placement.device!r} took none of the {placement.total} nodes: all would run on the CPU"
        )


def _idle(placement: Placement) -> bool:
    return bool(placement.total) and not placement.nodes and placement.provider != PROVIDERS["cpu"]
