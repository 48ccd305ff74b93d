"""Does a policy work, and how sure are we: closed-loop episodes summed up with intervals."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation import metrics
from steadyhand.evaluation.episode import same_scores
from steadyhand.evaluation.latency import Latency
from steadyhand.evaluation.perturbed import PerturbedHistory, deviations
from steadyhand.evaluation.reaction import Waiting, waiting
from steadyhand.evaluation.rollout import (
    WORLD_TIMEOUT,
    Episode,
    Lost,
    MakeController,
    Rollout,
    rollout,
)
from steadyhand.evaluation.smoothness import Smoothness, smoothness
from steadyhand.policy.device import compute_repeatably, on_threads
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import SMALLER, Precision, TorchPredictor, evaluation_batch
from steadyhand.runtime import ChunkRequest, EnginePredictor, Predictor, RecedingHorizon
from steadyhand.task_table import Embed
from steadyhand.tasks import Task, make_task
from steadyhand.tasks.many import ManyTasks, parts_of
from steadyhand.tasks.task import SHARES, usable
from steadyhand.values import at_least, checked, taken, whole
from steadyhand.values import seed as a_seed

MOST_EPISODES = 1_000_000


@dataclass(frozen=True)
class Evaluation:
    """The outcome of some episodes."""

    task: str
    initial_states: str
    scores: dict[str, metrics.Interval]
    """Each named score: the share of True, or the mean of numbers, with its interval."""
    smoothness: Smoothness
    chunk_ms: dict[str, float]
    """Milliseconds to predict one chunk, alone on one thread: {"median", "p95"}."""
    episodes: list[Episode] = field(repr=False)
    """Those that count."""
    lost: list[Lost] = field(default_factory=list[Lost])
    """Those whose worlds raised, died or gave no answer; none of their initial states counts."""
    waiting: Waiting = field(default_factory=Waiting)
    """What the latency of chunks did."""
    processes: int = 0
    """In how many processes worlds were stepped; 0 for this one."""
    tasks: dict[str, dict[str, metrics.Interval]] = field(default_factory=dict)
    """The scores of each task by itself, where there are several in one."""

    def __getattr__(self, name: str) -> metrics.Interval:
        scores = self.__dict__.get("scores", {})
        if name in scores:
            return scores[name]
        raise AttributeError(f"This evaluation has no '{name}'; scores: {', '.join(scores)}")

    def by_state(self, score: str) -> list[float]:
        """A score of each initial state in turn: the mean of its repeats."""
        repeats = 1 + max(episode.repeat for episode in self.episodes)
        return by_state([episode.scores[score] for episode in self.episodes], repeats)

    def as_json(self) -> dict[str, Any]:
        """What `steadyhand evaluate --json` prints, less the path of the episodes' file."""
        return {
            "task": self.task,
            "initial_states": self.initial_states,
            **_as_json(self.scores),
            **({"tasks": {n: _as_json(s) for n, s in self.tasks.items()}} if self.tasks else {}),
            "smoothness": self.smoothness.as_json(),
            "boundary_jump": self.smoothness.boundary_jump,
            "step": self.smoothness.inner_step,
            "waiting": self.waiting.as_json(),
            "chunk_ms": self.chunk_ms,
            "lost": [lost.as_json() for lost in self.lost],
            "processes": self.processes,
        }


def _as_json(scores: Mapping[str, metrics.Interval]) -> dict[str, Any]:
    return {name: score.as_json() for name, score in scores.items()}


@checked
def evaluate(
    policy: Policy | Predictor,
    task: str | Task,
    *,
    episodes: int = 50,
    seed_start: int | None = None,
    execute: int | None = None,
    parallel: int = 50,
    processes: int | None = None,
    world_timeout: float = WORLD_TIMEOUT,
    repeats: int = 1,
    perturb_history: float = 0.0,
    precision: Precision = "float32",
    controller: MakeController = RecedingHorizon,
    latency: Latency | None = None,
    film: Sequence[int] = (),
    embed: Embed | None = None,
    watch: Callable[[Episode], object] = lambda episode: None,
    lose: Callable[[Lost], object] = lambda lost: None,
) -> Evaluation:
    """Try a policy, or anything that predicts, in a task.

    Seeds begin at `seed_start`, by default at the task's own first, so many of each of several
    tasks in one. Each is played `repeats` times with other noise; intervals are over initial
    states, each with the mean of its repeats. `execute` replaces the policy's own. Inference runs
    at one batch size on one thread: no episode depends on the others. `precision` is a policy's;
    `embed` makes vectors of tasks in new words; `controller` makes what acts on an episode's
    chunks, `latency` says how long the world goes on before one is there. `perturb_history` shows
    all that was seen before now with noise of so many deviations.

    `processes`, `world_timeout`, `film`, `watch` and `lose` are `rollout`'s: slow worlds have
    processes of their own, with the same results; an episode whose world fails is told, and does
    not count.
    """
    task = usable(make_task(task) if isinstance(task, str) else task)
    seeds = seeds_of(task, episodes, seed_start)
    batched, alone = _predictors(policy, precision, embed)
    if taken("perturb_history", perturb_history, float, at_least(0)):
        batched = _perturbed(policy, batched, perturb_history)
    with on_threads(1):
        found = rollout(
            batched,
            task,
            seeds,
            parallel=parallel,
            processes=processes,
            world_timeout=world_timeout,
            repeats=repeats,
            execute=execute,
            controller=controller,
            latency=latency,
            film=film,
            watch=watch,
            lose=lose,
        )
        assert found.first is not None, "there are episodes"
        times = _times([alone], [found.first], calls=20)[:, 0]
    return _judged(found, task, repeats, times)


def _judged(
    found: Rollout, task: Task, repeats: int, milliseconds: NDArray[np.float64]
) -> Evaluation:
    """Episodes summed up: those of the initial states of which none was lost."""
    lost = {one.seed for one in found.lost}
    done = [episode for episode in found.episodes if episode.seed not in lost]
    if not done:
        raise ConfigurationError(
            "Of every initial state a repeat was lost with its world, the first since "
            f"{found.lost[0].why}. Mend the task, or ask for no repeats."
        )
    return Evaluation(
        task=task.name,
        initial_states=task.initial_states,
        scores=sum_up(_in_common(done), repeats),
        smoothness=smoothness(
            [episode.actions for episode in done],
            [episode.boundaries for episode in done],
            task.rate_hz,
            [episode.seen < 0 for episode in done],
        ),
        chunk_ms={
            "median": float(np.median(milliseconds)),
            "p95": float(np.quantile(milliseconds, 0.95)),
        },
        waiting=waiting(done, task.rate_hz),
        episodes=done,
        tasks=_by_task(task, done, repeats),
        lost=found.lost,
        processes=found.processes,
    )


def _in_common(done: Sequence[Episode]) -> list[dict[str, float | bool]]:
    """The scores that every episode has: tasks in one may have others beside them."""
    names = [name for name in done[0].scores if all(name in each.scores for each in done)]
    return [{name: episode.scores[name] for name in names} for episode in done]


def _by_task(
    task: Task, done: Sequence[Episode], repeats: int
) -> dict[str, dict[str, metrics.Interval]]:
    if not isinstance(task, ManyTasks):
        return {}
    owner = [task.part_of(episode.seed)[0].name for episode in done]
    return {
        part.name: sum_up(
            [e.scores for e, name in zip(done, owner, strict=True) if name == part.name], repeats
        )
        for part in task.parts
        if part.name in owner  # and not all of its episodes were lost
    }


def _predictors(
    given: Policy | Predictor, precision: Precision, embed: Embed | None
) -> tuple[Predictor, Predictor]:
    """What answers many environments together, always as many at a time, and what answers one."""
    if not hasattr(given, "spec"):
        raise ConfigurationError(
            f"{given!r} is no policy and predicts nothing. Load one first: load_policy('RUN')."
        )
    if isinstance(given, EnginePredictor) and given.batch > 1:
        return given, EnginePredictor(given.engine, embed=given.embed)
    if not isinstance(given, Policy):
        return given, given
    compute_repeatably(given.device)
    batch = evaluation_batch(given.spec)
    together = TorchPredictor(given, batch=batch, smaller=SMALLER, precision=precision, embed=embed)
    return together, TorchPredictor(given, precision=precision, embed=embed)


def _perturbed(given: Policy | Predictor, predictor: Predictor, scale: float) -> Predictor:
    """The predictor, shown a perturbed past. Raises `ConfigurationError` where nobody knows how far
    what it sees moves."""
    if not isinstance(given, Policy):
        raise ConfigurationError(
            "perturb_history is in deviations of what a policy was trained on, and a predictor "
            "knows none. Wrap it: evaluate(PerturbedHistory(predictor, scale, stds), task)."
        )
    return PerturbedHistory(predictor, scale, deviations(given.spec, given.normaliser.statistics))


def seeds_of(task: Task, episodes: int, seed_start: int | None = None) -> range:
    """The seeds of so many episodes, of each task where several are in one.

    Raises `ConfigurationError` where they are none.
    """
    episodes = whole("episodes", episodes, 1, MOST_EPISODES) * len(parts_of(task))
    first = a_seed("seed_start", task.first_seed if seed_start is None else seed_start)
    return range(first, a_seed("The last seed", first + episodes - 1) + 1)


def sum_up(scores: Sequence[Any], repeats: int = 1) -> dict[str, metrics.Interval]:
    """Each named score of the episodes as one figure with its interval.

    Every `repeats` that follow each other are of one initial state, and count once. Raises
    `ConfigurationError` where episodes have other scores than the first.
    """
    for score in scores:
        same_scores(scores[0], score)
    return {
        name: metrics.rate([score[name] for score in scores])
        if isinstance(value, bool | np.bool_) and repeats == 1
        else metrics.mean(
            by_state([score[name] for score in scores], repeats),
            share=isinstance(value, bool | np.bool_) or name in SHARES or None,
        )
        for name, value in scores[0].items()
    }


def by_state(values: Sequence[float], repeats: int) -> list[float]:
    """The mean of every `repeats` values that follow each other."""
    return np.asarray(values, dtype=np.float64).reshape(-1, repeats).mean(1).tolist()


def chunk_times(
    predictors: Sequence[Predictor], task: Task, seed: int, *, calls: int
) -> NDArray[np.float64]:
    """Milliseconds of so many calls of each for one chunk, in turns, (calls, predictors)."""
    seen = task.make().reset(seed)
    requests = [RecedingHorizon(each.spec, seed=seed).request(seen) for each in predictors]
    return _times(predictors, requests, calls=calls)


def _times(
    predictors: Sequence[Predictor], requests: Sequence[ChunkRequest | None], *, calls: int
) -> NDArray[np.float64]:
    times = np.zeros((calls + 3, len(predictors)))
    for turn in times:
        for place, (predictor, request) in enumerate(zip(predictors, requests, strict=True)):
            assert request is not None, "a new controller asks for a chunk"
            begun = time.perf_counter()
            predictor.predict([request])
            turn[place] = 1000 * (time.perf_counter() - begun)
    return times[3:]
