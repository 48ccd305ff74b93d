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
from steadyhand.evaluation.latency import NONE, Latency
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
    seen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(ticks,): the tick of the latest observation that each action knew of; -1 where the robot
    held."""
    lost: int = 0
    """How many answers never came."""
    frames: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)
    """A picture a tick, where they were asked for."""

    @property
    def held(self) -> int:
        """How many ticks the robot waited for a chunk, after its first."""
        return int((self.seen < 0).sum())

    @property
    def reaction(self) -> float:
        """Ticks from a change in the world to the first action that knew of it, on average; nan
        where no action comes after."""
        # What an action knew of, the ones after it know, too, though a chunk may be older.
        known = np.maximum.accumulate(self.seen)
        moments = np.arange(known[-1] + 1) if len(known) else known
        return float(np.mean(np.searchsorted(known, moments) - moments)) if len(moments) else np.nan

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


class OnTheirWay:
    """Answers that are not there yet, each with the tick in which it will be."""

    def __init__(self, latency: Latency, rate_hz: float) -> None:
        self._latency, self._rate = latency, rate_hz
        self._due: list[tuple[int, ChunkRequest, Any]] = []
        self.asked: dict[int, int] = {}
        """Number of a request → the tick of its observation."""
        self.lost = 0

    def sent(self, tick: int, request: ChunkRequest, chunk: Any) -> None:
        """An answer to what was asked in that tick sets out."""
        late, comes = self._latency.of(request.seed, request.number, self._rate)
        self.asked[request.number] = tick
        self._due.append((tick + late, request, chunk if comes else None))

    def come(self, tick: int, controller: ChunkController) -> None:
        """Hand over what has come by that tick, in the order in which it was asked for.

        The first chunk is waited for: a robot begins when it is there.
        """
        begun = controller.source is not None
        due = [each for each in self._due if each[0] <= tick or not begun]
        self._due = [each for each in self._due if each[0] > tick and begun]
        for _, request, chunk in due:
            self.lost += chunk is None
            if chunk is None:
                controller.lost(request)
            else:
                controller.accept(chunk, request)


def played(
    task: Task,
    world: Environment,
    controller: ChunkController,
    play: Play,
    ticked: Callable[[], object] = lambda: None,
    latency: Latency = NONE,
) -> Acting:
    """One episode, which asks for its chunks and is sent them; `ticked` is called after each tick.

    The world may do what it likes with what it is given, and change later what it answers with:
    what is kept are copies. It goes on while answers are on their way, and where the robot has
    nothing to do, it holds. Raises `WorldFailed` where the world does.
    """
    observation, over = of_world("reset", world.reset, play.seed), False
    states = [of_world("state", _standing, world)]
    frames = [of_world("render", _picture, world)] if play.filmed else []
    actions, seen, sources = list[NDArray[np.floating]](), list[int](), list[int | None]()
    way = OnTheirWay(latency, task.rate_hz)
    while not over and (tick := len(actions)) < task.max_steps:
        way.come(tick, controller)
        try:
            request = controller.request(observation)
        except NotFiniteError as error:
            call = "step()" if actions else "reset()"
            raise WorldFailed(f"{call} answered so: {error}", call) from error
        if request is not None:
            way.sent(tick, request, (yield request))
        way.come(tick, controller)
        held = not controller.ready
        if held and not actions:
            controller.hold()
            continue  # the first answer was lost, and the robot has not begun: it asks again
        action = np.array(_held(world, controller) if held else controller.action())
        sources.append(controller.source)
        seen.append(-1 if held or sources[-1] is None else way.asked[sources[-1]])
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
        boundaries=tuple(t for t in range(1, len(sources)) if sources[t] != sources[t - 1]),
        requests=len(way.asked),
        repeat=play.repeat,
        seen=np.array(seen, np.int64),
        lost=way.lost,
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


def _held(world: Environment, controller: ChunkController) -> Any:
    """What a robot is told that has nothing to do: as before, unless its world knows better."""
    told, own = controller.hold(), getattr(world, "hold", None)
    return told if own is None else of_world("hold", own, told)


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
