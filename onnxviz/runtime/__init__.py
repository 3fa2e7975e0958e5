"""Runs graphs with onnxruntime; the only room that knows it."""
