"""What a process does besides computing, seen by Python's audit events and the kernel's (inotify).

Files may be read in named places and written in others; no code but what is installed runs, no
other process starts, nothing is unpickled, no network is touched.
"""

import ctypes
import os
import site
import struct
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FORBIDDEN = (
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethost", "socket.send"),
    *("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty."),
    *("ctypes.dlopen", "pickle.find_class", "os.kill", "os.chdir", "signal.", "webbrowser."),
    *("urllib.", "http.client", "ftplib.", "smtplib.", "telnetlib.", "shutil.", "syslog."),
)
"""Beginnings of the names of events that reading data has no use for."""
WRITING = ("mkdir", "remove", "rename", "rmdir", "link", "symlink", "truncate", "chmod", "utime")
MACHINE = ("/proc", "/dev/null", "/dev/urandom", "/sys/devices/system", "/sys/fs/cgroup")
GENERATORS = ("/dataclasses.py", "/collections/__init__.py", "/attr/_make.py", "/typing.py")
"""Ends of files of libraries that write code of their own and run it."""
OPENED, CHANGED = 0x20, 0x2 | 0x40 | 0x80 | 0x100 | 0x200


def installed() -> tuple[str, ...]:
    """Where Python, its packages and this project lie."""
    import steadyhand

    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {*site.getsitepackages(), str(Path(steadyhand.__file__).parent)}
    found |= {str(Path(__file__).parent), f"{sys.base_prefix}/lib", "/usr/lib", "/usr/share"}
    return tuple(os.path.realpath(path) for path in found)


class NotAllowed(BaseException):
    """Raised where it happens; kept in the list as well, should a library pass over it."""


def forbid(reading: Sequence[Path], writing: Sequence[Path]) -> list[str]:
    """From now on raise for what may not be; the list returned grows with it."""
    seen: list[str] = []
    code, write = installed(), tuple(os.path.realpath(path) for path in writing)
    read = (*code, *write, *MACHINE, *(os.path.realpath(path) for path in reading))

    def refuse(what: str) -> None:
        seen.append(what)
        raise NotAllowed(what)

    def within(path: Any, places: tuple[str, ...]) -> bool:
        if isinstance(path, int) or path is None:
            return True
        real = os.path.realpath(os.fsdecode(path))
        return any(real == place or real.startswith(f"{place}/") for place in places)

    def hook(event: str, values: tuple[Any, ...]) -> None:
        room, _, act = event.partition(".")
        if event.startswith(FORBIDDEN) and not event.startswith("shutil.rmtree"):
            refuse(f"{event}{values!r:.200}")
        elif event == "socket.__new__" and values[1] != 1:  # zarr's own loop has a pair of AF_UNIX
            refuse(f"a socket of family {values[1]}")
        elif event in ("open", "os.listdir", "os.scandir"):
            path, flags = values[0], values[2] if event == "open" else 0
            changes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            if not within(path, (*write, "/dev/null") if changes else read):
                refuse(f"{event} of {path!r}{' to write' if changes else ''}")
        elif room == "os" and act in WRITING and not within(values[0], write):
            refuse(f"{event} of {values[0]!r}")
        elif event == "exec":
            file, caller = values[0].co_filename, sys._getframe(1).f_code.co_filename
            if not (
                file.startswith("<frozen") or within(file, code) or caller.endswith(GENERATORS)
            ):
                refuse(f"code of {file!r}, from {caller}")
        elif event == "import" and values[1] and not within(values[1], code):
            refuse(f"import of {values[1]!r}")

    sys.addaudithook(hook)
    return seen


class Watched:
    """A folder in which any opening and any change is noticed, by whatever library it is done."""

    def __init__(self, folder: Path) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._queue = self._library.inotify_init1(os.O_NONBLOCK)
        self._folders: dict[int, str] = {}
        for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            number = self._library.inotify_add_watch(
                self._queue, os.fsencode(place), OPENED | CHANGED
            )
            if number < 0:
                raise OSError(ctypes.get_errno(), "the folder cannot be watched")
            self._folders[number] = str(place)

    def events(self) -> list[str]:
        """What happened in it since the last call."""
        try:
            data = os.read(self._queue, 1 << 16)
        except BlockingIOError:
            return []
        found, place = [], 0
        while place < len(data):
            number, kind, _, size = struct.unpack_from("iIII", data, place)
            name = data[place + 16 : place + 16 + size].rstrip(b"\0").decode(errors="replace")
            found.append(f"{kind:#x} in {self._folders.get(number)}: {name or 'itself'}")
            place += 16 + size
        return found
