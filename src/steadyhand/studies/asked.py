"""What somebody asks of a study: which task and recipe, how large, on what. And what that comes to:
the configurations and trials of its rows.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.evaluation.acting import Acting
from steadyhand.recipes import recipe
from steadyhand.recipes.methods import METHODS, NETWORKS
from steadyhand.runtime.own_file import own_name
from steadyhand.studies.plan import Trial
from steadyhand.tasks import make_task
from steadyhand.tasks.own import family_of
from steadyhand.tasks.task import shown_by_settings
from steadyhand.training.config import TrainConfig

RECIPES = {
    "fork": "fork",
    "intercept": "intercept",
    "pusht": "pusht_state",
    "metaworld": "metaworld",
    "adroit": "adroit",
}
"""What a task's policies are trained by, unless said otherwise: by its name, or its simulator's."""
USUAL = "fork"
"""What questions are asked of unless a task is named."""
OWN_RECIPE = "state"
"""Those of a task in a user's own file."""
QUICK_STEPS = 0.4
"""Of a recipe's optimiser steps, in a quick study."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A study's settings; None is what its question has by itself."""

    task: str | None = None
    recipe: str | None = None
    method: str | None = None
    network: str | None = None
    quick: bool = False
    seeds: int = 3
    """Of training."""
    episodes: int = 100
    seed_start: int | None = None
    steps: int | None = None
    minutes: float | None = None
    data: Path | None = None
    select: str = ""
    """Which episodes of the data."""
    demonstrations: int | None = None
    device: str = "auto"
    threads: int = 1
    score: str | None = None
    """What rows are judged by."""
    vary: tuple[str, ...] = ()
    """FIELD=A,B,C."""
    acting: Acting = field(default_factory=Acting)
    """What acts on chunks, and how late they are, in every row."""

    def tasks(self, *own: str) -> tuple[str, ...]:
        """The task that is named, or else those of the question."""
        return own if self.task is None else (make_task(self.task).name,)

    def with_task_of_recipe(self) -> "Asked":
        """With the task that a recipe names, where that is another than questions ask of."""
        if self.task is not None or self.recipe is None:
            return self
        own = recipe(self.recipe).task
        return self if own is None or family_of(own) == USUAL else replace(self, task=own)

    def config(self, task: str, *, method: str | None = None, **changes: Any) -> TrainConfig:
        """How a policy for `task` is trained: as its recipe says, but for what is asked, and for
        `changes`, fields of a `TrainConfig`."""
        name = recipe_of(task, self.recipe)
        base = recipe(name, method=method or self.method, network=self.network)
        steps = self.steps or (max(1, round(QUICK_STEPS * base.steps)) if self.quick else None)
        named = own_settings(task, base)
        more = [key for key in shown_by_settings(make_task(named)) if key not in base.observations]
        said = {
            "task": named if self.data is None else _trained_for(base.task, named),
            "observations": (*base.observations, *more),
            "steps": steps,
            "minutes": self.minutes,
            "data": self.data,
            "select": self.select,
            "demonstrations": self.demonstrations,
            "device": self.device,
            "threads": self.threads,
        }
        given = {name: value for name, value in said.items() if value is not None}
        return replace(base, **{**given, **changes})

    def trial(self, task: str, **changes: Any) -> Trial:
        """How policies for `task` are tried, but for `changes`, fields of a `Trial`.

        What is trained on data that is named is trained alike for all settings of a task, and
        shared by whatever tries it in one of them.
        """
        where = None if self.data is None else make_task(task).name
        usual = Trial(
            task=where,
            episodes=self.episodes,
            seed_start=self.seed_start,
            acting=self.acting,
        )
        return replace(usual, **changes)


def recipe_of(task: str, named: str | None = None) -> str:
    """The name of the recipe for a task. Raises `ConfigurationError` where it has none."""
    kind = family_of(task)
    usual = RECIPES.get(kind) or RECIPES.get(kind.partition("/")[0])
    name = named or (OWN_RECIPE if own_name(task) else usual)
    if name is None:
        raise ConfigurationError(
            f"{unknown('task with a recipe:', kind, RECIPES)} Name what its policies are trained "
            "by: --recipe."
        )
    return name


def own_settings(asked: str, config: TrainConfig) -> str:
    """The task asked for; as the recipe has it where nothing is asked of its settings."""
    own = config.task or ""
    return make_task(own if own and family_of(own) == asked else asked).name


def _trained_for(own: str | None, named: str) -> str:
    """The task that a policy is trained for on data that is named: the recipe's own, which shares
    it among its settings, but for another task of a simulator."""
    return own if own and family_of(own) == family_of(named) else named


def method_name(config: TrainConfig) -> str:
    """What the method of a configuration is called, settings aside."""
    return _name(METHODS, config.policy.process)


def network_name(config: TrainConfig) -> str:
    """What its network is called, size aside."""
    return _name(NETWORKS, config.policy.denoiser)


def _name(known: dict[str, Any], value: Any) -> str:
    return next(name for name, one in known.items() if type(one) is type(value))
