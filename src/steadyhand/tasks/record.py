"""An expert's demonstrations, as episodes to train on.

With `noise`, what is executed differs from what is recorded, which is the expert's own action all
the while: so demonstrations show the way back, too (Laskey et al. 2017, DART).
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.data.statistics import narrowed
from steadyhand.errors import ConfigurationError
from steadyhand.spec import LAST_ACTION, TASK
from steadyhand.tasks.catalogue import make_task
from steadyhand.tasks.task import Demonstrated, Scores, Task, Watching, stepped, usable, world_of
from steadyhand.values import at_least, at_most, checked, seed

MOST_EPISODES = 1_000_000
LASTING = 0.9
"""Of the noise of one tick, so much is still there at the next: what wavers is pushed nowhere."""


@checked
def record_episodes(
    task: str | Task,
    episodes: Annotated[int, at_least(1), at_most(MOST_EPISODES)],
    *,
    first_seed: int = 0,
    noise: Annotated[float, at_least(0)] = 0.0,
    watch: Callable[[Scores], object] = lambda scores: None,
) -> Episodes:
    """`episodes` demonstrations of the task's own expert, seeds `first_seed`….

    Numbers are kept in float32 where it holds how they move, pictures as they come. They hold
    every feature that the task observes, and `action`; what is to be done, where the task shows it
    in words, is counted by `task_index`. `noise` is the standard deviation, in the action's own
    units, of what is added to each number of an action that is executed, and not to what is
    recorded. `watch` is given the scores of each as it ends. Raises `ConfigurationError` where the
    task has no expert.
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
    columns: dict[str, list[NDArray[Any]]] = {}
    tasks: dict[str, int] = {}
    ends: list[int] = []
    steps = 0
    for number in seeds:
        expert, observation = task.expert(number), world.reset(number)
        if isinstance(expert, Watching):
            expert.watch(world)
        shaken = _shaken(noise, number)
        for _ in range(task.max_steps):
            action = expert.act(observation)
            seen = {key: np.array(value) for key, value in observation.items()}
            if TASK in seen:
                seen["task_index"] = np.array(tasks.setdefault(str(seen.pop(TASK)), len(tasks)))
            for key, value in {**seen, "action": np.array(action)}.items():
                if key != LAST_ACTION:  # which follows from the actions
                    columns.setdefault(key, []).append(value)
            observation, over = stepped(world, shaken(action))
            steps += 1
            if over:
                break
        ends.append(steps)
        watch(world.scores())
    arrays = {key: narrowed(np.stack(values)) for key, values in columns.items()}
    return Episodes(arrays, np.array(ends), task.rate_hz, tasks=tuple(tasks))


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
