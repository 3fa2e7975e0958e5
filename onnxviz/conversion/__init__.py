"""TensorFlow to ONNX: what a source is, the child process that converts it, and the proof that both agree."""
