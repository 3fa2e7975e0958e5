"""`mine` where the disk is full, pictures are broken by the thousand, classes are empty, and two runs meet."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import OutputError
from onnxviz.sweeping.sweep import working_folder

OPTIONS = onnxviz.MineOptions(layers="conv", count=4, feed=onnxviz.FeedOptions(preset="zero-one"))

_FULL = """
import resource, signal, sys
from onnxviz.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are those of Unix")
def test_a_full_disk_is_one_line_and_nothing_half_written(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "units"
    given = ["mine", mining_model, photos, "--layers", "conv", "--preset", "zero-one", "-o", target]
    done = subprocess.run(
        [sys.executable, "-c", _FULL, *map(str, given)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr and not target.exists()
    assert done.stderr.strip().splitlines()[-1] == f"onnxviz: cannot write {target}: file too large"
    # What was done before waits, and with more room the same pass goes on.
    assert len(onnxviz.mine(mining_model, photos, target, replace(OPTIONS, count=9))) == 2


def test_thousands_of_broken_and_odd_pictures(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    whole = onnxviz.mine(mining_model, photos, tmp_path / "whole", OPTIONS)
    odd = photos / "odd"
    odd.mkdir()
    good = (photos / "a" / "00.png").read_bytes()
    numbers = np.random.default_rng(0)
    for place in range(3000):
        kind = place % 4
        noise = numbers.integers(0, 256, 40, np.uint8).tobytes()
        text = (b"", good[: 20 + place % 60], noise, good[:8] + noise)[kind]
        (odd / f"{place:05}.png").write_bytes(text)
    mined = onnxviz.mine(mining_model, photos, tmp_path / "mined", OPTIONS)
    assert len(mined.failures) == 3000
    assert all(reason for _, reason in mined.failures)
    # What they are beside changes nothing, but for the class that has no picture.
    for name in ("value", "picture", "place", "histogram", "pictures"):
        assert getattr(mined.state, name).tobytes() == getattr(whole.state, name).tobytes(), name
    assert mined.classes == ("a", "b", "odd")
    units = next(iter(mined.values()))
    assert not units.state.class_pictures[2].any()
    assert np.isfinite(units.statistics.selectivity).all() and (units.statistics.best_class < 2).all()


def test_odd_pictures_are_fed_or_listed(mining_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for mode, value in (
        ("1", 1),
        ("L", 9),
        ("LA", (9, 9)),
        ("RGBA", (9, 9, 9, 0)),
        ("CMYK", (9, 9, 9, 9)),
        ("I;16", 9),
    ):
        suffix = "tif" if mode == "CMYK" else "png"
        Image.new(mode, (1 if mode == "L" else 30, 17), value).save(folder / f"{mode.replace(';', '')}.{suffix}")
    mined = onnxviz.mine(mining_model, folder, tmp_path / "units", OPTIONS)
    used = int(next(iter(mined.values())).state.pictures[0])
    assert used + len(mined.failures) == 6 and used >= 5


def test_two_runs_into_one_folder(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    from onnxviz.mining.survey import survey
    from onnxviz.results.observer import Observer
    from onnxviz.sweeping.beginning import begin, goal_of

    opened, dataset = begin(mining_model, photos, OPTIONS, Observer())
    goal = goal_of(opened, photos, tmp_path / "units", OPTIONS, ("mine", "units"))
    found = survey(opened, dataset, OPTIONS, Observer())
    with (
        pytest.raises(OutputError, match="another"),
        working_folder(goal, found.facts, len(dataset), Observer()),
    ):
        onnxviz.mine(mining_model, photos, tmp_path / "units", OPTIONS)
    assert not (tmp_path / "units").exists()
