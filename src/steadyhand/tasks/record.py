"""An expert's demonstrations, as episodes to train on.

With `noise`, what is executed differs from what is recorded, which is the expert's own action all
the while: so demonstrations show the way back, too (Laskey et al. 2017, DART).
"""

from collections.abc import Callable
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.data.statistics import narrowed
from steadyhand.errors import ConfigurationError
from steadyhand.sizes import Kind
from steadyhand.spec import LAST_ACTION, TASK
from steadyhand.tasks.catalogue import make_task
from steadyhand.tasks.task import (
    Demonstrated,
    Environment,
    Scores,
    Task,
    Watching,
    kinds_of,
    stepped,
    usable,
    world_of,
)
from steadyhand.values import at_least, at_most, checked, seed

MOST_EPISODES = 1_000_000
TRIES = 10
"""Episodes that are played at most for each that is kept."""
LASTING = 0.9
"""Of the noise of one tick, so much is still there at the next: what wavers is pushed nowhere."""


@checked
def record_episodes(
    task: str | Task,
    episodes: Annotated[int, at_least(1), at_most(MOST_EPISODES)],
    *,
    first_seed: int = 0,
    noise: Annotated[float, at_least(0)] = 0.0,
    only_successful: bool = False,
    watch: Callable[[Scores], object] = lambda scores: None,
) -> Episodes:
    """`episodes` demonstrations of the task's own expert, seeds `first_seed`….

    Numbers are kept in float32 where it holds how they move, pictures as they come. They hold
    every feature that the task observes, and `action`; what is to be done, where the task shows it
    in words, is counted by `task_index`. `noise` is the standard deviation, in the action's own
    units, of what is added to each number of an action that is executed, and not to what is
    recorded. With `only_successful` an episode without success is left out and the next seed takes
    its place. `watch` is given the scores of each that is kept. Raises `ConfigurationError` where
    the task has no expert, or one that hardly ever succeeds.
    """
    task = usable(make_task(task) if isinstance(task, str) else task)
    if not isinstance(task, Demonstrated):
        raise ConfigurationError(
            f"Nobody demonstrates {task.name} here: it has no scripted expert. "
            "Train on demonstrations that were recorded elsewhere: steadyhand train … --data PATH."
        )
    seeds = range(seed("first_seed", first_seed), first_seed + episodes)
    seed("The last seed", seeds[-1])
    world = world_of(task, but=("state", "render"))
    kept: list[dict[str, list[NDArray[Any]]]] = []
    tasks: dict[str, int] = {}
    number = first_seed
    while len(kept) < episodes:
        columns = _demonstration(task, world, number, noise, tasks)
        scores = world.scores()
        if not only_successful or scores.get("success", True):
            kept.append(columns)
            watch(scores)
        number += 1
        if number - first_seed >= TRIES * episodes + TRIES:
            raise ConfigurationError(
                f"The expert of {task.name} succeeds in {len(kept)} of {number - first_seed} "
                "episodes. Record with less noise, or keep the others, too."
            )
    arrays = {
        key: narrowed(np.stack([value for columns in kept for value in columns[key]]))
        for key in kept[0]
    }
    ends = np.cumsum([len(columns["action"]) for columns in kept])
    kinds: dict[str, Kind] = {key: kind for key, kind in kinds_of(task).items() if key in arrays}
    return Episodes(arrays, ends, task.rate_hz, tasks=tuple(tasks), kinds=kinds)


def _demonstration(
    task: Demonstrated, world: Environment, number: int, noise: float, tasks: dict[str, int]
) -> dict[str, list[NDArray[Any]]]:
    """What is seen and done at each tick of the episode `number`; new texts go to `tasks`."""
    expert, observation = task.expert(number), world.reset(number)
    if isinstance(expert, Watching):
        expert.watch(world)
    shaken = _shaken(noise, number)
    columns: dict[str, list[NDArray[Any]]] = {}
    for _ in range(cast(Task, task).max_steps):
        action = expert.act(observation)
        seen = {key: np.array(value) for key, value in observation.items()}
        if TASK in seen:
            seen["task_index"] = np.array(tasks.setdefault(str(seen.pop(TASK)), len(tasks)))
        for key, value in {**seen, "action": np.array(action)}.items():
            if key != LAST_ACTION:  # which follows from the actions
                columns.setdefault(key, []).append(value)
        observation, over = stepped(world, shaken(action))
        if over:
            break
    return columns


def _shaken(noise: float, number: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What is executed of an action, tick by tick of the episode `number`."""
    if not noise:
        return lambda action: action
    random, drift = np.random.default_rng([number, 0x2019]), 0.0

    def shaken(action: NDArray[Any]) -> NDArray[Any]:
        nonlocal drift
        fresh = random.normal(0, noise, np.shape(action))
        drift = LASTING * drift + (1 - LASTING**2) ** 0.5 * fresh
        return action + drift

    return shaken
