"""An expert's demonstrations, as episodes to train on."""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.data.statistics import narrowed
from steadyhand.errors import ConfigurationError
from steadyhand.spec import LAST_ACTION
from steadyhand.tasks.catalogue import make_task
from steadyhand.tasks.task import Demonstrated, Scores, Task, stepped, usable, world_of
from steadyhand.values import at_least, at_most, checked, seed

MOST_EPISODES = 1_000_000


@checked
def record_episodes(
    task: str | Task,
    episodes: Annotated[int, at_least(1), at_most(MOST_EPISODES)],
    *,
    first_seed: int = 0,
    watch: Callable[[Scores], object] = lambda scores: None,
) -> Episodes:
    """`episodes` demonstrations of the task's own expert, seeds `first_seed`….

    Numbers are kept in float32 where it holds how they move, pictures as they come. They hold
    every feature that the task observes, and `action`. `watch` is given the scores of each as it
    ends. Raises `ConfigurationError` where the task has no expert.
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
    ends: list[int] = []
    steps = 0
    for number in seeds:
        expert, observation = task.expert(number), world.reset(number)
        for _ in range(task.max_steps):
            action = expert.act(observation)
            for key, value in {**observation, "action": action}.items():
                if key != LAST_ACTION:  # which follows from the actions
                    columns.setdefault(key, []).append(np.array(value))
            observation, over = stepped(world, action)
            steps += 1
            if over:
                break
        ends.append(steps)
        watch(world.scores())
    arrays = {key: narrowed(np.stack(values)) for key, values in columns.items()}
    return Episodes(arrays, np.array(ends), task.rate_hz)
