"""`onnxviz devices`: on what onnxruntime can run here, and why not on the rest."""

from __future__ import annotations

from dataclasses import asdict

from onnxviz.cli import parameters
from onnxviz.cli.terminal import print_json, print_table, say


def devices(json: parameters.Json = False) -> None:
    """List the devices that models can run on here; each is tried with a model of one node.

    Example: onnxviz devices
    """
    from onnxviz.runtime.devices import devices as found_devices
    from onnxviz.runtime.devices import overlapping_wheels, runtime

    found = found_devices()
    wheels = overlapping_wheels()
    if json:
        print_json(
            "onnxviz.devices/1", onnxruntime=runtime().__version__, wheels=wheels, devices=list(map(asdict, found))
        )
    else:
        rows = [(each.name, "yes" if each.usable else "no", each.provider, each.reason) for each in found]
        print_table(("device", "usable", "provider", "why"), rows, left=(True,) * 4, prose=True)
    if len(wheels) > 1:
        say(f"warning: {' and '.join(wheels)} are installed over each other; keep one of them in an environment")
