"""What a run that goes on is held against: its data, its optimiser's state, its configuration."""

import warnings
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steadyhand.errors import CheckpointError, UsageError
from steadyhand.policy.normaliser import Normaliser
from steadyhand.policy.policy import Policy
from steadyhand.runtime.card import read_card, read_statistics
from steadyhand.tasks.own import moved
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig

COMPUTES = ("device", "precision", "threads", "compile")
"""What the last bits of the weights depend on, beside the config and the data."""


def as_begun(config: TrainConfig, run: Run) -> TrainConfig:
    """The config with the steps and threads that `run` settled on.

    Raises `UsageError` where anything else differs.
    """
    # What earlier versions stored says the same in other words.
    begun, config = (
        replace(each, policy=each.policy.settled()) for each in (run.read_config(), config)
    )
    if config.minutes is not None:
        config = replace(config, steps=begun.steps, minutes=None)
    if moved(begun.task, config.task):
        begun = replace(begun, task=config.task)
    if config.threads is None:
        config = replace(config, threads=begun.threads)
    # Where the data is and what computes may change.
    changed = [
        name for name in _differing(config, begun) if name not in {"data", "teacher", *COMPUTES}
    ]
    if changed:
        raise UsageError(
            f"{run.path} was begun with another {', '.join(changed)}, and a resumed run keeps its "
            "own. Pass the config it was begun with, or start a new run with another out."
        )
    return config


def _differing(one: Any, other: Any, within: str = "") -> Iterator[str]:
    """The names of the fields in which two configurations differ, as policy.sampler.steps."""
    if type(one) is not type(other) or not is_dataclass(one):
        yield from () if one == other else (within,)
        return
    for field in fields(one):
        name = f"{within}.{field.name}" if within else field.name
        yield from _differing(getattr(one, field.name), getattr(other, field.name), name)


def warn_of_change(config: TrainConfig, run: Run, *, stacklevel: int) -> None:
    """Warn where something else computes now."""
    begun = run.read_config()
    changed = [
        f"{name} {now} instead of {before}"
        for name in COMPUTES
        if (now := getattr(config, name)) != (before := getattr(begun, name))
        and before not in (None, "auto")
    ]
    if changed:
        warnings.warn(
            f"{run.path} goes on with {', '.join(changed)}: its weights will not be the same to "
            "the last bit as without the interruption.",
            stacklevel=stacklevel + 1,
        )


def check_data(policy: Policy, where: Path, source: str | None) -> None:
    """Raise `CheckpointError` where the demonstrations are not those of the checkpoint."""
    trained_on, ours = read_statistics(where, read_card(where)), policy.normaliser
    for name, found in ours.statistics.items():
        if name not in trained_on or not found.agrees(trained_on[name]):
            raise CheckpointError(
                f"The numbers of '{name}' in {source} are not those that {where} was "
                "trained on. Resume with the same data, or start a new run."
            )
    features, how = policy.spec.normalised, ours.normalisation
    if not ours.equals(Normaliser(features, trained_on, how, tasks=ours.tasks)):
        raise CheckpointError(
            f"{where} was trained by an older version, which normalised some of its numbers "
            "otherwise: it can be evaluated, and not resumed. Start a new run with another --out."
        )


def optimiser_state(
    policy: Policy, optimiser: torch.optim.Optimizer, kept: dict[str, Tensor], where: Path
) -> dict[nn.Parameter, dict[str, Tensor]]:
    """What AdamW keeps of each parameter, out of a checkpoint, on its device.

    Raises `CheckpointError` where it does not fit.
    """
    # The count of steps is on the device if the optimiser is fused, else with the host.
    count = policy.device if optimiser.defaults["fused"] else torch.device("cpu")
    places = {"step": count, "exp_avg": policy.device, "exp_avg_sq": policy.device}
    state: dict[nn.Parameter, dict[str, Tensor]] = {}
    for name, parameter in policy.named_parameters():
        held = {key: kept[f"{key}.{name}"] for key in places if f"{key}.{name}" in kept}
        for key, value in held.items():
            fits = torch.Size() if key == "step" else parameter.shape
            if value.shape != fits or not value.is_floating_point():
                raise CheckpointError(
                    f"What {where} keeps for resuming does not fit: '{key}.{name}' has shape "
                    f"{tuple(value.shape)}. Use another checkpoint."
                )
        state[parameter] = {key: value.to(places[key]) for key, value in held.items()}
    return state
