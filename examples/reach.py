"""A task of one's own, its expert and a recipe, in a file that is not part of Steadyhand.

A hand is to reach one of two cups, and either is right: who aims at the mean of both grasps at
nothing. A task is a few facts and a method or two, a world five methods, an expert one.

    steadyhand train examples/reach.py:reach --out runs/reach
    steadyhand evaluate runs/reach --task examples/reach.py:Reach
"""

from dataclasses import dataclass, replace

import numpy as np

import steadyhand as sh

CUPS = {"left": np.array([-0.3, 0.6]), "right": np.array([0.3, 0.6])}


@dataclass(frozen=True)
class Reach:
    """The task. Fields are its settings: examples/reach.py:Reach:speed=0.6."""

    speed: float = 0.5
    """Metres a second, at most."""

    rate_hz = 10.0
    max_steps = 20  # of an episode
    first_seed = 100_000  # of the episodes in which policies are tried
    initial_states = "the hand within centimetres of (0, 0); the seed decides"
    modes = ("left", "right")  # scores that say which way was taken

    def make(self):
        return World(self)

    def expert(self, seed):
        return Expert(self, seed)


class World:
    """One hand on its way. What it observes and how it is moved is up to you."""

    def __init__(self, task):
        self.reach = task.speed / task.rate_hz

    def reset(self, seed):  # the same seed, the same episode
        self.hand = np.random.default_rng(seed).normal(0, 0.02, 2)
        return self.observe()

    def observe(self):
        return {"state": self.hand.astype(np.float32)}

    def step(self, action):  # what is seen next, and whether it is over
        move = action - self.hand
        self.hand = self.hand + move * min(1, self.reach / max(np.linalg.norm(move), 1e-9))
        return self.observe(), any(self.scores().values())

    def scores(self):  # True and False become shares, numbers become means
        held = {name: bool(np.linalg.norm(self.hand - cup) < 0.05) for name, cup in CUPS.items()}
        return {"success": any(held.values()), **held}

    def state(self):  # what is kept of each tick
        return self.hand.tolist()

    def render(self):  # for films
        picture = np.full((120, 120, 3), 255, np.uint8)
        for place in (*CUPS.values(), self.hand):
            x, y = (np.clip([place[0] + 0.5, 0.9 - place[1]], 0.05, 0.95) * 120).astype(int)
            picture[y - 3 : y + 3, x - 3 : x + 3] = 0
        return picture


class Expert:
    """Straight to one of the cups, at a pace of its own."""

    def __init__(self, task, seed):
        random = np.random.default_rng([seed, 1])
        self.cup = CUPS[random.choice(["left", "right"])]
        self.stride = random.uniform(0.7, 1) * task.speed / task.rate_hz

    def act(self, observation):  # where the hand is to be at the next tick
        way = self.cup - observation["state"]
        return observation["state"] + way * min(1, self.stride / np.linalg.norm(way))


def reach(method="flow", network="mlp"):
    """Reach for a cup from where the hand is: a quarter of a minute on one core."""
    return replace(
        sh.recipe("fork", method=method, network=network),  # small and fast; what differs is below
        task=f"{__file__}:Reach",
        chunking=sh.Chunking(obs_steps=2, horizon=8, execute=4),
        steps=1000,
    )
