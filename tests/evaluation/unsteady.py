"""A task of somebody's own whose worlds fail in every way, and what acts in them; no torch."""

import os
import signal
import sys
import time
from dataclasses import dataclass

import numpy as np

from steadyhand.errors import ConfigurationError
from steadyhand.spec import Chunking, PolicySpec
from steadyhand.tasks import make_task, register_task

SPEC = PolicySpec.select(
    {"time": (1,), "action": (1,)}, observations=["time"], chunking=Chunking(horizon=8, execute=3)
)


@dataclass
class Echo:
    """Answers with what is seen."""

    spec: PolicySpec = SPEC

    def predict(self, requests):
        now = np.stack([request.observation["time"][-1] for request in requests])
        return (now[:, None] + np.arange(8)[None, :, None] / 7).astype(np.float32)


def unsteady(**settings):
    """The task, as a user names it."""
    said = ",".join(f"{key}={value}" for key, value in settings.items())
    return make_task(register_task(f"{__file__}:Unsteady:{said}"))


@dataclass(frozen=True)
class Unsteady:
    """`how` worlds fail in the episodes `bad`, at tick 5 unless they do as they begin."""

    how: str = "never"
    bad: str = "3"
    seconds: float = 0.0
    """That a tick takes."""

    rate_hz = 10.0
    max_steps = 12
    first_seed = 0
    initial_states = "the seed"

    def make(self):
        if self.how == "make":
            raise OSError("no such simulator")
        return World(self)


class World:
    def __init__(self, task):
        self.task = task

    def reset(self, seed):
        self.seed, self.tick, self.random = seed, 0, np.random.default_rng(seed)
        self.bad = self.task.bad == "all" or str(seed) in self.task.bad.split("+")
        if self.task.how == "die early" and self.bad:
            fail("die")
        if self.task.how == "reset" and self.bad:
            raise ValueError(f"no scene {seed}")
        sys.stdout.write("a world speaks\n")
        sys.stdout.flush()
        return self.seen()

    def seen(self):
        return {"time": np.array([self.tick + self.random.normal()])}

    def step(self, action):
        time.sleep(self.task.seconds)
        self.tick += 1
        if self.bad and self.tick == (1 if self.task.how == "at once" else 5):
            fail(self.task.how)
        if self.bad and self.task.how == "not finite":
            return {"time": np.array([np.nan])}, False
        return self.seen(), self.tick == 6 + self.seed % 5

    def scores(self):
        other = {"far": 1.0} if self.bad and self.task.how == "scores" else {}
        return {"success": bool(self.random.random() < 0.5), **other}

    def state(self):
        return [float(self.seed), self.random.random()]

    def render(self):
        return np.full((480, 480, 3), self.tick, np.uint8)


def fail(how):
    if how in ("raise", "at once"):
        raise ValueError("the gripper is gone")
    if how == "exit":
        sys.exit("enough")
    if how == "die":
        os._exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "close":
        os.closerange(3, 100)
    while how == "loop":
        pass
    if how == "house":
        raise ConfigurationError("the house says no")
