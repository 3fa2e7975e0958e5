"""Maps that the tests of an overview share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def steps() -> np.ndarray:
    """Return maps (1, 3, 2, 2): constant, deviation 1, deviation 2."""
    return np.array([[[[5, 5], [5, 5]], [[0, 2], [0, 2]], [[0, 0], [4, 4]]]], np.float32)
