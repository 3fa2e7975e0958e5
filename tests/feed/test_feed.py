from __future__ import annotations

import numpy as np

from onnxviz.feed.feed_options import FeedOptions
from tests.feed.feeding import feed, spec


def test_numbers_that_are_not_finite_are_counted() -> None:
    (fed,) = feed(spec(4), np.array([1, np.nan, np.inf, 3], np.float32), FeedOptions()).fed
    assert (fed.min, fed.max, fed.mean) == (1, 3, 2)
    assert fed.notes == ("2 of its 4 numbers are NaN or infinite",)


def test_a_name_with_control_characters_is_escaped() -> None:
    (fed,) = feed(spec(1, name="a\x1b[31m\n"), np.ones(1, np.float32), FeedOptions()).fed
    assert fed.describe() == "a\\x1b[31m\\n  1 float32  1..1 mean 1  from array"
