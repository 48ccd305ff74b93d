"""What a policy sees and does, from a config and from what was recorded."""

from steadyhand.data import Episodes
from steadyhand.data.meaning import is_action, understood
from steadyhand.data.tasks import texts_of
from steadyhand.errors import ConfigurationError
from steadyhand.spec import LAST_ACTION, TASK, PolicySpec, parse_name
from steadyhand.task_table import TaskTable
from steadyhand.training.config import TrainConfig


def specification(config: TrainConfig, episodes: Episodes) -> PolicySpec:
    """The specification of a policy for these episodes.

    Raises `ConfigurationError` for features that were not recorded, are neither colour nor a state,
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
    tasks = _tasks(config, episodes) if words else None
    return PolicySpec.select(
        episodes.shapes,
        observations=observations,
        action=config.action,
        chunking=config.chunking,
        rate_hz=episodes.rate_hz,
        action_relative_to=config.action_relative_to,
        image_size=config.image_size,
        tasks=tasks,
    )


def _tasks(config: TrainConfig, episodes: Episodes) -> TaskTable:
    """What the policy can be told to do: the tasks of the data, each with its vector."""
    texts = texts_of(episodes)
    return TaskTable.of(texts, config.policy.encoder.task_vectors(texts))


def _require_action(episodes: Episodes, action: str) -> None:
    """Raise `ConfigurationError` where it is not there, naming what may be meant."""
    key = parse_name(action)[0]
    if key in episodes.left_out:
        episodes.require(key)
    if key in episodes.arrays:
        return
    near = [name for name in episodes.arrays if is_action(name)]
    way_on = f"Name what the policy does with --action: {', '.join(episodes.arrays)}."
    if near:
        way_on = f"It has {', '.join(near)}: give --action {near[0]}."
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
        raise ConfigurationError(
            f"Nothing in {episodes.path or 'the data'} begins with '{begin}'. Name what the policy "
            f"sees with --observations: {', '.join(shapes)}."
        )
    return tuple(sorted(found, key=lambda key: (len(shapes[key]), key)))
