"""A simulator in one file: Fetch picks up a block and holds it at a goal (Gymnasium-Robotics).

    steadyhand record --task examples/fetch.py:pick --episodes 200 --out fetch.npz
    steadyhand train examples/fetch.py:recipe --data fetch.npz --out runs/fetch
    steadyhand evaluate runs/fetch --task examples/fetch.py:pick --episodes 100 --video 3

An ID would do for the world itself, --task FetchPickAndPlace-v4; what is added here is who
demonstrates, which success counts, and one more score. Pictures: examples/fetch.py:pick:view=96.
"""

from dataclasses import replace

import numpy as np

import steadyhand as sh
from steadyhand.tasks import GymTask

OVER = np.array([0, 0, 0.08])


def pick(view=0):
    """The task: half of the goals are in the air, where nothing but the gripper holds a block."""
    return GymTask(
        environment="FetchPickAndPlace-v4",
        success_at="end",  # it is to stay there
        scores=lambda world: {"away": float(np.linalg.norm(block(world) - world.goal))},
        hold=lambda told: np.append(np.zeros(3), told[3:]),  # actions are displacements
        expert=Expert,
        view=view,
    )


def block(world):
    """Where it is, in metres."""
    return world.unwrapped._utils.get_site_xpos(world.model, world.data, "object0")


class Expert:
    """Over the block, down to it, close, to the goal: with an unsure hand, by what is seen."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.speed = self.random.uniform(6, 10)

    def act(
        self, observation
    ):  # where the gripper is to go, in twentieths of a metre, and its grip
        seen = observation["observation"]
        place, to_block, fingers = seen[3:6], seen[6:9], seen[9:11].sum()
        held = np.linalg.norm(to_block) < 0.025 and fingers < 0.055
        if held:
            way, grip = observation["desired_goal"] - place, -1
        elif np.linalg.norm(to_block[:2]) > 0.01:
            way, grip = to_block + OVER, 1
        elif np.linalg.norm(to_block) > 0.015:
            way, grip = to_block, 1
        else:
            way, grip = np.zeros(3), -1
        unsure = self.random.normal(0, 0.05, 3)
        return np.clip([*self.speed * way + unsure, grip], -1, 1)


def recipe(method="flow", network="mlp"):
    """What sees the arm, the block and the goal."""
    return replace(
        sh.recipe("state", method=method, network=network),
        task=f"{__file__}:pick",
        observations=("observation", "desired_goal"),
        demonstrations=200,
        steps=4000,
    )
