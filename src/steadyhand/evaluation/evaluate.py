"""Does a policy work, and how sure are we: closed-loop episodes summed up with intervals."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any

import numpy as np

from steadyhand.disk import write_text
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.evaluation import metrics
from steadyhand.evaluation.rollout import Episode, MakeController, rollout
from steadyhand.policy.device import on_threads
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import EVALUATION_BATCH, TorchPredictor
from steadyhand.runtime import ChunkRequest, Predictor, RecedingHorizon
from steadyhand.tasks import Task, make_task
from steadyhand.tasks.task import SHARES, usable
from steadyhand.values import checked, whole
from steadyhand.values import seed as a_seed

MOST_EPISODES = 1_000_000


@dataclass(frozen=True)
class Evaluation:
    """The outcome of some episodes."""

    task: str
    initial_states: str
    scores: dict[str, metrics.Interval]
    """Each named score: the share of True, or the mean of numbers, with its interval."""
    smoothness: metrics.Smoothness
    chunk_ms: dict[str, float]
    """Milliseconds to predict one chunk, alone on one thread: {"median", "p95"}."""
    episodes: list[Episode] = field(repr=False)

    def __getattr__(self, name: str) -> metrics.Interval:
        scores = self.__dict__.get("scores", {})
        if name in scores:
            return scores[name]
        raise AttributeError(f"This evaluation has no '{name}'; scores: {', '.join(scores)}")

    def as_json(self) -> dict[str, Any]:
        """What `steadyhand evaluate --json` prints, less the path of the episodes' file."""
        return {
            "task": self.task,
            "initial_states": self.initial_states,
            **{name: score.as_json() for name, score in self.scores.items()},
            "smoothness": asdict(self.smoothness),
            "chunk_ms": self.chunk_ms,
        }


class EpisodesFile:
    """One line of JSON an episode, written as each ends, so that stopping loses none of them.

    It is a context: in it the lines go to a `partial` file that no other evaluation writes, and
    when it ends well, in the order of their seeds, to `path`; what was there before stays until
    then. Where it ends before the last episode, the partial file stays. Raises `CheckpointError`
    where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.partial = path, path.with_name(f"{path.name}.partial")
        self._lines: dict[int, str] = {}

    def __enter__(self) -> "EpisodesFile":
        self._made = None if self.path.parent.exists() else self.path.parent
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._begin()
        return self

    def _begin(self) -> IO[str]:
        """A file that is ours alone: of another evaluation, or of one that was killed, none."""
        for number in count(1):
            name = f"{self.path.name}{f'.{number}' if number > 1 else ''}.partial"
            self.partial = self.path.with_name(name)
            with suppress(FileExistsError):
                return self.partial.open("x", buffering=1)
        raise AssertionError("there is always another number")

    def append(self, episode: Episode) -> None:
        """Add an episode that has ended: its seed, initial state, length and scores."""
        record = {
            "seed": episode.seed,
            "initial_state": episode.initial_state,
            "steps": len(episode.actions),
            **episode.scores,
        }
        self._lines[episode.seed] = f"{json.dumps(record)}\n"
        with self._explained():
            self._file.write(self._lines[episode.seed])

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._explained():
            self._file.close()
            if kind is None:
                write_text(self.path, "".join(self._lines[seed] for seed in sorted(self._lines)))
        if kind is None or not self._lines:
            self.partial.unlink(missing_ok=True)
        if kind is not None and self._made is not None:
            with suppress(OSError):  # unless something is in it
                self._made.rmdir()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CheckpointError(
                f"{self.path} cannot be written ({error.strerror or error}). Mend the rights of "
                "its folder or the disk, or evaluate with another --out."
            ) from error


@checked
def evaluate(
    policy: Policy | Predictor,
    task: str | Task,
    *,
    episodes: int = 50,
    seed_start: int | None = None,
    execute: int | None = None,
    parallel: int = 50,
    controller: MakeController = RecedingHorizon,
    film: Sequence[int] = (),
    watch: Callable[[Episode], object] = lambda episode: None,
) -> Evaluation:
    """Try a policy, or anything that predicts, in a task.

    The seeds are `seed_start…seed_start + episodes - 1` (the task's own first seed by default),
    `execute` replaces the policy's own. Inference runs at one fixed batch size and on one thread,
    so that the results of an episode do not depend on the others. `controller` makes the object
    that acts on the chunks of one episode.
    """
    if not hasattr(policy, "spec"):
        raise ConfigurationError(
            f"{policy!r} is no policy and predicts nothing. Load one first: load_policy('RUN')."
        )
    task = usable(make_task(task) if isinstance(task, str) else task)
    seeds = seeds_of(task, episodes, seed_start)
    batched: Predictor = (
        policy if not isinstance(policy, Policy) else TorchPredictor(policy, batch=EVALUATION_BATCH)
    )
    alone: Predictor = policy if not isinstance(policy, Policy) else TorchPredictor(policy)
    with one_thread():
        done = rollout(
            batched,
            task,
            seeds,
            parallel=parallel,
            execute=execute,
            controller=controller,
            film=film,
            watch=watch,
        )
        chunk_ms = _time_chunks(alone, task, seeds[0])
    return Evaluation(
        task=task.name,
        initial_states=task.initial_states,
        scores=sum_up([episode.scores for episode in done]),
        smoothness=metrics.smoothness(
            [episode.actions for episode in done],
            [episode.boundaries for episode in done],
            task.rate_hz,
        ),
        chunk_ms=chunk_ms,
        episodes=done,
    )


def seeds_of(task: Task, episodes: int, seed_start: int | None = None) -> range:
    """The seeds of so many episodes. Raises `ConfigurationError` where they are none."""
    whole("episodes", episodes, 1, MOST_EPISODES)
    first = a_seed("seed_start", task.first_seed if seed_start is None else seed_start)
    return range(first, a_seed("The last seed", first + episodes - 1) + 1)


def sum_up(scores: Sequence[Any]) -> dict[str, metrics.Interval]:
    """Each named score of the episodes as one figure with its interval."""
    return {
        name: metrics.rate([score[name] for score in scores])
        if isinstance(value, bool | np.bool_)
        else metrics.mean([score[name] for score in scores], share=name in SHARES or None)
        for name, value in scores[0].items()
    }


def _time_chunks(predictor: Predictor, task: Task, seed: int, calls: int = 20) -> dict[str, float]:
    controller = RecedingHorizon(predictor.spec, seed=seed)
    request = controller.request(task.make().reset(seed))
    assert request is not None, "a new controller asks for a chunk"
    times = [_milliseconds(predictor, request) for _ in range(calls + 3)][3:]
    median, p95 = np.quantile(times, [0.5, 0.95])
    return {"median": float(median), "p95": float(p95)}


def _milliseconds(predictor: Predictor, request: ChunkRequest) -> float:
    begun = time.perf_counter()
    predictor.predict([request])
    return 1000 * (time.perf_counter() - begun)


def one_thread() -> AbstractContextManager[None]:
    """Fix torch to one thread: how a sum is split over threads changes its last bits."""
    return on_threads(1)
