"""Draws the bundled model's layers with one part of the work left out, so that the rest tells what that part costs.

python benchmarks/parts.py nothing|words|encoding FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnxviz
from onnxviz.draw import header, montage, page
from onnxviz.viewing import drawing


def nothing(*arguments: Any, **options: Any) -> None:
    pass


def leave_out(part: str) -> None:
    if part == "words":
        page.Page.text = nothing  # type: ignore[method-assign]
        montage.Montage._bars = nothing  # type: ignore[method-assign]
        header.colour_bar = header._draw_legend = nothing
    elif part == "encoding":
        drawing.save = nothing  # type: ignore[attr-defined]


if __name__ == "__main__":
    leave_out(sys.argv[1])
    options = onnxviz.ViewOptions(html=False, force=True)
    onnxviz.view(onnxviz.bundled.classifier(), str(onnxviz.bundled.picture("cat")), Path(sys.argv[2]), options)
