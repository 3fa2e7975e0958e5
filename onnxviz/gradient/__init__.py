"""Reverse mode as a rewrite: from a graph the graph of its gradient, in ONNX's own operators."""
