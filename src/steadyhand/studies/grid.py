"""A grid of methods and networks on one task, as rows that are to come."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.evaluation.evaluate import seeds_of
from steadyhand.methods.choices import Consistency
from steadyhand.recipes import recipe
from steadyhand.recipes.methods import METHODS
from steadyhand.studies.asked import Asked, network_name, recipe_of
from steadyhand.studies.cell import Cell
from steadyhand.tasks import make_task
from steadyhand.training.config import TrainConfig
from steadyhand.training.teacher import student_config, student_training

TEACHER = "flow"
"""What a distilled method learns from, within the same time: half of it is the teacher's."""


@dataclass(frozen=True)
class Method:
    """A method as it is named on the command line: `flow`, or `flow:1` for one network call."""

    name: str
    calls: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Method":
        """Raises `ConfigurationError` with the nearest name for a typo."""
        name, colon, calls = text.partition(":")
        if name not in METHODS:
            raise ConfigurationError(unknown("method", name, METHODS))
        if colon and not (calls.isdecimal() and int(calls) > 0):
            raise ConfigurationError(
                f"'{text}' is no method: network calls are a whole number, as in {name}:1."
            )
        return cls(name, int(calls) if colon else None)

    @property
    def label(self) -> str:
        return self.name if self.calls is None else f"{self.name}:{self.calls}"


def declare(
    asked: Asked, methods: Sequence[Method], *, networks: Sequence[str | None] = (None,)
) -> list[Cell]:
    """The rows that are asked for. Raises `ConfigurationError` for what cannot be trained or tried.

    A method that is distilled shares minutes or steps with its teacher. Rows of one method and
    network differ in their calls and share their runs.
    """
    task = asked.task or ""
    trial = asked.trial(task)
    seeds_of(make_task(task), trial.episodes, trial.seed_start)
    cells: list[Cell] = []
    for network in networks:
        for method in methods:
            base = replace(asked, network=network).config(task, method=method.name)
            # All of it said, and refused where the method cannot do it, before anything is trained.
            calls = {} if method.calls is None else {"steps": method.calls}
            sampler = replace(base.policy.sampler, **calls).settled(base.policy.process)
            config, teacher = in_halves(base, recipe_of(task, asked.recipe), network)
            cells.append(
                Cell(
                    factors={"method": method.label, "network": network or network_name(base)},
                    config=config,
                    trial=replace(trial, sampler=sampler),
                    teacher=teacher,
                )
            )
    return cells


def in_halves(
    config: TrainConfig, recipe_name: str, network: str | None
) -> tuple[TrainConfig, TrainConfig | None]:
    """(what is trained, its teacher): of a method that is distilled, each in half of the time."""
    if not isinstance(config.policy.process, Consistency):
        return config, None
    if config.minutes is not None:
        half = replace(config, minutes=config.minutes / 2)
    else:
        half = replace(config, steps=max(1, config.steps // 2))
    policy = recipe(recipe_name, method=TEACHER, network=network).policy
    return student_training(half, student_config(policy)), replace(half, policy=policy)
