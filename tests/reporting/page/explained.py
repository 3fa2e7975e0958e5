"""Build the example's page that explains a dropped picture, and print the heat that onnxruntime finds on the same one.

python explained.py FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

import onnxviz
from onnxviz import ExplainOptions

BUILD = Path(__file__).resolve().parents[3] / "examples" / "explain_in_browser" / "build.py"


def main(folder: Path) -> None:
    picture, model = folder / "cat.png", folder / "explained.onnx"
    with Image.open(onnxviz.bundled.picture("cat")) as cat:
        cat.convert("RGB").resize((224, 224)).save(picture)
    options = ExplainOptions(methods=("gradcam",), target="top1", export=model)
    onnxviz.explain(onnxviz.bundled.classifier(), [str(picture)], folder / "why", options)
    subprocess.run([sys.executable, BUILD, model, folder / "page.html"], check=True, stdout=subprocess.DEVNULL)
    fed = onnxviz.open(model).feed({"image": picture, "class_index": np.array([0])}).arrays
    session = onnxruntime.InferenceSession(model)
    found = {
        index: session.run(["heat"], {**fed, "class_index": np.array([index])})[0].reshape(-1).tolist()
        for index in (285, 282)
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
