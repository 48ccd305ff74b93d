"""Closed-loop episodes: many environments stepped together, their chunks predicted in one batch.

An episode's result depends on its seed alone: not on how many others run beside it, nor on which.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.runtime import (
    ChunkController,
    ChunkRequest,
    Observation,
    Predictor,
    RecedingHorizon,
)
from steadyhand.runtime.predictor import answers
from steadyhand.tasks import Scores, Task
from steadyhand.tasks.task import stepped, world_of
from steadyhand.values import checked, whole
from steadyhand.values import seed as a_seed

MOST_TOGETHER = 10_000
"""Environments that are stepped together."""
MakeController = Callable[..., ChunkController]
"""`(spec, *, execute, seed) → controller`, one for each episode."""


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
    frames: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)
    """A picture a tick, where they were asked for."""

    @property
    def initial_state(self) -> list[float]:
        """Where the world stood at the start."""
        return self.states[0].tolist()


@checked
def rollout(
    predictor: Predictor,
    task: Task,
    seeds: Sequence[int],
    *,
    parallel: int = 50,
    execute: int | None = None,
    controller: MakeController = RecedingHorizon,
    film: Sequence[int] = (),
    watch: Callable[[Episode], object] = lambda episode: None,
) -> list[Episode]:
    """Run the episodes `seeds`; their results, in that order.

    `film` names seeds whose pictures are kept; `watch` is called as each episode ends. `execute`
    replaces the policy's own. `controller` is what acts on the chunks.
    """
    if not seeds:
        raise ConfigurationError("There are no episodes to run; ask for at least 1.")
    parallel = whole("parallel", parallel, 1, MOST_TOGETHER)
    a_seed("The last seed", max(seeds))
    a_seed("The first seed", min(seeds))
    waiting = iter(seeds)
    lanes = [
        _Lane(task, partial(controller, predictor.spec, execute=execute), film)
        for _ in range(min(parallel, len(seeds)))
    ]
    active = [lane for lane in lanes if lane.begin(waiting)]
    done: dict[int, Episode] = {}
    while active:
        asking = [(lane, request) for lane in active if (request := lane.request()) is not None]
        if asking:
            chunks = answers(predictor, [request for _, request in asking])
            for (lane, request), chunk in zip(asking, chunks, strict=True):
                lane.accept(chunk, request)
        for lane in list(active):
            if (episode := lane.step()) is not None:
                done[episode.seed] = episode
                watch(episode)
                if not lane.begin(waiting):
                    active.remove(lane)
    return [done[seed] for seed in seeds]


class _Lane:
    """One environment with its controller, going from episode to episode."""

    def __init__(
        self,
        task: Task,
        controller: Callable[..., ChunkController],
        film: Sequence[int],
    ) -> None:
        self._task = task
        self._environment = world_of(task, but=() if len(film) else ("render",))
        self._make_controller, self._film = controller, film

    def begin(self, waiting: Iterator[int]) -> bool:
        """Start the next waiting episode; False where none is left."""
        seed = next(waiting, None)
        if seed is None:
            return False
        self._seed = seed
        self._observation: Observation = self._environment.reset(seed)
        self._states = [np.array(self._environment.state(), dtype=np.float64)]
        self._controller = self._make_controller(seed=seed)
        self._actions: list[NDArray[np.floating]] = []
        self._boundaries: list[int] = []
        self._frames = [np.array(self._environment.render())] if seed in self._film else []
        return True

    def request(self) -> ChunkRequest | None:
        return self._controller.request(self._observation)

    def accept(self, chunk: NDArray[np.floating], request: ChunkRequest) -> None:
        self._controller.accept(chunk, request)
        self._boundaries.append(len(self._actions))

    def step(self) -> Episode | None:
        """One tick; the episode, if it ends with it."""
        action = np.array(self._controller.action())
        self._actions.append(action.copy())  # the world may do what it likes with its own
        self._observation, over = stepped(self._environment, action)
        self._states.append(np.array(self._environment.state(), dtype=np.float64))
        if self._seed in self._film:
            self._frames.append(np.array(self._environment.render()))
        if not over and len(self._actions) < self._task.max_steps:
            return None
        scores = self._environment.scores()
        return Episode(
            seed=self._seed,
            scores={k: v.item() if isinstance(v, np.generic) else v for k, v in scores.items()},
            states=np.stack(self._states),
            actions=np.stack(self._actions),
            boundaries=tuple(self._boundaries[1:]),
            frames=self._frames,
        )
