from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.feed.feeding import COLOURS, write_wav


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "four.png"
    Image.fromarray(COLOURS).save(path)
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "s.wav", np.array([0, 16384, -16384, 0], "<i2").tobytes(), width=2)
