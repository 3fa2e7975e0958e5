"""See inside any ONNX model: its layers, its feature maps, as pictures good enough to print.

>>> import onnxviz
>>> model = onnxviz.open(onnxviz.bundled.classifier())
>>> len(model.select("conv"))
49
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxviz.version import __version__

if TYPE_CHECKING:
    from onnxviz import bundled
    from onnxviz.activations import Activation, Activations
    from onnxviz.comparing.compare import compare
    from onnxviz.comparing.compare_options import CompareOptions
    from onnxviz.comparing.comparison_result import Comparison
    from onnxviz.conversion.convert import convert
    from onnxviz.conversion.convert_options import ConvertOptions
    from onnxviz.draw.figure.figure_parts import Figure
    from onnxviz.draw.style import Style
    from onnxviz.errors import OnnxvizError
    from onnxviz.explaining.explain import explain
    from onnxviz.explaining.explain_options import ExplainOptions
    from onnxviz.explaining.explanation import Explanation
    from onnxviz.extraction.extract import extract
    from onnxviz.extraction.extract_options import ExtractOptions
    from onnxviz.extraction.extracted import Extracted
    from onnxviz.feed.feed_options import FeedOptions
    from onnxviz.figures.figure_options import FigureOptions
    from onnxviz.figures.make_figure import figure
    from onnxviz.graph.layers.layer import Layer
    from onnxviz.maximising.maximise import maximise
    from onnxviz.maximising.maximise_options import MaximiseOptions
    from onnxviz.maximising.maximised import Maximised
    from onnxviz.mining.mine import mine
    from onnxviz.mining.mine_options import MineOptions
    from onnxviz.mining.mined import Mined
    from onnxviz.model import Model
    from onnxviz.opening import open
    from onnxviz.reporting.report import ReportOptions, report
    from onnxviz.runtime.session import RunOptions
    from onnxviz.viewing.options import ViewOptions
    from onnxviz.viewing.view import view

# Names come when they are first asked for: `import onnxviz` loads no numpy, onnx or Pillow.
_HOMES = {
    "Activation": ("onnxviz.activations", "Activation"),
    "Activations": ("onnxviz.activations", "Activations"),
    "CompareOptions": ("onnxviz.comparing.compare_options", "CompareOptions"),
    "Comparison": ("onnxviz.comparing.comparison_result", "Comparison"),
    "ConvertOptions": ("onnxviz.conversion.convert_options", "ConvertOptions"),
    "ExplainOptions": ("onnxviz.explaining.explain_options", "ExplainOptions"),
    "Explanation": ("onnxviz.explaining.explanation", "Explanation"),
    "ExtractOptions": ("onnxviz.extraction.extract_options", "ExtractOptions"),
    "Extracted": ("onnxviz.extraction.extracted", "Extracted"),
    "FeedOptions": ("onnxviz.feed.feed_options", "FeedOptions"),
    "Figure": ("onnxviz.draw.figure.figure_parts", "Figure"),
    "FigureOptions": ("onnxviz.figures.figure_options", "FigureOptions"),
    "Layer": ("onnxviz.graph.layers.layer", "Layer"),
    "MaximiseOptions": ("onnxviz.maximising.maximise_options", "MaximiseOptions"),
    "Maximised": ("onnxviz.maximising.maximised", "Maximised"),
    "MineOptions": ("onnxviz.mining.mine_options", "MineOptions"),
    "Mined": ("onnxviz.mining.mined", "Mined"),
    "Model": ("onnxviz.model", "Model"),
    "OnnxvizError": ("onnxviz.errors", "OnnxvizError"),
    "ReportOptions": ("onnxviz.reporting.report", "ReportOptions"),
    "RunOptions": ("onnxviz.runtime.session", "RunOptions"),
    "Style": ("onnxviz.draw.style", "Style"),
    "ViewOptions": ("onnxviz.viewing.options", "ViewOptions"),
    "bundled": ("onnxviz.bundled", None),
    "compare": ("onnxviz.comparing.compare", "compare"),
    "convert": ("onnxviz.conversion.convert", "convert"),
    "explain": ("onnxviz.explaining.explain", "explain"),
    "extract": ("onnxviz.extraction.extract", "extract"),
    "figure": ("onnxviz.figures.make_figure", "figure"),
    "maximise": ("onnxviz.maximising.maximise", "maximise"),
    "mine": ("onnxviz.mining.mine", "mine"),
    "open": ("onnxviz.opening", "open"),
    "report": ("onnxviz.reporting.report", "report"),
    "view": ("onnxviz.viewing.view", "view"),
}
__all__ = [
    "Activation",
    "Activations",
    "CompareOptions",
    "Comparison",
    "ConvertOptions",
    "ExplainOptions",
    "Explanation",
    "ExtractOptions",
    "Extracted",
    "FeedOptions",
    "Figure",
    "FigureOptions",
    "Layer",
    "MaximiseOptions",
    "Maximised",
    "MineOptions",
    "Mined",
    "Model",
    "OnnxvizError",
    "ReportOptions",
    "RunOptions",
    "Style",
    "ViewOptions",
    "__version__",
    "bundled",
    "compare",
    "convert",
    "explain",
    "extract",
    "figure",
    "maximise",
    "mine",
    "open",
    "report",
    "view",
]

if not TYPE_CHECKING:  # a type checker that saw this would take any name

    def __getattr__(name):
        import importlib

        if name not in _HOMES:
            raise AttributeError(f"module 'onnxviz' has no attribute {name!r}")
        home, attribute = _HOMES[name]
        module = importlib.import_module(home)
        return module if attribute is None else getattr(module, attribute)

    def __dir__():
        return sorted({*globals(), *_HOMES} - {"TYPE_CHECKING", "annotations"})
