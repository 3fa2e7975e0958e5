"""One self-contained HTML page of the maps, to explore and to hand on: `onnxviz.report`."""
