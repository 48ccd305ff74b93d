"""A server of `Echo` in a process of its own: `python alone.py PORT`. It can be killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path


def begun(port: int) -> subprocess.Popen:
    words = [sys.executable, str(Path(__file__)), str(port)]
    return subprocess.Popen(words, stdout=subprocess.PIPE)


if __name__ == "__main__":
    from here import serving

    with serving(port=int(sys.argv[1])) as running:
        print(running.port, flush=True)  # noqa: T201
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        while True:
            time.sleep(60)
