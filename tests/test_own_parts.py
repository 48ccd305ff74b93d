"""Every part of a policy can be a user's own object, without touching the package.

A denoiser, an encoder, a process, a spacing, a solver and a controller made here train, save,
load, evaluate and export.
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from steadyhand.diffusion.sampler import Sampler
from steadyhand.evaluation.evaluate import evaluate
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.runtime import ChunkRequest
from steadyhand.runtime.folders import find_policy
from steadyhand.training.train import build_policy, train


class Denoiser(nn.Module):
    def __init__(self, tokens: int, features: int) -> None:
        super().__init__()
        self.mix = nn.Linear(8 * 2 + tokens * features + 1, 8 * 2)

    def forward(self, x, t, condition, mask=None):
        assert mask is not None, "an encoder's mask is handed on"
        seen = (condition * mask[..., None]).flatten(1)
        return self.mix(torch.cat([x.flatten(1), seen, t[:, None] / 100], -1)).view_as(x)


class Encoder(nn.Module):
    """One token a feature and step, with a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.keypoint, self.state = nn.Linear(4, 6), nn.Linear(2, 6)

    def forward(self, observation):
        tokens = torch.cat(
            [
                self.keypoint(observation["keypoint"].flatten(2)),
                self.state(observation["state[:2]"]),
            ],
            dim=1,
        )
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool)


@dataclass(frozen=True)
class Power:
    """A straight path that leaves the actions slowly: alpha = 1 - t², sigma = t²."""

    train_steps: None = None
    start: float = 1.0
    end: float = 0.0

    def path(self, t):
        return 1 - t**2, t**2

    def target(self, t):
        return np.ones_like(t), np.zeros_like(t)

    def embedded(self, t):
        return 100 * t

    def draw(self, uniform):
        return uniform

    def weight(self, t):
        return 1 + t


def late(process, steps):
    """A spacing: closer together towards the end."""
    return process.start * (1 - np.arange(steps) / steps) ** 2


def cautious(process, times):
    """A solver: to the clean chunk and back to the next level of noise, as DDIM."""
    alpha, sigma = process.path(np.append(times, process.end))
    rows = np.zeros((len(times), 5))
    rows[:, 1], rows[:, 3] = alpha[1:], sigma[1:]
    return rows


class Hasty:
    """A controller: one action a chunk, whatever the policy would execute."""

    def __init__(self, spec, *, execute=None, seed=0):
        self.spec, self.seed, self.number = spec, seed, 0
        self.seen = deque(maxlen=spec.chunking.obs_steps)
        self.chunk = self.source = None

    def request(self, observation):
        self.seen.append(observation)
        while len(self.seen) < self.spec.chunking.obs_steps:
            self.seen.append(observation)
        stacked = {key: np.stack([o[key] for o in self.seen]) for key in ("keypoint", "state")}
        return ChunkRequest(observation=stacked, seed=self.seed, number=self.number)

    def accept(self, chunk, request):
        self.chunk, self.number, self.source = chunk, self.number + 1, request.number

    def lost(self, request):
        self.number += 1

    def action(self):
        return self.chunk[0]

    def hold(self):
        return None if self.chunk is None else self.chunk[0]

    def replan(self):
        self.chunk = None

    ready = property(lambda self: self.chunk is not None)
    continuation = None


class World:
    """A task's world that goes where it is told for a while."""

    def reset(self, seed):
        self.place, self.ticks = np.full(3, seed, np.float32), 0
        return self.observe()

    def observe(self):
        return {"keypoint": np.zeros((2, 2), np.float32), "state": self.place.copy()}

    def step(self, action):
        self.place[:2] += 0.1 * (np.asarray(action) - self.place[:2])
        self.ticks += 1
        return self.observe(), self.ticks == 12

    def scores(self):
        return {"success": bool(np.isfinite(self.place).all())}

    def state(self):
        return self.place.tolist()

    def render(self):
        return np.zeros((4, 4, 3), np.uint8)


@dataclass(frozen=True)
class Wandering:
    name: str = "wandering"
    rate_hz: float = 20.0
    max_steps: int = 50
    first_seed: int = 0
    initial_states: str = "the seed"

    def make(self):
        return World()


def parts(spec):
    sampler = Sampler(Denoiser(4, 6), Power(), cautious, 4, spacing=late, clip=None)
    return Encoder(), sampler


@pytest.mark.filterwarnings("ignore:.*compliant.*")
def test_all_of_them_together(config, episodes, tmp_path) -> None:
    given = build_policy(config, episodes)
    policy = Policy(given.spec, *parts(given.spec), given.normaliser)
    steps = list(train(policy, episodes, replace(config, steps=60), out=tmp_path / "r"))
    assert np.mean([s.loss for s in steps[-10:]]) < np.mean([s.loss for s in steps[:10]])
    for name, parameter in policy.named_parameters():
        start = dict(parts_like(given.spec).named_parameters())[name]
        assert parameter.shape == start.shape
    found = evaluate(policy, Wandering(), episodes=4, controller=Hasty)
    assert found.success.mean == 1
    assert len(repr(found)) < 1000, "printing it says the scores, not every trajectory"
    assert all(len(episode.boundaries) == 11 for episode in found.episodes)
    folder = find_policy(tmp_path / "r")
    loaded = load_policy(folder, parts=parts)
    again = evaluate(loaded, Wandering(), episodes=4, controller=Hasty)
    for a, b in zip(found.episodes, again.episodes, strict=True):
        np.testing.assert_array_equal(a.actions, b.actions)
    save_policy(tmp_path / "again", loaded)


def parts_like(spec) -> Policy:
    encoder, sampler = parts(spec)
    whole = nn.Module()
    whole.encoder, whole.sampler = encoder, sampler
    return whole  # type: ignore[return-value]
