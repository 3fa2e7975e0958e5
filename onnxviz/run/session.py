"""One graph opened in onnxruntime on the device that was asked for, and on no other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxviz.errors import DeviceError, OnnxvizError, RunError, UnsupportedError
from onnxviz.run.devices import PROVIDERS, automatic, providers_of, runtime


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run: the device, the optimisation level and the threads.

    `exact` turns all of onnxruntime's optimisation off, the only level at which exposing a value never changes a bit.
    `many` optimises for many runs: weights are rearranged once, at the cost of memory. `memory` bounds the maps that
    one piece of the graph holds at a time, in bytes. `threads` of 0 means one a core.
    """

    device: str = "auto"
    exact: bool = False
    many: bool = False
    threads: int = 0
    memory: int = 512 * 2**20
    weights_only_quantised: bool = False

    @property
    def level(self) -> str:
        """onnxruntime's optimisation level: `disabled`, `extended` or `all`."""
        return "disabled" if self.exact else "all" if self.many else "extended"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a session's nodes run: the device, why it was taken, and how many of the nodes it got."""

    device: str
    provider: str
    reason: str
    nodes: int | None
    total: int | None


class Session:
    """A graph in onnxruntime, opened from a skeleton whose weights lie in files under `folder`."""

    def __init__(self, skeleton: bytes, folder: Path, options: RunOptions) -> None:
        """Open the graph.

        Raises:
            DeviceError: The device is absent, broken or was given no node.
            UnsupportedError: onnxruntime lacks an operator of the model.
            RunError: onnxruntime is missing or cannot open the model.
        """
        ort = runtime()
        wish, reason = automatic() if options.device == "auto" else (options.device, "asked for")
        providers, first = providers_of(wish)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what they say is checked below
                self._session = ort.InferenceSession(
                    skeleton, _session_options(ort, folder, options), providers=providers, enable_fallback=False
                )
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise explained(error, "open the model") from None
        self.placement = _checked_placement(self._session, wish, first, reason)
        self.inputs: tuple[str, ...] = tuple(value.name for value in self._session.get_inputs())

    def run(self, feed: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        """Return the values of `outputs`, in their order.

        Raises:
            RunError: onnxruntime refuses the feed or fails.
        """
        try:
            results: list[Any] = self._session.run(list(outputs), {name: feed[name] for name in self.inputs})
        except Exception as error:
            raise explained(error, "run the model") from None
        return results


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
    if options.weights_only_quantised:
        # onnxruntime otherwise keeps DequantizeLinear of a weight and runs it every time: 125 ms against 48.
        settings.add_session_config_entry("session.disable_quant_qdq", "1")
    return settings


def _checked_placement(session: Any, wish: str, provider: str, reason: str) -> Placement:
    if session.get_providers()[0] != provider:
        raise DeviceError(
            f"device {wish!r} does not work here: onnxruntime fell back to the CPU; see `onnxviz devices`"
        )
    nodes = total = None
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception:  # a build without the record: the provider list above is then all that can be known
        parts = []
    if parts:
        counts = [(part.ep_name, len(part.get_nodes())) for part in parts]
        total = sum(count for _, count in counts)
        nodes = sum(count for name, count in counts if name == provider)
    return Placement(wish, provider, reason, nodes, total)


def joined(placements: Sequence[Placement]) -> Placement:
    """Return the placement of several pieces of a run together."""
    if len(placements) == 1:
        return placements[0]
    counts = [(place.nodes, place.total) for place in placements]
    known = [(nodes, total) for nodes, total in counts if nodes is not None and total is not None]
    if len(known) < len(placements):
        return replace(placements[0], nodes=None, total=None)
    return replace(placements[0], nodes=sum(nodes for nodes, _ in known), total=sum(total for _, total in known))


def check_taken(placement: Placement) -> None:
    """Refuse a run of which the device that was asked for took nothing.

    Raises:
        DeviceError: A device beside the CPU took no node.
    """
    if placement.total and not placement.nodes and placement.provider != PROVIDERS["cpu"]:
        raise DeviceError(
            f"device {placement.device!r} took none of the {placement.total} nodes: all would run on the CPU"
        )


def explained(error: Exception, doing: str) -> OnnxvizError:
    """Return onnxruntime's exception as one of ours, its text cut to what a reader can use."""
    if isinstance(error, OnnxvizError):
        return error
    text = " ".join(str(error).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"/\S*onnxruntime_src/\S+:\d+ \S+ ?", "", text)
    text = re.sub(r"^Load model from .*? failed: ?(?:Fatal error: )?", "", text)
    lacking = re.search(r"(?:error: )?(\S+)\(-?\d+\) is not a registered function/op", text)
    if lacking:
        return UnsupportedError(f"onnxruntime has no operator {lacking[1]}, which the model uses")
    missing = re.search(r"Could not find an implementation for (\S+?)\((\d+)\)", text)
    if missing:
        return UnsupportedError(
            f"onnxruntime has no implementation of {missing[1]} in version {missing[2]} of its operators"
        )
    if "does not match the opset" in text or "invalid model" in text or "INVALID_GRAPH" in str(error):
        return UnsupportedError(f"onnxruntime refuses the model: {text[:300]}")
    return RunError(f"onnxruntime could not {doing}: {text[:400] or type(error).__name__}")
