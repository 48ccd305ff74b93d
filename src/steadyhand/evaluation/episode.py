"""One episode: a world and a controller, asking for chunks, and what is kept of it.

Its result depends on its seed and repeat alone, wherever it is played. Numpy only: it is played in
processes that load no torch.
"""

import sysconfig
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, NotFiniteError, SteadyhandError
from steadyhand.runtime import ChunkController, ChunkRequest
from steadyhand.tasks.task import Environment, Scores, Task, stepped

T = TypeVar("T")
REPEATED = 2**62
"""The noise of repeats is that of seeds from here on, which nobody writes."""
Acting = Generator[ChunkRequest, Any, "Episode"]
"""What asks for a chunk whenever it needs one, is sent it, and returns what happened."""
NOT_THE_AUTHORS = (
    Path(__file__).parents[1],
    *(Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
)
"""Folders of code that is not of whoever wrote the world."""


@dataclass(frozen=True)
class Play:
    """An episode that is to be played."""

    seed: int
    repeat: int = 0
    filmed: bool = False


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


class WorldFailed(Exception):
    """A world raised something of its own; the text says what and where, in one line."""

    def __init__(self, said: str, kind: str) -> None:
        super().__init__(said, kind)
        self.said, self.kind = said, kind

    @classmethod
    def of(cls, call: str, error: BaseException) -> "WorldFailed":
        """Of an error that left a world's method: `kind` is the same for the same mistake."""
        name, (file, line) = type(error).__name__, _place(error)
        text = " ".join(str(error).split())
        said = f"{call}() raised {name}{f': {text}' if text else ''} ({file}, line {line})"
        return cls(said, f"{call} {name} {file}:{line}")


def of_world(call: str, method: Callable[..., T], *values: Any) -> T:
    """What a method of a world answers. Raises `WorldFailed` where it raises what is not ours."""
    try:
        return method(*values)
    except (SteadyhandError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise WorldFailed.of(call, error) from error


def noise_seed(seed: int, repeat: int) -> int:
    """The seed of the chunks' noise when the initial state `seed` is played once more; the same
    seed the first time."""
    if repeat == 0:
        return seed
    return REPEATED + int(
        np.random.SeedSequence([seed, repeat]).generate_state(1, np.uint64)[0] >> 2
    )


def played(
    task: Task,
    world: Environment,
    controller: ChunkController,
    play: Play,
    ticked: Callable[[], object] = lambda: None,
) -> Acting:
    """One episode, which asks for its chunks and is sent them; `ticked` is called after each tick.

    The world may do what it likes with what it is given, and change later what it answers with:
    what is kept are copies. Raises `WorldFailed` where the world does.
    """
    observation, over = of_world("reset", world.reset, play.seed), False
    states = [of_world("state", _standing, world)]
    frames = [of_world("render", _picture, world)] if play.filmed else []
    actions, begun = list[NDArray[np.floating]](), list[int]()
    while not over and len(actions) < task.max_steps:
        try:
            request = controller.request(observation)
        except NotFiniteError as error:
            call = "step()" if actions else "reset()"
            raise WorldFailed(f"{call} answered so: {error}", call) from error
        if request is not None:
            controller.accept((yield request), request)
            begun.append(len(actions))
        action = np.array(controller.action())
        actions.append(action.copy())
        observation, over = of_world("step", stepped, world, action)
        states.append(of_world("state", _standing, world))
        if play.filmed:
            frames.append(of_world("render", _picture, world))
        ticked()
    return Episode(
        seed=play.seed,
        scores=of_world("scores", _scores, world),
        states=np.stack(states),
        actions=np.stack(actions),
        boundaries=tuple(begun[1:]),
        requests=len(begun),
        repeat=play.repeat,
        frames=frames,
    )


def same_scores(first: Scores, other: Scores) -> None:
    """Raise `ConfigurationError` where two episodes of a task do not have the same scores."""
    if first.keys() != other.keys():
        one, two = (", ".join(map(str, each)) or "none" for each in (first, other))
        raise ConfigurationError(
            f"The scores() of the task were {one} in one episode and {two} in another. Give the "
            "same names in every episode, False or 0 where nothing was achieved."
        )


def _scores(world: Environment) -> Scores:
    scores = world.scores().items()
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in scores}


def _standing(world: Environment) -> NDArray[np.float64]:
    return np.array(world.state(), dtype=np.float64)


def _picture(world: Environment) -> NDArray[np.uint8]:
    return np.array(world.render())


def _place(error: BaseException) -> tuple[str, int | None]:
    """File and line of the world's author that an error comes from, as far as one is known."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if not _of_others(each.filename)]
    last = (own or frames)[-1:]
    return (last[0].filename, last[0].lineno) if last else ("unknown file", None)


def _of_others(file: str) -> bool:
    inside = any(Path(file).is_relative_to(folder) for folder in NOT_THE_AUTHORS)
    return inside or file.startswith("<")
