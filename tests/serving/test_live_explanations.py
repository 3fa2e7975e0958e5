"""Explanations that follow the picture of a served page, against those of `Model.explain` on the same picture."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import UsageError
from onnxviz.serving.serve_options import ServeOptions
from onnxviz.serving.served_model import ServedModel
from tests.explaining.conftest import picture, scoring_model

__all__ = ["picture", "scoring_model"]

FEED = onnxviz.FeedOptions(preset="zero-one")


def index_of(page: bytes) -> Any:
    return json.loads(re.search('id="index">(.*?)</script>', page.decode())[1])


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def ends(layer: dict[str, Any]) -> np.ndarray:
    """Return the least and the greatest number of each map of a layer."""
    stats = layer["runs"][0]["stats"]
    return np.array([np.frombuffer(base64.b64decode(stats[end]), "<f4") for end in ("low", "high")])


def test_each_picture_is_explained_for_its_own_strongest_classes(scoring_model: Path, picture: np.ndarray) -> None:
    labels = ("reddish", "greenish", "neither")
    model = onnxviz.open(scoring_model)
    served = ServedModel(model, ServeOptions(feed=FEED, labels=labels, explain=("gradcam", "smoothgrad")))
    layers = index_of(served.page("secret"))["layers"]
    places = {layer["name"]: place for place, layer in enumerate(layers)}
    assert layers[places["gradcam"]]["explains"]
    for pixels in (picture, picture[:, :, [1, 0, 2]], 255 - picture):
        found = json.loads(served.update(png(pixels), [places["gradcam"]]))
        assert list(found["layers"]) == [str(places["gradcam"])]
        layer = found["layers"][str(places["gradcam"])]
        for place, label in enumerate(layer["labels"]):
            expected = model.explain(pixels, method="gradcam", target=label, labels=labels, feed=FEED).array
            assert ends(layer)[:, place] == pytest.approx([expected.min(), expected.max()], rel=1e-6)


def test_of_a_picture_that_nothing_explains_the_reason_is_said(scoring_model: Path, picture: np.ndarray) -> None:
    black = np.zeros((4, 4, 3), np.uint8)  # both maps are below 0, where Relu has no gradient
    served = ServedModel(onnxviz.open(scoring_model), ServeOptions(feed=FEED))
    # The cat with which it begins has an explanation.
    place = next(each for each, layer in enumerate(index_of(served.page("t"))["layers"]) if layer.get("explains"))
    (layer,) = json.loads(served.update(png(black), [place]))["layers"].values()
    assert layer["labels"] == ["no explanation"]
    assert layer["notes"][0].startswith("no map of conv raises class 0")
    (layer,) = json.loads(served.update(png(picture), [place]))["layers"].values()
    assert set(layer["labels"]) <= {"class 0", "class 1", "class 2"}


def test_a_model_without_classes_is_served_without_explanations(doubling_model: Path) -> None:
    served = ServedModel(onnxviz.open(doubling_model), ServeOptions(layers="all", feed=FEED))
    assert not any(layer.get("explains") for layer in index_of(served.page("secret"))["layers"])
    assert "answers are not explained: no output of the model holds class scores" in served.remark


def test_nothing_is_explained_that_was_not_asked_for(scoring_model: Path) -> None:
    served = ServedModel(onnxviz.open(scoring_model), ServeOptions(feed=FEED, explain=()))
    assert not any(layer.get("explains") for layer in index_of(served.page("secret"))["layers"])
    with pytest.raises(UsageError, match="no method 'gradcams'; near: `gradcam`"):
        ServeOptions(explain=("gradcams",))
