"""Closed-loop episodes: many environments side by side, their chunks predicted in one batch.

An episode's result depends on its seed and repeat alone: not on how many others run beside it, nor
on which.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime import ChunkController, ChunkRequest, Predictor, RecedingHorizon
from steadyhand.runtime.predictor import answers
from steadyhand.tasks import Environment, Scores, Task
from steadyhand.tasks.task import stepped, world_of
from steadyhand.values import whole

REPEATED = 2**62
"""The noise of repeats is that of seeds from here on, which nobody writes."""
MOST_TOGETHER = 10_000
"""Environments side by side."""
MakeController = Callable[..., ChunkController]
"""`(spec, *, execute, seed) → controller`, one for each episode."""
Acting = Generator[ChunkRequest, Any, None]
"""What asks for a chunk whenever it needs one, and is sent it."""


@dataclass(frozen=True)
class Episode:
    """What happened in one episode."""

    seed: int
    scores: Scores
    states: NDArray[np.float64]
    """(ticks + 1, numbers): where the world stood, at the start and after each tick."""
    actions: NDArray[np.floating]
    """(ticks, action_size), as executed, in robot units."""
    boundaries: tuple[int, ...]
    """The ticks at which a new chunk began, after the first."""
    requests: int
    """How many chunks were asked for."""
    repeat: int = 0
    """How often its initial state had been played before, with other noise."""
    frames: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)
    """A picture a tick, where they were asked for."""

    @property
    def initial_state(self) -> list[float]:
        """Where the world stood at the start."""
        return self.states[0].tolist()


def rollout(
    predictor: Predictor,
    task: Task,
    seeds: Sequence[int],
    *,
    parallel: int = 50,
    repeats: int = 1,
    execute: int | None = None,
    controller: MakeController = RecedingHorizon,
    film: Sequence[int] = (),
    watch: Callable[[Episode], object] = lambda episode: None,
) -> list[Episode]:
    """Run the episodes `seeds`; their results, in that order.

    Each initial state is played `repeats` times, one after the other, the chunks drawn from other
    noise each time. `film` names seeds whose pictures are kept, of the first time; `watch` is
    called as each episode ends. `execute` replaces the policy's own. `controller` is what acts on
    the chunks.
    """
    parallel = whole("parallel", parallel, 1, MOST_TOGETHER)
    whole("repeats", repeats)
    make = partial(controller, predictor.spec, execute=execute)
    planned = [(seed, repeat) for seed in seeds for repeat in range(repeats)]
    waiting, done = iter(planned), dict[tuple[int, int], Episode]()

    def lane(world: Environment) -> Acting:
        """One environment, going from episode to episode."""
        for seed, repeat in waiting:
            acting = make(seed=noise_seed(seed, repeat))
            filmed = seed in film and repeat == 0
            episode = yield from _episode(task, world, acting, seed, repeat, filmed)
            done[seed, repeat] = episode
            watch(episode)

    without = () if len(film) else ("render",)
    worlds = [world_of(task, but=without) for _ in range(min(parallel, len(planned)))]
    asking = [(acting, _next(acting)) for acting in map(lane, worlds)]
    while asking := [(acting, request) for acting, request in asking if request is not None]:
        chunks = answers(predictor, [request for _, request in asking])
        asking = [
            (acting, _next(acting, chunk))
            for (acting, _), chunk in zip(asking, chunks, strict=True)
        ]
    return [done[each] for each in planned]


def noise_seed(seed: int, repeat: int) -> int:
    """The seed of the chunks' noise when the initial state `seed` is played once more; the same
    seed the first time."""
    if repeat == 0:
        return seed
    return REPEATED + int(
        np.random.SeedSequence([seed, repeat]).generate_state(1, np.uint64)[0] >> 2
    )


def _next(acting: Acting, chunk: NDArray[np.floating] | None = None) -> ChunkRequest | None:
    """What is asked for next, after an answer to what was asked before; None at the end."""
    try:
        return acting.send(chunk)
    except StopIteration:
        return None


def _episode(
    task: Task,
    world: Environment,
    controller: ChunkController,
    seed: int,
    repeat: int,
    filmed: bool,
) -> Generator[ChunkRequest, Any, Episode]:
    """One episode, which asks for its chunks and is sent them. The world may do what it likes with
    what it is given, and change later what it answers with: what is kept are copies."""
    observation, over = world.reset(seed), False
    states, frames = [_place(world)], [np.array(world.render())] if filmed else []
    actions, begun = list[NDArray[np.floating]](), list[int]()
    while not over and len(actions) < task.max_steps:
        if (request := controller.request(observation)) is not None:
            controller.accept((yield request), request)
            begun.append(len(actions))
        action = np.array(controller.action())
        actions.append(action.copy())
        observation, over = stepped(world, action)
        states.append(_place(world))
        if filmed:
            frames.append(np.array(world.render()))
    scores = world.scores()
    return Episode(
        seed=seed,
        scores={k: v.item() if isinstance(v, np.generic) else v for k, v in scores.items()},
        states=np.stack(states),
        actions=np.stack(actions),
        boundaries=tuple(begun[1:]),
        requests=len(begun),
        repeat=repeat,
        frames=frames,
    )


def _place(world: Environment) -> NDArray[np.float64]:
    return np.array(world.state(), dtype=np.float64)
