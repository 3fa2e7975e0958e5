"""The cause of a failure, found in what TensorFlow 2.21, 2.15 and Keras really printed."""

from __future__ import annotations

import pytest

from onnxviz.conversion.child_process import cause

NOISE = """\
2026-05-01 10:11:12.131415: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795814033.760274   27945 cudart_stub.cc:31] Could not find cuda drivers on your machine
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate flags.
"""
TRACEBACK = """\
Traceback (most recent call last):
  File "start.py", line 35, in <module>
    sys.exit(main())
             ^^^^^^
  File "job.py", line 3, in run
    import tensorflow as tf
ImportError: libstdc++.so.6: version `GLIBCXX_3.4.29' not found
"""


@pytest.mark.parametrize(
    ("error", "noise", "said"),
    [
        ({}, NOISE, "it said nothing"),
        ({}, NOISE + TRACEBACK, "ImportError: libstdc++.so.6: version `GLIBCXX_3.4.29' not found"),
        ({}, TRACEBACK + NOISE, "ImportError: libstdc++.so.6: version `GLIBCXX_3.4.29' not found"),
        ({"type": "ValueError", "text": "a\n  b"}, NOISE, "ValueError: a b"),
        (
            {"type": "ValueError", "text": "Unknown layer: 'Attention2'. Please ensure you are using ..."},
            "",
            "the file needs the class 'Attention2', which only the program that made it has\n"
            "in that program: model.export('folder'), then: onnxviz convert folder",
        ),
        (
            {"type": "FileNotFoundError", "text": "Op type not registered 'Foo>Bar2' in binary running on x."},
            "",
            "the source uses the operator Foo>Bar2, which this TensorFlow does not have",
        ),
        ({"type": "OSError", "text": "[Errno 28] No space left on device: '/tmp/x'"}, "", "no space left on device"),
    ],
)
def test_a_cause_is_found(error: dict[str, str], noise: str, said: str) -> None:
    assert cause(error, noise) == said


def test_a_long_cause_is_cut() -> None:
    found = cause({"type": "TypeError", "text": "config " * 1000}, "")
    assert len(found) < 420
    assert found.endswith(" ...")
