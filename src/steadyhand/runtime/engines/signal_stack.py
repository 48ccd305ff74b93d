"""A stack for signals that stays.

OpenVINO registers its own as long as a model lives, no larger than the registers that are saved
there, and then the one of before, which may have gone with another model: the next signal would end
the process, and Ctrl-C would not bring a robot to rest.
"""

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager

BYTES = 1 << 17
"""Ten times what the registers of today's processors take."""


class _Stack(ctypes.Structure):
    _fields_ = (("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


_MEMORY = ctypes.create_string_buffer(BYTES)  # as long as the process


@contextmanager
def own_signal_stack() -> Generator[None]:
    """Signals of this thread are handled on a stack of ours, whatever is registered meanwhile:
    it is what is found there, and put there again."""
    _register()
    try:
        yield
    finally:
        _register()


def _register() -> None:
    if sys.platform != "linux":
        return
    stack = _Stack(ctypes.addressof(_MEMORY), 0, BYTES)
    ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None)
