"""A robot with two cameras at 30 Hz, from demonstrations to real-time control. Make `Arm` yours.

python two_cameras.py demos.lerobot; steadyhand train lerobot --data demos.lerobot --out runs/arm
python two_cameras.py driven.lerobot runs/arm
"""

import sys
from pathlib import Path

import numpy as np

import steadyhand as sh
from steadyhand.data.recording import Recorder
from steadyhand.runtime import Checked, Limited, RealTime, Timing, run_loop

RATE, JOINTS = 30.0, 6
STATE, FRONT, WRIST = "observation.state", "observation.images.front", "observation.images.wrist"


class Arm:
    """Yours. This one goes half of the way to its targets in a tick, and its cameras draw it."""

    def __init__(self, seed=0):
        self.cup = np.random.default_rng(seed).uniform(-1, 1, 2)
        self.joints = self.told = np.zeros(JOINTS, np.float32)

    def observe(self):
        here = self.joints[:2]
        pictures = {FRONT: picture(self.cup, here), WRIST: picture(self.cup - here)}
        return {STATE: self.joints, "last_action": self.told, **pictures}

    def act(self, action):
        self.told = np.asarray(action, np.float32)
        self.joints = self.joints + 0.5 * (self.told - self.joints)

    def stop(self):
        """Called once, however the loop ends: brake, and leave the arm safe."""


def picture(*places):
    """Each place in -1…1 as a square of another colour, (48, 64, 3)."""
    seen = np.full((48, 64, 3), 230, np.uint8)
    for colour, place in enumerate(places):
        column, row = (np.clip((place + 1) / 2, 0, 1) * (56, 40)).astype(int)
        seen[row : row + 8, column : column + 8] = np.roll([200, 40, 40], colour)
    return seen


def limited(arm):
    """The arm, told nothing outside of these limits (rad, rad/s, rad/s²), whatever comes in."""
    return Limited(arm, rate_hz=RATE, low=-1.5, high=1.5, velocity=2, acceleration=20, start=STATE)


def demonstrate(path, episodes=12, ticks=60):
    """Yours: lead the arm by hand. Here it goes to the cup, at its own pace."""
    with Recorder(arm := Arm(), path, rate_hz=RATE) as recorder:
        robot = limited(recorder)  # what is recorded is what the arm was told in the end
        for seed in range(episodes):
            arm.__init__(seed)
            for tick in range(ticks):
                robot.observe()
                robot.act(np.append(arm.cup, [0.3] * (JOINTS - 2)) * min(1, tick / 40))
            robot.stop()  # the next action belongs to another episode
    return f"{episodes} episodes in {path}"


def drive(run, path, seconds=10.0, seed=100):
    """Run the policy in real time, and record what it does."""
    predictor = Checked(sh.TorchPredictor(sh.load_policy(run)))
    controller, ticks = RealTime(predictor.spec, execute=8), round(seconds * RATE)
    timing = Timing(observations={FRONT: 0.06, WRIST: 0.03, STATE: 0.005}, action=0.02)
    with Recorder(Arm(seed), path, rate_hz=RATE) as recorder:
        settings = {"ticks": ticks, "timing": timing, "report": Path(f"{path}.json")}
        return run_loop(limited(recorder), predictor, controller, **settings)


if __name__ == "__main__":
    data, *run = sys.argv[1:] or sys.exit(__doc__)
    print(drive(run[0], data).in_words() if run else demonstrate(data))
