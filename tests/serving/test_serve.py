"""Where a page listens."""

from __future__ import annotations

import pytest

from onnxviz.errors import UsageError
from onnxviz.serving.serve import serve
from onnxviz.serving.serve_options import ServeOptions


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_an_address_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match=r"^--host takes the one address by which others .*, here \d+\.\d+\.\d+\.\d+,"):
        serve("not-opened.onnx", ServeOptions(host=host))
