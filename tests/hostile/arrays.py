"""Arrays as strangers hand them over: npz, zarr and HDF5."""

from pathlib import Path

import numpy as np
from case import Hostile

ENDS = np.array([6, 12])
STATE = np.arange(36, dtype=np.float32).reshape(12, 3)
ACTION = STATE[:, :2] * 2 + 1


def write(folder: Path) -> list[Hostile]:
    cases = []
    right = folder / "right.npz"
    np.savez(right, state=STATE, action=ACTION, episode_ends=ENDS, rate_hz=20.0)
    cases.append(Hostile("right", right, True, {"state": STATE, "action": ACTION}))
    return cases
