"""What Flink starts as Python when a pipeline runs in a test: PyFlink's own boot script, without the seconds that it imports.

In loopback mode that script only tells the process that runs the job to start a worker, which takes a few messages of
gRPC; but their packages import all of Beam first. Here those packages are bare folders.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from types import ModuleType

_BOOT = "pyflink.fn_execution.beam.beam_boot"
_HEAVY = ("pyflink", "pyflink.fn_execution", "pyflink.fn_execution.beam", "apache_beam")


def _lighten() -> None:
    """Let the packages on the way to the boot script and to Beam's messages import nothing by themselves."""
    for name in _HEAVY:
        parent, _, folder = name.rpartition(".")
        if parent:
            places = [os.path.join(path, folder) for path in sys.modules[parent].__path__]  # noqa: PTH118 - pathlib takes its time too
        else:
            found = importlib.util.find_spec(name)
            places = list(found.submodule_search_locations or ()) if found else []
        package = ModuleType(name)
        package.__path__ = places
        sys.modules[name] = package


def main(arguments: list[str]) -> None:
    """Run the boot script, or Python as it is for anything else."""
    if arguments[:2] != ["-m", _BOOT] or "PYTHON_LOOPBACK_SERVER_ADDRESS" not in os.environ:
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - the Python that runs this
    sys.argv[:] = [_BOOT, *arguments[2:]]
    _lighten()
    runpy.run_module(_BOOT, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder
    main(sys.argv[1:])
