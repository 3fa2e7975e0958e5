"""An ONNX file as a graph: reading it, finding its layers, exposing their values; knows onnx, never onnxruntime."""
