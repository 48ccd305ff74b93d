"""A stack for signals that stays.

OpenVINO registers its own as long as a model lives, no larger than the registers that are saved
there, and then the one of before, which may have gone with another model: the next signal would end
the process, and Ctrl-C would not bring a robot to rest.
"""

import ctypes
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

BYTES = 1 << 17
"""Ten times what the registers of today's processors take."""


class _Stack(ctypes.Structure):
    _fields_ = (("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


_memory: dict[int, ctypes.Array[ctypes.c_char]] = {}
"""Of each thread that compiled a model, as long as the process: who frees it may be another."""


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
    memory = _memory.setdefault(threading.get_ident(), ctypes.create_string_buffer(BYTES))
    stack = _Stack(ctypes.addressof(memory), 0, BYTES)
    ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None)
