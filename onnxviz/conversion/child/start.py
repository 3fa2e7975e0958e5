"""The script that the other Python runs: it loads this folder as a package and hands the request to it.

python start.py REQUEST.json
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

PACKAGE = "onnxviz_conversion_child"


def main() -> int:
    """Carry out the request that the command line names and return the exit code."""
    folder = os.path.dirname(os.path.abspath(__file__))
    # Python puts a script's folder first on its path, where these files would hide modules of the same names.
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != folder]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    job = importlib.import_module(f"{PACKAGE}.job")
    code: int = job.carry_out(sys.argv[1])
    return code


if __name__ == "__main__":
    sys.exit(main())
