"""What a policy sees and does, from a config and from what was recorded."""

import shlex
from dataclasses import replace

import numpy as np

from steadyhand.actions import ActionPart, parse_parts
from steadyhand.data import Episodes
from steadyhand.data.idle import says_motion
from steadyhand.data.kinds.depth_range import depth_range
from steadyhand.data.kinds.meaning import is_action, understood
from steadyhand.data.tasks import texts_of
from steadyhand.errors import ConfigurationError
from steadyhand.spec import LAST_ACTION, TASK, Feature, PolicySpec, parse_name
from steadyhand.task_table import TaskTable
from steadyhand.training.config import TrainConfig

SIMULATORS = ("states", "env_states/")
"""How what a simulator restores itself from is called by those that record in one."""


def specification(
    config: TrainConfig, episodes: Episodes, known: TaskTable | None = None
) -> PolicySpec:
    """The specification of a policy for these episodes; `known` are its tasks, if they are.

    Raises `ConfigurationError` for features that were not recorded, are none that is read,
    or do not fit together.
    """
    episodes = understood(episodes)
    _require_action(episodes, config.action)
    longest = int(episodes.lengths.max())
    if config.chunking.horizon > longest:
        raise ConfigurationError(
            f"A chunk of {config.chunking.horizon} actions is longer than every episode (the "
            f"longest has {longest} steps), so its end would never be learned. Choose "
            f"--chunking.horizon and --chunking.execute of at most {longest}."
        )
    key, columns = parse_name(config.action)
    named = (*config.observations, config.action_relative_to or "")
    if columns != slice(None) and any(name.startswith(LAST_ACTION) for name in named):
        raise ConfigurationError(
            f"A policy that predicts only '{config.action}' is told only that, and {LAST_ACTION} "
            f"stands for all of '{key}'. Predict all of it, or record what it predicts by itself."
        )
    observations = tuple(
        key for name in config.observations for key in _matching(episodes, name, config.action)
    )
    for name in observations:
        if parse_name(name)[0] in episodes.left_out:
            episodes.require(name)
    # A number that was recorded under that name stays one.
    words = TASK in observations and TASK not in episodes.arrays
    spec = PolicySpec.select(
        episodes.shapes,
        observations=observations,
        action=config.action,
        chunking=config.chunking,
        rate_hz=episodes.rate_hz,
        action_relative_to=config.action_relative_to,
        action_parts=_parts(config, episodes),
        image_size=config.image_size,
        tasks=(known or _tasks(config, episodes)) if words else None,
        kinds=episodes.kinds,
    )
    return replace(
        spec, observations=tuple(_ranged(f, config, episodes) for f in spec.observations)
    )


def _ranged(feature: Feature, config: TrainConfig, episodes: Episodes) -> Feature:
    """Depth with the range that a policy tells apart: what is named, or else of the data."""
    if feature.kind != "depth":
        return feature
    named = getattr(config.policy.encoder, "depth_range", ())
    return replace(feature, range=tuple(named) or depth_range(episodes, feature.key))


def _tasks(config: TrainConfig, episodes: Episodes) -> TaskTable:
    """What the policy can be told to do: the tasks of the data, each with its vector."""
    texts = texts_of(episodes)
    return TaskTable.of(texts, config.policy.encoder.task_vectors(texts))


def _parts(config: TrainConfig, episodes: Episodes) -> tuple[ActionPart, ...]:
    """The parts of the action, the values of grippers taken from what was recorded."""
    parts = parse_parts(config.action_parts)
    return tuple(
        replace(part, levels=_levels(part, config.action, episodes))
        if part.kind == "gripper" and part.levels is None
        else part
        for part in parts
    )


def _levels(part: ActionPart, action: str, episodes: Episodes) -> tuple[float, float] | None:
    """The two values in a gripper's column; None where there is no such column."""
    told = episodes.read(Feature.select(action, episodes.shapes))
    if told.ndim != 2 or part.start >= told.shape[1]:
        return None
    found = np.unique(told[:, part.start])
    if len(found) != 2:
        low, high = float(found[0]), float(found[-1])
        way_on = (
            f"Name the two of them that it is told, as {part.columns}=gripper:{low:g}..{high:g}"
        )
        if low == high:
            way_on = f"Name both, as {part.columns}=gripper:{low:g}..{low + 1:g}"
        raise ConfigurationError(
            f"Column {part.columns} of '{action}' has {len(found)} value{'s' * (len(found) > 1)}, "
            f"and a gripper two. {way_on}, or leave it as it is: a number."
        )
    return float(found[0]), float(found[1])


def _require_action(episodes: Episodes, action: str) -> None:
    """Raise `ConfigurationError` where it is not there, naming what may be meant."""
    key = parse_name(action)[0]
    if key in episodes.left_out:
        episodes.require(key)
    if key in episodes.arrays:
        return
    near = [name for name in episodes.arrays if is_action(name)]
    flat = [name for name in episodes.arrays if episodes.kind(name) == "state"]
    way_on = f"Name what the policy does with --action: {', '.join(flat)}."
    if near:
        way_on = f"It has {', '.join(near)}: give --action {near[0]}."
    elif episodes.path is not None:
        path = shlex.quote(str(episodes.path))
        way_on += (
            " Or make it the pose of the next step, as UMI does: steadyhand convert "
            f"{path} OUT --map guess prints the command."
        )
    raise ConfigurationError(f"{episodes.path or 'The data'} has no '{key}' to predict. {way_on}")


def _matching(episodes: Episodes, name: str, action: str) -> tuple[str, ...]:
    """The features that a name with a star stands for, numbers before pictures; or the name."""
    if not name.endswith("*"):
        return (name,)
    shapes, begin = episodes.shapes, name.removesuffix("*")
    found = [key for key in shapes if key.startswith(begin) and key != action]
    if not found:
        for key in episodes.left_out:
            if key.startswith(begin):
                episodes.require(key)
        seen = _seen(episodes, action)
        as_in = f", as in --observations {shlex.join([LAST_ACTION, *seen])}" if seen else ""
        raise ConfigurationError(
            f"Nothing in {episodes.path or 'the data'} begins with '{begin}'. Name what the policy "
            f"sees{as_in or ' with --observations'}. There are: {', '.join(shapes)}."
        )
    return tuple(sorted(found, key=lambda key: (len(shapes[key]), key)))


def _seen(episodes: Episodes, action: str) -> list[str]:
    """What a robot is likely to see: cameras, and numbers that tell motion, but for a simulator's
    own state."""
    pictured = [key for key in episodes.arrays if episodes.kind(key) != "state"]
    moving = [key for key in episodes.arrays if says_motion(episodes, key) and not is_action(key)]
    robots = [key for key in moving if not key.startswith(SIMULATORS)] or moving
    return [key for key in [*robots, *pictured] if key != action and "action" not in key.lower()]
