from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxviz.errors import InputError
from onnxviz.feed.matrices import Matrix, log_transform, matrix_picture, read_matrix


def read(tmp_path: Path, text: str | bytes, name: str = "m.csv") -> Matrix:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_matrix(path, name)


def test_tables(tmp_path: Path) -> None:
    assert read(tmp_path, "1,2\n3,4e-1\n").values.tolist() == [[1, 2], [3, 0.4]]
    assert read(tmp_path, "1;2\r\n\r\n3;4").values.tolist() == [[1, 2], [3, 4]]
    assert read(tmp_path, "1\t-2", "m.tsv").values.tolist() == [[1, -2]]
    assert read(tmp_path, "\ufeff5,6").values.tolist() == [[5, 6]]
    assert read(tmp_path, "7\n8\n").values.tolist() == [[7], [8]]


def test_names_of_rows_and_columns_are_left_out_and_noted(tmp_path: Path) -> None:
    named = read(tmp_path, ",a,b\nr,1,2\ns,3,4\n")
    assert named.values.tolist() == [[1, 2], [3, 4]]
    assert named.notes == ("its first row, names, is left out", "its first column, names, is left out")
    assert read(tmp_path, '"a, b",c\n1,2').values.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "m.csv is empty: a matrix is a table of numbers, a row a line"),
        ("1,2\n\n3\n", "m.csv: line 3 has 1 cells, line 1 has 2"),
        ("1,2\n3,x\n", "m.csv: line 2, column 2: 'x' is not a finite number"),
        ("1,2\n3,\n", "m.csv: line 2, column 2: the cell is empty"),
        ("1,nan\n3,4\n", "m.csv: line 1, column 2: 'nan' is not a finite number"),
        (b"\xff\xfe\x00", "m.csv is not text: a matrix is a table of numbers, a row a line"),
    ],
)
def test_errors_point_at_the_place(tmp_path: Path, text: str | bytes, error: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == error


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^m\.csv: there is no such file$"):
        read_matrix(tmp_path / "m.csv", "m.csv")


def test_smallest_is_black_and_largest_white() -> None:
    picture = matrix_picture(Matrix(np.array([[-1.0, 0.0, 3.0]])), "none")
    assert picture.pixels.ravel().tolist() == [0, 63.75, 255]
    assert picture.notes == ("-1..3 is fed as black to white",)


def test_constant_and_huge_numbers() -> None:
    constant = matrix_picture(Matrix(np.full((2, 2), 7.0)), "log")
    assert constant.pixels.max() == 0
    assert constant.notes[-1].startswith("every number is ")
    huge = matrix_picture(Matrix(np.array([[-1.7e308, 0, 1.7e308]])), "none")
    assert huge.pixels.ravel().tolist() == [0, 127.5, 255]


def test_log_by_hand() -> None:
    # The median of 1, 1, 9, 99 is 5.
    values = log_transform(np.array([[0.0, 1.0, -1.0], [0.0, 9.0, 99.0]]))
    assert values == pytest.approx(np.log10([[1, 1.2, 1 / 1.2], [1, 2.8, 20.8]]))
    assert log_transform(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]
    assert np.isfinite(log_transform(np.array([[5e-324, 1.7e308]]))).all()


def test_log_lifts_a_heavy_tail() -> None:
    values = np.array([[0.0, 1e-4, 1e-4, 1e-3, 1.0]])
    shades = matrix_picture(Matrix(values), "log").pixels.ravel()
    assert shades[3] > 35
    assert shades[1] > 5
    assert matrix_picture(Matrix(values), "none").pixels.ravel()[3] < 1
