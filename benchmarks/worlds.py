"""`make bench`: how long an evaluation takes, over what its worlds need alone, in processes or not.

The worlds alone are the same episodes in as many processes, with the actions that were executed
and no policy. Absolute times depend on the machine; the ratios of turns are what to quote.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import steadyhand as sh
from steadyhand.data import Episodes
from steadyhand.evaluation.hosts import cores
from steadyhand.evaluation.rollout import Episode, Rollout, rollout
from steadyhand.policy.device import on_threads
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import SMALLER, TorchPredictor, evaluation_batch
from steadyhand.runtime import ChunkRequest, Predictor
from steadyhand.spec import PolicySpec
from steadyhand.tasks import Task, make_task, record_episodes, register_task
from steadyhand.training.train import build_policy

TURNS = 3
EPISODES = 50
SLOW = """
from time import sleep
from steadyhand.tasks import Fork

class Slow(Fork):
    __slots__ = ()

    def make(self):
        return World(super().make())

class World:
    def __init__(self, fork):
        self.fork = fork

    def step(self, action):
        sleep(0.005)
        return self.fork.step(action)

    def __getattr__(self, name):
        return getattr(self.fork, name)
"""
"""A file of a user's own."""


@dataclass
class Replay:
    """Answers with the actions that were executed, at once."""

    spec: PolicySpec
    episodes: dict[int, Episode]

    def predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        return np.stack([self._chunk(request) for request in requests])

    def _chunk(self, request: ChunkRequest) -> NDArray[np.floating]:
        episode, chunking = self.episodes[request.seed], self.spec.chunking
        begun = (0, *episode.boundaries)[request.number]
        rows = np.clip(begun + chunking.action_offsets, 0, len(episode.actions) - 1)
        return episode.actions[rows]


def played(predictor: Predictor, task: Task, processes: int | None) -> tuple[Rollout, float]:
    """The episodes, and the seconds they took."""
    seeds = range(task.first_seed, task.first_seed + EPISODES)
    begun = time.perf_counter()
    with on_threads(1):
        found = rollout(predictor, task, seeds, processes=processes)
    return found, time.perf_counter() - begun


def measure(name: str, policy: Policy, task: Task) -> None:
    """Print a line for each number of processes, and one for what is chosen."""
    predictor = TorchPredictor(policy, batch=evaluation_batch(policy.spec), smaller=SMALLER)
    first, _ = played(predictor, task, 0)
    alone = Replay(policy.spec, {episode.seed: episode for episode in first.episodes})
    ticks = sum(len(episode.actions) for episode in first.episodes)
    print(f"\n{name}: {EPISODES} episodes, {ticks:,} ticks")
    ways: tuple[int | None, ...] = (0, 1, cores(), None)
    times: dict[int | None, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(TURNS):
        for way, spent in times.items():
            found, seconds = played(predictor, task, way)
            assert [e.actions.tobytes() for e in found.episodes] == [
                e.actions.tobytes() for e in first.episodes
            ], "the same wherever worlds are stepped"
            count = found.processes
            spent.append((seconds, played(alone, task, count)[1]))
        chosen = count
    for way, spent in times.items():
        with_policy, worlds = (statistics.median(column) for column in zip(*spent, strict=True))
        ratio = statistics.median(one / other for one, other in spent)
        said = f"as chosen ({chosen})" if way is None else f"{way} processes"
        print(f"  {said:16}{with_policy:8.2f} s, worlds alone {worlds:6.2f} s: {ratio:.2f}")


def trained(recipe: str, task: str, steps: int) -> Policy:
    """A policy after fifty demonstrations of the task's expert and so many steps."""
    config = replace(sh.recipe(recipe), task=task, steps=steps, device="cpu", prepare=())
    episodes = record_episodes(task, 50)
    policy = build_policy(config, episodes)
    for _ in sh.train(policy, episodes, config):
        pass
    return policy


def untrained() -> Policy:
    """One for Push-T that does nothing of use: all episodes are of full length."""
    random = np.random.default_rng(0)
    shapes = {"state": (5,), "keypoint": (9, 2), "action": (2,)}
    recorded = {
        key: random.uniform(50, 460, (100, *shape)).astype(np.float32)
        for key, shape in shapes.items()
    }
    config = replace(sh.recipe("pusht_state", network="mlp"), device="cpu", prepare=())
    return build_policy(config, Episodes(recorded, np.array([50, 100])))


def main() -> None:
    # A script beside this one is called as the simulator is.
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).parent]
    print(f"torch {torch.__version__}, {cores()} cores")
    drive = trained("fork", "fork", 300)
    measure("fork", drive, make_task("fork"))
    measure("pusht, untrained", untrained(), make_task("pusht"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "slow.py"
        file.write_text(SLOW)
        measure("fork, 5 ms a tick", drive, make_task(register_task(f"{file}:Slow")))
    for task in ("metaworld/reach-v3", "metaworld/push-v3"):
        measure(task, trained("metaworld", task, 400), make_task(task))


if __name__ == "__main__":
    main()
