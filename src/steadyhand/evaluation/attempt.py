"""A run's policy made ready to be tried: how it is sampled, in which task, on which seeds.

What its episodes' file is called says all of that, so that no evaluation takes another's place.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from steadyhand.diffusion.sampling import SolverName
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.episodes_file import EpisodesFile
from steadyhand.evaluation.evaluate import Evaluation, evaluate, seeds_of
from steadyhand.evaluation.rollout import Episode
from steadyhand.policy.card import sampler_of
from steadyhand.policy.device import choose_device
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.card import read_provenance
from steadyhand.runtime.folders import find_policy, run_of
from steadyhand.tasks import Task, make_task


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A policy in a task, and where what happens is written."""

    policy: Policy
    task: Task
    seeds: range
    execute: int | None
    file: EpisodesFile

    def evaluate(
        self, *, parallel: int = 50, films: int = 0, watch: Callable[[Episode], object]
    ) -> Evaluation:
        """Try it; so many of the first episodes are filmed. Where it is stopped, its file says."""

        def ended(episode: Episode) -> None:
            self.file.append(episode)
            watch(episode)

        with self.file:
            return evaluate(
                self.policy,
                self.task,
                episodes=len(self.seeds),
                seed_start=self.seeds[0],
                execute=self.execute,
                parallel=parallel,
                film=self.seeds[:films],
                watch=ended,
            )


def attempt(
    path: Path,
    out: Path,
    *,
    episodes: int = 50,
    seed_start: int | None = None,
    solver: SolverName | None = None,
    steps: int | None = None,
    temperature: float | None = None,
    execute: int | None = None,
    task: str | None = None,
    device: str = "auto",
) -> Attempt:
    """The run or checkpoint at `path`, with the episodes' file in `out`.

    What is not named is as the policy was trained. Raises `ConfigurationError` where it was trained
    for no task that could be simulated, and none is named.
    """
    folder, place = find_policy(path), choose_device(device)
    origin = read_provenance(folder)
    name = task or origin.task
    if name is None:
        raise ConfigurationError(
            f"{path} was trained for no task that could be simulated. Try it on the robot "
            "(docs/robot.md), in a task of your own (evaluate(policy, task) in Python), or against "
            f"demonstrations: steadyhand evaluate --offline {path}"
        )
    world = make_task(name)
    sampler = sampler_of(folder, solver, steps, temperature)
    policy = load_policy(folder, sampler=sampler, device=place)
    seeds = seeds_of(world, episodes, seed_start)
    heat = "" if sampler.temperature == 1 else f"-temperature{sampler.temperature:g}"
    label = (
        f"{world.name}-step{origin.step}-{sampler.solver or 'calls'}{sampler.steps}{heat}"
        f"-execute{execute or policy.spec.chunking.execute}-seed{seeds[0]}-{episodes}"
    )
    run = run_of(path).resolve()
    if out.resolve() != run / "evaluations":
        label = f"{run.name}-{label}"  # where several runs may be evaluated
    # Settings in a task's name have characters that not every file system takes.
    file = EpisodesFile(out / f"{re.sub('[:=,]', '-', label)}.jsonl")
    return Attempt(policy=policy, task=world, seeds=seeds, execute=execute, file=file)
