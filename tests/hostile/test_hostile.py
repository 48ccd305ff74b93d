"""Whatever a stranger hands over is answered with one message or with right data.

Every case is used by a process of its own, which has 2 GB, 10 seconds, and may open nothing else;
see `worker.py` for what is done, `watch.py` for what is noticed.
"""

import importlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from case import outside

HERE = Path(__file__).parent
FEWEST = {"arrays": 400, "lerobot": 450, "policies": 250}
"""Cases of each family, at least."""


@pytest.mark.parametrize("family", FEWEST)
def test_nothing_is_let_in(family, tmp_path) -> None:
    place = tmp_path.resolve()
    (place / "cases").mkdir()
    outside(place / "cases")
    cases = importlib.import_module(family).write(place / "cases")
    assert len(cases) >= FEWEST[family]
    assert len({case.name for case in cases}) == len(cases)
    (place / "cases.pickle").write_bytes(pickle.dumps(cases))
    command = [sys.executable, HERE / "worker.py", family, place]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    faults = json.loads(done.stdout.splitlines()[-1])
    report = "\n".join(f"{name}: {fault}" for name, found in faults.items() for fault in found)
    assert not faults, f"{len(faults)} of {len(cases)} cases\n{report[:20_000]}"


NAUGHTY = {
    "open": "open(sys.argv[1] + '/outside/secret')",
    "open of": "os.open(sys.argv[1] + '/new', os.O_CREAT)",
    "os.remove": "os.remove(sys.argv[1] + '/outside/secret')",
    "os.listdir": "os.listdir('/')",
    "os.system": "os.system('true')",
    "subprocess.Popen": "subprocess.run(['true'])",
    "a socket of family": "socket.socket()",
    "pickle.find_class": "pickle.loads(pickle.dumps(Path))",
    "ctypes.dlopen": "ctypes.CDLL('libz.so.1')",
    "code of": "exec(compile('1', '/stranger.py', 'exec'))",
    "inotify": "h5py.File(sys.argv[1] + '/outside/secret', 'w')",
}


@pytest.mark.parametrize("sign", NAUGHTY)
def test_the_watch_notices(sign, tmp_path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("1")
    code = (
        "import sys, os, subprocess, socket, pickle, ctypes, h5py\nfrom pathlib import Path\n"
        "from watch import *\nwatched = Watched(Path(sys.argv[1], 'outside'))\n"
        f"seen = forbid([], [])\ntry:\n    {NAUGHTY[sign]}\nexcept NotAllowed: pass\n"
        "print(*seen, *('inotify ' + event for event in watched.events()))"
    )
    command = [sys.executable, "-c", code, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    assert done.stdout.startswith(sign), done.stdout + done.stderr
