"""One graph opened in onnxruntime on the device that was asked for, and on no other."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxviz.errors import ExecutionError
from onnxviz.runtime.devices import Placement, providers_of, runtime, target_of
from onnxviz.runtime.narrow_types import taken, unreadable
from onnxviz.runtime.placements import placement_of
from onnxviz.runtime.translation import explained


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run: the device, the optimisation level, the threads and the memory.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:N`, `openvino` or another that `onnxviz devices` lists.
        exact: turn off all of onnxruntime's optimisation; only then does looking at a value never change a bit.
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
        self.placement = placement_of(self._session, target)
        self.inputs: tuple[str, ...] = tuple(value.name for value in self._session.get_inputs())
        types = ((value.name, unreadable(value.type)) for value in self._session.get_outputs())
        self._unreadable = {name: found for name, found in types if found is not None}

    def run(self, feed: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        """Return the values of `outputs`, in their order; an Unreadable for each that Python cannot have.

        Raises:
            ExecutionError: onnxruntime refuses the feed or fails.
        """
        fetched = [name for name in outputs if name not in self._unreadable]
        try:
            # Without names onnxruntime would fetch every output.
            fed = {name: taken(feed[name]) for name in self.inputs}
            arrays = self._session.run(fetched, fed) if fetched else []
        except Exception as error:
            raise explained(error, "run the model", ExecutionError) from None
        found = dict(zip(fetched, arrays, strict=True)) | self._unreadable
        return [found[name] for name in outputs]


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
