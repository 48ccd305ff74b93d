"""`make bench`: every denoiser, process and solver in all their variants, trained and exported.

`make test` does so many of them that every two parts meet; here are all, which takes some minutes.
"""

import json
import subprocess
import sys
from pathlib import Path

from steadyhand.policy import config

SCRIPT = Path(__file__).parents[1] / "tests" / "every_way.py"


def main() -> int:
    """1 where a way failed, or else 0."""
    failed = 0
    for denoiser in config.DenoiserConfig.__args__:
        command = [sys.executable, SCRIPT, denoiser.__name__, "--all"]
        done = subprocess.run(command, capture_output=True, text=True)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        wrong = [one for one in found if one["wrong"]]
        print(f"{denoiser.__name__}: {len(found)} ways, {len(wrong)} failed")
        for one in wrong:
            print(f"  {one['way']}: {one['wrong'][:300]}")
        if done.returncode:
            print(done.stderr[-2000:])
        failed += len(wrong) + (done.returncode != 0)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
