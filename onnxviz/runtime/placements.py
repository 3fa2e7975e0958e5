"""Where the nodes of a run are: those of one session, and of several together; and whether the device took any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from onnxviz.errors import DeviceError
from onnxviz.runtime.devices import PROVIDERS, Placement


def placement_of(session: Any, target: Placement) -> Placement:
    """Return where the nodes of an open session run that was to be opened on the target.

    Raises:
        DeviceError: onnxruntime opened it on another device.
    """
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
