"""Closed-loop episodes: many environments side by side, their chunks predicted in one batch.

Environments are stepped in this process where they are fast, and in processes of their own where
they are slow. An episode's result depends on its seed and repeat alone: not on how many others run
beside it, on which, or where.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from steadyhand.evaluation.crew import Crew
from steadyhand.evaluation.episode import Episode, Play, noise_seed
from steadyhand.evaluation.lanes import MakeController, Setting
from steadyhand.evaluation.latency import Latency
from steadyhand.evaluation.lost import Losses, Lost
from steadyhand.evaluation.pace import Pace
from steadyhand.evaluation.playing import Playing
from steadyhand.runtime import ChunkRequest, Predictor, RecedingHorizon
from steadyhand.runtime.predictor import check_continuation
from steadyhand.tasks import Task
from steadyhand.tasks.many import ManyTasks
from steadyhand.values import positive, whole

__all__ = ["Episode", "Lost", "MakeController", "Rollout", "noise_seed", "rollout"]

MOST_TOGETHER = 10_000
"""Environments side by side."""
MOST_PROCESSES = 1_000
WORLD_TIMEOUT = 60.0
"""Seconds that a world may take to be made, to be reset, or for one tick."""


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The episodes that ended, in the order that was asked for, and those that were lost."""

    episodes: list[Episode]
    lost: list[Lost]
    processes: int
    """In how many processes worlds were stepped; 0 for this one."""
    first: ChunkRequest | None
    """The first request of all; None where there were no episodes."""


def rollout(
    predictor: Predictor,
    task: Task,
    seeds: Sequence[int],
    *,
    parallel: int = 50,
    processes: int | None = None,
    world_timeout: float = WORLD_TIMEOUT,
    repeats: int = 1,
    execute: int | None = None,
    controller: MakeController = RecedingHorizon,
    latency: Latency | None = None,
    film: Sequence[int] = (),
    watch: Callable[[Episode], object] = lambda episode: None,
    lose: Callable[[Lost], object] = lambda lost: None,
) -> Rollout:
    """Run the episodes `seeds`.

    Each initial state is played `repeats` times, the chunks drawn from other noise each time.
    `film` names seeds whose pictures are kept, of the first time; `watch` is called as each episode
    ends, `lose` where one is lost. `execute` replaces the policy's own. `controller` is what acts
    on the chunks, which are `latency` late.

    At most `parallel` environments are stepped side by side, in so many `processes`, 0 for this one
    alone; unless said, that follows from how long their ticks take. A world that raises costs its
    episode; in a process of its own, so does one that dies, or that takes longer than
    `world_timeout` seconds for a tick. That of a user's file has a process of its own unless it is
    told otherwise.

    Raises `ConfigurationError` where worlds fail alike as they begin, where no episode ends, and
    where `processes` are asked for with a task that exists in this one alone.
    """
    whole("parallel", parallel, 1, MOST_TOGETHER)
    whole("repeats", repeats)
    if processes is not None:
        whole("processes", processes, 0, MOST_PROCESSES)
    planned = _planned(seeds, repeats, film)
    setting = Setting(
        task=task,
        spec=predictor.spec,
        controller=controller,
        execute=execute,
        films=len(film) > 0,
        latency=latency or Latency(),
    )
    check_continuation(predictor, controller(predictor.spec, execute=execute, seed=0))
    pace = Pace(episodes=len(planned), max_steps=task.max_steps)
    limit = positive("world_timeout", world_timeout)
    crew = Crew(setting, pace, processes=processes, most=parallel, timeout=limit)
    losses = Losses(task.name)
    part = partial(_part_of, task)
    playing = Playing(predictor, crew, pace, planned, losses, part_of=part, watch=watch, lose=lose)
    with crew.at_work(len(planned)):
        playing.play()
    return Rollout(
        episodes=[playing.done[play] for play in planned if play in playing.done],
        lost=sorted(losses.lost, key=lambda one: (one.seed, one.repeat)),
        processes=crew.processes,
        first=playing.first,
    )


def _part_of(task: Task, seed: int) -> str:
    """Which of several tasks in one an episode is of."""
    return task.part_of(seed)[0].name if isinstance(task, ManyTasks) else ""


def _planned(seeds: Sequence[int], repeats: int, film: Sequence[int]) -> list[Play]:
    return [
        Play(seed, repeat, filmed=seed in film and repeat == 0)
        for seed in seeds
        for repeat in range(repeats)
    ]
