"""Real-time chunking driven by whatever answers: `python drive.py RUN|EXPORT [ENGINE]`.

Prints the actions that a robot was told, in a loop whose time is simulated. With an engine, torch
and all else that a robot's computer has not got cannot be imported.
"""

import json
import sys

ABSENT = ("torch", "onnx", "onnxscript", "jaxtyping", "safetensors")
if len(sys.argv) > 2:
    sys.modules.update(dict.fromkeys(ABSENT))  # type: ignore[arg-type]

import numpy as np  # noqa: E402

import steadyhand as sh  # noqa: E402
from steadyhand.runtime import RealTime, run_loop  # noqa: E402
from steadyhand.runtime.continuation import Guided  # noqa: E402
from steadyhand.runtime.loop.beside import Simulated  # noqa: E402
from steadyhand.runtime.loop.clock import SimulatedClock  # noqa: E402

RATE_HZ, LATE = 10.0, 0.15


class Arm:
    """It is where it is told to be, but for what pushes it."""

    def __init__(self) -> None:
        self.at, self.told = np.array([2.0, 3.0]), list[list[float]]()

    def observe(self) -> dict[str, np.ndarray]:
        return {"state": self.at.astype(np.float32)}

    def act(self, action: np.ndarray) -> None:
        self.told.append([float(number) for number in action])
        self.at = 0.5 * self.at + 0.5 * action + 0.1 * np.sin(len(self.told))


def driven(predictor, by: Guided | None = None) -> list[list[float]]:
    """What an arm is told while answers come a tick and a half late."""
    arm, clock = Arm(), SimulatedClock()
    controller = RealTime(predictor.spec, execute=2, by=by, seed=3)
    beside = Simulated(predictor, clock, lambda request: LATE)
    run_loop(arm, beside, controller, ticks=24, rate_hz=RATE_HZ, clock=clock)
    return arm.told


if __name__ == "__main__":
    predictor = sh.load_exported(sys.argv[1], engine=sys.argv[2])  # type: ignore[arg-type]
    sys.stdout.write(json.dumps(driven(predictor)))
