"""TensorFlow to ONNX: what a source is, the child process that converts it, and the check of what it made."""
