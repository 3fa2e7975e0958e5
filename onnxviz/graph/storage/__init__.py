"""An ONNX file without its weights: reads at a place, the skeleton, and files of other formats."""
