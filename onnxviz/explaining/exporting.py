"""`explain --export`: a file of a model that puts out the heat of a class, checked on the input that was explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.differences import difference
from onnxviz.errors import UsageError, VerificationError
from onnxviz.explaining.explain_options import ExplainOptions
from onnxviz.explaining.explanation import Explanation
from onnxviz.explaining.heat_model import FORMULAS, HeatModel, heat_model
from onnxviz.explaining.method_work import Explaining
from onnxviz.explaining.methods import map_layer
from onnxviz.explaining.network import Network
from onnxviz.graph.write import LARGEST
from onnxviz.layout import Array
from onnxviz.model import Model
from onnxviz.words import number_text

TOLERANCE = 0.01
"""How far the heat of the file may be from that of two models, as a share of its greatest number.

onnxruntime fuses other nodes of the one graph than of the two. Where a number lies within a rounding of the end of a
nonlinearity, its gradient is on in one and off in the other: 6e-4 was seen in a gradient through 49 ReLU6. At the last
layer, where no nonlinearity follows, both are the same to 1e-6.
"""


def check_export(options: ExplainOptions) -> None:
    """Refuse to export anything but the heat of a class.

    Raises:
        UsageError: None of the methods can be exported, or no class is explained.
    """
    if options.export is None:
        return
    if not any(method in FORMULAS for method in options.methods):
        raise UsageError(f"--export writes the heat of {', '.join(FORMULAS)}: name one of them with --method")
    if options.unit is not None or options.at is not None:
        raise UsageError("--export writes the heat of classes, not of a unit or a place of an output")


def exported_heat(
    network: Network, found: Sequence[Explanation], options: ExplainOptions, path: Path
) -> dict[str, Any]:
    """Write the model that puts out the first map that one can, and return what it is.

    Raises:
        UsageError: None of the maps is one that a model puts out.
        UnsupportedError: The model cannot be made.
        OutputError: It cannot be written.
        VerificationError: It gives other numbers; it is written nevertheless.
    """
    shown = next((one for one in found if one.method in FORMULAS), None)
    if shown is None:
        raise UsageError(f"none of the maps is one that a model can put out: those of {', '.join(FORMULAS)}")
    made = _made(network, shown, options)
    size = sum(part.size for part in network.model.file.parts)
    made.model.save(path, linked=size > LARGEST, force=options.force)
    gap = difference([_heat_of(made, path, network, shown)], [shown.array])
    if not gap.max_rel <= TOLERANCE:
        raise VerificationError(
            f"the heat of {path} is off by {number_text(gap.max_rel)} of its greatest number (tolerance {TOLERANCE}): "
            "the file was written"
        )
    return {
        "file": str(path),
        "method": shown.method,
        "layer": shown.layer or None,
        "class_input": made.class_input,
        "heat_output": made.heat_output,
        "max_abs": gap.max_abs,
    }


def _made(network: Network, shown: Explanation, options: ExplainOptions) -> HeatModel:
    if not shown.layer:
        return heat_model(network, shown, None)
    work = Explaining(network, [shown.target], replace(options, layers=options.layers and [shown.layer]))
    return heat_model(network, shown, map_layer(shown.method, work, shown.target))


def _heat_of(made: HeatModel, path: Path, network: Network, shown: Explanation) -> Array:
    fed = network.feed_of(network.array)
    classes = np.full(len(fed.arrays[network.input]), shown.target.index, np.int64)
    arrays = {**fed.arrays, made.class_input: classes}
    (heat,) = Model.open(path).inference.values([made.heat_output], replace(fed, arrays=arrays))
    return np.asarray(heat[0], np.float32)
