"""What is looked at before hours are spent: the numbers trained on, and the task they belong to."""

from steadyhand.cli.screen import console, show
from steadyhand.data import Episodes, inspect_episodes
from steadyhand.errors import ConfigurationError, MissingExtraError
from steadyhand.spec import LAST_ACTION, PolicySpec
from steadyhand.tasks import Task

TOLD = ("outliers", "rounding", "echo", "rate", "jump", "late", "tasks", "black", "frozen", "video")
"""Kinds of problems that are worth a look before hours of training."""


def warn_of_problems(episodes: Episodes, spec: PolicySpec, normalisation: str) -> None:
    """Say what `inspect` would find in the numbers that are trained on."""
    for problem in inspect_episodes(episodes, spec=spec, normalisation=normalisation):
        if problem.kind in TOLD:
            show(console(), f"Problem: {problem.message}")


def check_task(task: Task, spec: PolicySpec) -> None:
    """Compare what the task shows with what the policy is to see.

    Raises `ConfigurationError` where they do not fit; what is shown and not seen is only told.
    """
    try:
        seen = task.make().reset(task.first_seed)
    except MissingExtraError:
        return  # trained here, evaluated elsewhere
    try:
        spec.check_observation(seen)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"The data does not fit the task {task.name}, in which the policy is to be evaluated. "
            f"{error} Name the data's own task with --task, or none with the recipe 'state'."
        ) from None
    unseen = sorted(seen.keys() - {LAST_ACTION, *(feature.key for feature in spec.observations)})
    if unseen:
        text = f"{task.name} also shows {', '.join(unseen)}, which this policy does not see."
        show(console(), f"{text} --observations names what it sees.")
