"""Prints which of its operators TensorFlow may run unasked, as JSON: python operators.py FOLDER-OF-THE-CHILD"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session


def main(folder: str) -> None:
    spec = importlib.util.spec_from_file_location("child", Path(folder) / "__init__.py")
    assert spec is not None and spec.loader is not None
    sys.modules["child"] = importlib.util.module_from_spec(spec)
    reaching_out = importlib.import_module("child.reaching_out")
    known = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    table = {
        definition.name: {"passes": reaching_out.stays_inside(definition), "stateful": definition.is_stateful}
        for definition in known.op
    }
    print(json.dumps(table))


if __name__ == "__main__":
    main(*sys.argv[1:])
