"""What runs in the other Python: it imports TensorFlow and tf2onnx, and nothing of onnxviz outside this folder.

That Python may be older than onnxviz's own (3.9 with TensorFlow 2.15), so nothing here needs a newer one.
"""
