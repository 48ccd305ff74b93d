"""A policy is tried, of a run or an export: how it is sampled, in which task, on which seeds.

What its episodes' file is called says all of that, so that no evaluation takes another's place.
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from steadyhand.data.stages import Stage, Tell, unseen, untold
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.acting import Acting
from steadyhand.evaluation.episodes_file import EpisodesFile
from steadyhand.evaluation.evaluate import Evaluation, evaluate, seeds_of
from steadyhand.evaluation.latency import ROUNDING
from steadyhand.evaluation.opened import opened
from steadyhand.evaluation.rollout import WORLD_TIMEOUT, Episode, Lost
from steadyhand.policy.named import Opening, described, is_address
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import embed_of
from steadyhand.runtime.exported import is_export
from steadyhand.runtime.folders import run_of
from steadyhand.runtime.predictor import Predictor
from steadyhand.spec import PolicySpec
from steadyhand.task_table import Embed
from steadyhand.tasks import Task, make_task
from steadyhand.tasks.own import file_word
from steadyhand.tasks.worded import Worded


def attempt(
    path: str | Path,
    out: Path,
    *,
    episodes: int = 50,
    seed_start: int | None = None,
    opening: Opening | None = None,
    execute: int | None = None,
    task: str | None = None,
    instruction: str | None = None,
    text_model: str | None = None,
    parallel: int = 50,
    processes: int | None = None,
    world_timeout: float = WORLD_TIMEOUT,
    acting: Acting | None = None,
    films: int = 0,
    stage: Stage = unseen,
    tell: Tell = untold,
) -> tuple[Path, Evaluation]:
    """(the episodes' file in `out`, the outcome) of the run, checkpoint, export or server `path`.

    What `opening` does not say is as the policy was trained; so many of the first episodes are
    filmed.
    `instruction` is told instead of the task's own words, and `text_model` makes vectors of words;
    `acting` is what acts on chunks, and how late they are. Raises `ConfigurationError` where no
    task is known. Where it is stopped, the episodes that ended are kept, and told.
    """
    acting = acting or Acting()
    spec, origin = described(path)
    world = _task(path, task or origin.task, instruction)
    policy, said = opened(path, opening or Opening())
    embed = _embed(path, policy, text_model)
    _say_what_is_meant(spec, instruction, embed, tell)
    say_what_is_late(spec.chunking.prefix, acting, world.rate_hz, tell)
    seeds, acted = seeds_of(world, episodes, seed_start), execute or spec.chunking.execute
    label = f"execute{acted}{acting.said}-seed{seeds[0]}-{episodes}{_told(instruction)}"
    label = f"{file_word(world.name)}-step{origin.step}-{said}-{label}"
    file = _file(path, out, label)
    with _keeping(file, tell), file, stage(f"evaluating {Path(path).name}", len(seeds)) as advance:
        ended = _ended(file, advance)
        found = evaluate(
            policy,
            world,
            episodes=episodes,
            seed_start=seed_start,
            execute=execute,
            parallel=parallel,
            processes=processes,
            world_timeout=world_timeout,
            controller=acting.make,
            latency=acting.latency,
            film=seeds[:films],
            watch=ended,
            embed=embed,
            lose=ended,
        )
    return file.path, found


def _ended(file: EpisodesFile, advance: Callable[[int], object]) -> Callable[..., None]:
    """What is done as each episode ends, or is lost."""

    def ended(one: Episode | Lost) -> None:
        file.append(one)
        advance(1)

    return ended


def _embed(path: str | Path, policy: Policy | Predictor, text_model: str | None) -> Embed | None:
    """What makes vectors of words that the policy was not trained on; an export has none."""
    if isinstance(policy, Policy):
        return embed_of(policy, text_model)
    if text_model is not None:
        raise ConfigurationError(
            f"{path} knows the words of its tasks and no others: --text-model is of a run."
        )
    return None


def _task(path: str | Path, name: str | None, instruction: str | None) -> Task:
    """Where the policy at `path` is tried, told in other words where they are given."""
    if name is None:
        offline = f"demonstrations: steadyhand evaluate --offline {path}"
        if is_export(path) or is_address(path):
            offline = "demonstrations, by its run: steadyhand evaluate --offline RUN"
        raise ConfigurationError(
            f"{path} was trained for no task that could be simulated. Try it on the robot "
            "(docs/robot.md), in a task of your own (evaluate(policy, task) in Python), or against "
            f"{offline}"
        )
    world = make_task(name)
    return world if instruction is None else Worded(world, instruction)


@contextmanager
def _keeping(file: EpisodesFile, tell: Tell) -> Iterator[None]:
    """Where it is stopped, tell where the episodes are that ended."""
    try:
        yield
    except KeyboardInterrupt:
        if file.partial.exists():
            tell(f"The episodes that ended are in {file.partial}")
        raise


def _told(instruction: str | None) -> str:
    return f"-told-{re.sub('[^A-Za-z0-9]+', '_', instruction)[:40]}" if instruction else ""


def _say_what_is_meant(
    spec: PolicySpec, instruction: str | None, embed: Embed | None, tell: Tell
) -> None:
    """Tell which of its tasks a policy takes new words for, where it is told by their vectors."""
    if instruction is None:
        return
    table = spec.tasks
    if table is None:
        raise ConfigurationError(
            f"This policy is not told what to do, so '{instruction}' would change nothing. Train "
            "one that observes task: --observations … task."
        )
    vector = table.told(np.array(instruction), embed)
    known = bool((table.array == vector).all(1).any())
    if known and instruction not in table.texts:
        tell(f"'{instruction}' is taken for '{table.text(vector)}'.")


def say_what_is_late(prefix: int, acting: Acting, rate_hz: float, tell: Tell) -> None:
    """Tell where answers take longer than the rows that a policy was trained to be given."""
    ticks = math.ceil(acting.latency.seconds * rate_hz - ROUNDING)
    given = acting.controller == "real_time" and acting.by in (None, "prefixed")
    if given and 0 < prefix < ticks:
        tell(
            f"Answers take {ticks} ticks, and this policy was trained to be given {prefix} rows: "
            "what comes after them does not go on from the last chunk. Train it with "
            f"--chunking.prefix {ticks}, or try --continuation guided."
        )


def _file(path: str | Path, out: Path, label: str) -> EpisodesFile:
    run = run_of(Path(path)).resolve()
    if out.resolve() != run / "evaluations":
        label = f"{run.name}-{label}"  # where several runs may be evaluated
    # Settings in a task's name have characters that not every file system takes.
    return EpisodesFile(out / f"{re.sub('[:=,/+]', '-', label)}.jsonl")
