from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxviz.errors import ModelError
from onnxviz.graph.storage.wire import (
    DELIMITED,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    Reader,
    delimited_field,
    encode_varint,
    fields,
    open_reader,
    varint_field,
)

POSITIONED = [pytest.param(True, marks=pytest.mark.skipif(not hasattr(os, "pread"), reason="no pread")), False]


@pytest.fixture(params=POSITIONED, ids=["positioned", "seeking"])
def reader_of(request, tmp_path):
    readers = []

    def make(content: bytes) -> Reader:
        path = tmp_path / f"{len(readers)}.bin"
        path.write_bytes(content)
        readers.append(Reader(path, positioned=request.param))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def test_fields_of_a_message_worked_out_on_paper(reader_of):
    # field 1 = 150 (the example of protobuf's own guide), field 2 = "testing", field 3 fixed32, field 4 fixed64
    message = bytes.fromhex("08 96 0112 07 74 65 73 74 69 6e 671d 01 02 03 0421 01 02 03 04 05 06 07 08")
    assert list(fields(reader_of(message), 0, len(message))) == [
        Field(1, VARINT, 0, 1, 3, 150),
        Field(2, DELIMITED, 3, 5, 12, 0),
        Field(3, FIXED32, 12, 13, 17, 0),
        Field(4, FIXED64, 17, 18, 26, 0),
    ]


def test_encoders_make_what_fields_reads(reader_of):
    message = varint_field(1, -1) + delimited_field(300, b"abc")
    reader = reader_of(message)
    first, second = fields(reader, 0, len(message))
    assert (first.number, first.value) == (1, 2**64 - 1)
    assert (second.number, reader.read(second.payload, second.length)) == (300, b"abc")


@given(st.integers(0, 2**64 - 1))
def test_varint_is_read_as_it_was_written(tmp_path_factory, number):
    path = tmp_path_factory.mktemp("varint") / "n"
    path.write_bytes(encode_varint(number))
    with Reader(path) as reader:
        assert reader.varint(0, reader.size) == (number, reader.size)


@given(st.integers(-(2**63), 2**64 - 1))
def test_varint_is_at_most_ten_bytes_and_ends_once(number):
    encoded = encode_varint(number)
    assert len(encoded) <= 10
    assert [byte >= 128 for byte in encoded] == [True] * (len(encoded) - 1) + [False]


def test_what_is_skipped_is_not_read(reader_of):
    message = delimited_field(1, bytes(5_000_000)) + varint_field(2, 7)
    reader = reader_of(message)
    assert [field.number for field in fields(reader, 0, len(message))] == [1, 2]
    assert reader.bytes_read < 100_000


def test_reads_far_apart_back_and_across_the_window_are_right(reader_of):
    content = bytes(place % 251 for place in range(200_000))
    reader = reader_of(content)
    for start, length in [(0, 10), (150_000, 10), (16_380, 20), (5, 3), (0, 200_000), (199_999, 1), (7, 0)]:
        assert reader.read(start, length) == content[start : start + length]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"\x0a\x05abc", "the file is truncated at byte 5: its field 1 at byte 0 goes on to byte 7"),
        (b"\x0a" + encode_varint(1 << 62) + b"abc", "the file is truncated at byte 13"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "the file is truncated at byte 11"),
        (b"\x08" + b"\xff" * 20, "the file is damaged at byte 1: a number has no end"),
        (b"\x08\x80", "the file is damaged at byte 1: a number has no end"),
        (b"\x08", "the file is damaged at byte 1: a number has no end"),
        (b"\x00\x00", "the file is damaged at byte 0: there is not a field of number 0"),
        (b"\x0b", "the file is damaged at byte 0: wire type 3 does not occur in ONNX"),
        (b"\x0d\x01\x02", "the file is truncated at byte 3: its field 1 at byte 0 goes on to byte 5"),
    ],
)
def test_damage_is_told_with_its_place(reader_of, message, text):
    with pytest.raises(ModelError) as caught:
        list(fields(reader_of(message), 0, len(message)))
    assert str(caught.value).startswith(text)


def test_a_field_past_its_message_is_told_apart_from_a_truncated_file(reader_of):
    inner = b"\x0a\x05abc"
    message = delimited_field(1, inner) + bytes(10)
    with pytest.raises(ModelError, match="damaged at byte 2: field 1 runs 2 bytes past its message"):
        list(fields(reader_of(message), 2, 2 + len(inner)))


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path):
    path = tmp_path / "shrinking"
    path.write_bytes(bytes(100_000))
    with Reader(path) as reader:
        reader.read(0, 10)
        os.truncate(path, 20_000)
        with pytest.raises(ModelError, match="has become shorter while it was read: nothing is left at byte 90000"):
            reader.read(90_000, 10)


def test_reading_past_the_end_is_an_error(reader_of):
    with pytest.raises(ModelError, match="truncated at byte 3: bytes to 5 are needed"):
        reader_of(b"abc").read(1, 4)


def test_what_cannot_be_opened_is_one_clear_error(tmp_path):
    with pytest.raises(ModelError, match=r"there is no file '.*absent\.onnx'"):
        open_reader(tmp_path / "absent.onnx")
    with pytest.raises(
        ModelError, match="is a folder, not an ONNX file; a TensorFlow SavedModel becomes one by: onnxviz convert"
    ):
        open_reader(tmp_path)
    with pytest.raises(ModelError, match="cannot be opened"):
        open_reader(Path("a\0b"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="is not a regular file"):
        open_reader(tmp_path / "pipe")
