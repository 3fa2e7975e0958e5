"""What `--fail-on` takes, and which layers it finds."""

import numpy as np
import pytest

from onnxviz.bounds import Bounds
from onnxviz.errors import UsageError
from onnxviz.health import health_of
from onnxviz.results.fail_on import FailOn
from onnxviz.results.pooled_health import PooledLayer


def layer(name: str, values: object, high: float = float("nan")) -> PooledLayer:
    return PooledLayer.of(name, f"{name}:0", "act", health_of(np.array(values, np.float32), 0, Bounds(high=high)))


WELL = layer("well", [[0, 1], [2, 3]])
BROKEN = layer("broken", [[0, np.nan], [np.inf, np.inf]])
HALF = layer("half", [[0, 0], [2, 6]], 6.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nan", "--fail-on: broken: 1 of 4 values NaN"),
        ("inf=0.4", "--fail-on: broken: 2 of 4 values infinite (at most 40 %)"),
        ("inf=0.5", ""),
        ("dead", "--fail-on: half: 1 of 2 channels dead"),
        ("dead=0.5", ""),
        ("saturated=0.2", "--fail-on: half: 1 of 4 values saturated (at most 20 %)"),
        ("saturated=.25", ""),
        (" nan , dead = 0.1", "--fail-on: broken: 1 of 4 values NaN, half: 1 of 2 channels dead (at most 10 %)"),
    ],
)
def test_layers_past_a_bound_are_said(text: str, expected: str) -> None:
    assert FailOn.parse(text).broken([WELL, BROKEN, HALF]) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "takes nan, inf, saturated, dead, not ''"),
        ("nan,", "not ''"),
        ("ded=0.5", "near: `dead`"),
        ("nan,nan=1", "has nan twice"),
        ("dead=", "a share from 0 to 1, such as dead=0.5, not 'dead='"),
        ("dead=2", "not 'dead=2'"),
        ("dead=-0.1", "not 'dead=-0.1'"),
        ("dead=nan", "not 'dead=nan'"),
        ("dead=50%", "not 'dead=50%'"),
        ("dead=0.5=1", "not 'dead=0.5=1'"),
        ("NaN", "near: `nan`"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        FailOn.parse(text)
    assert said in str(raised.value)


def test_of_many_layers_the_first_are_named() -> None:
    said = FailOn.parse("nan").broken([BROKEN] * 20)
    assert said.count("broken") == 8 and said.endswith(" and 12 more")
