"""Stores what each network of keras.applications makes of pixels: python applications.py OUT.npz"""

from __future__ import annotations

import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import numpy as np
import tensorflow as tf

PIXELS = np.arange(0, 256, 5, dtype=np.float32)[: 51 // 3 * 3].reshape(1, 1, -1, 3)

if __name__ == "__main__":
    modules = {name: getattr(tf.keras.applications, name) for name in dir(tf.keras.applications)}
    given = {name: module for name, module in modules.items() if hasattr(module, "preprocess_input")}
    values = {name: np.asarray(module.preprocess_input(PIXELS.copy())) for name, module in given.items()}
    np.savez(sys.argv[1], pixels=PIXELS, **values)
