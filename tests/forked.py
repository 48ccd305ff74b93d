"""Runs tests on copies of the package, each in a fork of a process that has imported what is slow.

A line of JSON in, {"source", "arguments", "output"}; the exit status of pytest, a line, out.
"""

import gc
import json
import os
import sys
from importlib import import_module

import pytest

SLOW = ("torch", "torch.export", "numpy", "jaxtyping", "beartype", "rich.progress", "tyro", "av")


def run(source: str, arguments: list[str], output: str) -> int:
    """Test the package in `source`, in a fork; what is printed goes to the file `output`."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    file = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ["PYTHONPATH"] = source
    sys.path.insert(0, source)
    status = 1
    try:
        status = int(pytest.main(arguments))
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    for name in SLOW:
        import_module(name)
    assert "steadyhand" not in sys.modules
    gc.freeze()  # what all forks share is not searched for rubbish in each of them
    for line in sys.stdin:
        sys.stdout.write(f"{run(**json.loads(line))}\n")
        sys.stdout.flush()
