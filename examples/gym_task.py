"""A task around a Gymnasium environment of one's own, all in one file: an arm of two links.

steadyhand record --task examples/gym_task.py:arm --episodes 200 --out arm.npz
steadyhand train state --task examples/gym_task.py:arm --data arm.npz --minutes 1 --out runs/arm
steadyhand evaluate runs/arm --task examples/gym_task.py:arm --episodes 100 --video 3
"""

import gymnasium as gym
import numpy as np

from steadyhand.tasks import GymTask


class Arm(gym.Env):
    """Two links of half a metre, turned at shoulder and elbow; the hand is to touch a goal."""

    observation_space = gym.spaces.Box(-4, 4, (4,))  # shoulder, elbow in radians, the goal's x, y
    action_space = gym.spaces.Box(-0.1, 0.1, (2,))  # radians that both are turned by
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.joints, there = self.np_random.uniform([-1.5, 0.4], [1.5, 2.4], (2, 2))
        self.goal = self.places(there)[-1]
        return self.observe(), {}

    def places(self, joints):  # of elbow and hand
        turned = np.cumsum(joints)
        return np.cumsum(0.5 * np.stack([np.cos(turned), np.sin(turned)], 1), axis=0)

    def observe(self):
        return np.concatenate([self.joints, self.goal]).astype(np.float32)

    def step(self, action):
        self.joints = self.joints + action
        near = bool(np.linalg.norm(self.places(self.joints)[-1] - self.goal) < 0.04)
        return self.observe(), float(near), near, False, {"is_success": near}

    def render(self):
        picture = np.full((120, 120, 3), 255, np.uint8)
        for x, y in (*self.places(self.joints), self.goal):
            column, row = int(60 + 50 * x), int(60 - 50 * y)
            picture[row - 3 : row + 3, column - 3 : column + 3] = 0
        return picture


class Expert:  # turns both joints at once, to where the hand is at the goal
    def __init__(self, seed):  # each demonstration at a pace of its own
        self.pace = np.random.default_rng(seed).uniform(0.04, 0.1)

    def act(self, observation):
        shoulder, elbow, x, y = observation["state"]
        bent = 2 * np.arccos(min(np.hypot(x, y), 1))
        way = np.array([np.arctan2(y, x) - bent / 2 - shoulder, bent - elbow])
        return way * min(1, self.pace / np.abs(way).max())


def arm():  # what it observes, its rate and success it says itself
    return GymTask(environment=Arm, max_steps=60, expert=Expert)
