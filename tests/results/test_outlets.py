from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from onnxviz.activations import Activation, Activations
from onnxviz.errors import ExecutionError
from onnxviz.results.outlets import RunArrays


def activation(name: str, value: float, size: int = 1000) -> Activation:
    return Activation(name, name, "act", np.full((1, size), value, np.float32), "NC")


def test_a_run_that_fails_is_cut_off(tmp_path: Path) -> None:
    sizes: list[int] = []
    with RunArrays.open(tmp_path / "a.npz", force=False) as arrays:
        (part,) = tmp_path.iterdir()
        for place, fails in enumerate((True, False, True, True, False, True)):
            arrays.begin_run(f"{place:03}-run")
            for name in ("conv", "pool")[: 1 if fails else 2]:
                arrays.add(activation(name, place))
            if fails:
                arrays.drop_run()
            sizes.append(part.stat().st_size)
    assert sizes[0] == 0 and sizes[2] == sizes[3] == sizes[1] and sizes[5] == sizes[4]
    names = ["001-run/conv", "001-run/pool", "004-run/conv", "004-run/pool"]
    read = Activations.load(tmp_path / "a.npz")
    assert list(read) == names
    assert [float(maps.array.max()) for maps in read.values()] == [1, 1, 4, 4]
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["0000.npy", "0001.npy", "0002.npy", "0003.npy", "names.npy", "facts.npy"]
    with np.load(tmp_path / "a.npz") as members:
        assert members["names"].tolist() == names


def test_the_only_run_has_the_names_of_its_layers(tmp_path: Path) -> None:
    with RunArrays.open(tmp_path / "a.npz", force=False) as arrays:
        arrays.begin_run(".")
        arrays.add(activation("conv", 1))
    assert list(Activations.load(tmp_path / "a.npz")) == ["conv"]


def test_nothing_is_left_where_the_whole_fails(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError), RunArrays.open(tmp_path / "a.npz", force=False) as arrays:
        arrays.begin_run("000-a")
        arrays.add(activation("conv", 1))
        raise ExecutionError("no")
    assert not list(tmp_path.iterdir())


def test_memory_stays_flat(tmp_path: Path) -> None:
    array = activation("conv", 1, size=100_000)  # 400 kB
    with RunArrays.open(tmp_path / "a.npz", force=False) as arrays:
        tracemalloc.start()
        for place in range(20):
            arrays.begin_run(f"{place}")
            arrays.add(array)
            if place % 2:
                arrays.drop_run()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2_000_000 < (tmp_path / "a.npz").stat().st_size
