"""Finds what the project ships: the classifier, its labels, the demo pictures and the connectome."""

from __future__ import annotations

from pathlib import Path

from onnxviz.errors import UsageError

PICTURES = {
    "cat": "pictures/cat.jpg",
    "coffee": "pictures/coffee.jpg",
    "rocket": "pictures/rocket.jpg",
    "camera": "pictures/camera_grey.jpg",
    "connectome": "connectome_aal2_80.csv",
}


def folder() -> Path:
    """Return the folder of the shipped files: inside the package (wheel) or beside it (source tree, editable)."""
    package = Path(__file__).resolve().parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def classifier() -> Path:
    """Return the path of the shipped image classifier, EfficientNet-Lite0 with int8 weights."""
    return folder() / "efficientnet_lite0_int8.onnx"


def labels() -> tuple[str, ...]:
    """Return the classifier's 1000 class names, in class order."""
    return tuple((folder() / "imagenet_labels.txt").read_text(encoding="utf-8").splitlines())


def picture(name: str) -> Path:
    """Return the path of a shipped picture by its name, or the path itself where `name` is an existing file.

    Raises:
        UsageError: It is neither.
    """
    if name in PICTURES:
        return folder() / PICTURES[name]
    if Path(name).is_file():
        return Path(name)
    raise UsageError(f"no picture {name!r}: give a file or one of {', '.join(PICTURES)}")
