"""Features under other names, and sets without some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TypeVar

from steadyhand.data.episodes import Episodes
from steadyhand.data.tasks import COUNTER
from steadyhand.errors import ConfigurationError, unknown

V = TypeVar("V")


def renamed(episodes: Episodes, names: Mapping[str, str]) -> Episodes:
    """The features of the old names under new ones, in their places.

    Raises `ConfigurationError` for one that is not there, and where two would be called alike.
    """
    for old in names:
        episodes.require(old) if old in episodes.left_out else _require(episodes, old)
    after = [names.get(key, key) for key in episodes.arrays]
    twice = sorted({name for name in after if after.count(name) > 1})
    if twice:
        both = " and ".join(key for key in episodes.arrays if names.get(key, key) == twice[0])
        raise ConfigurationError(
            f"Two features would be called '{twice[0]}': {both}. Give each its own name, or leave "
            "one out with --drop."
        )

    def moved(values: Mapping[str, V]) -> dict[str, V]:
        return {names.get(key, key): value for key, value in values.items()}

    return replace(
        episodes,
        arrays=moved(episodes.arrays),
        names=moved(episodes.names),
        kinds=moved(episodes.kinds),
        tasks=() if COUNTER in names else episodes.tasks,
    )


def dropped(episodes: Episodes, patterns: Sequence[str]) -> Episodes:
    """Without the features of these names; `camera.*` is all that begin so.

    Raises `ConfigurationError` for a name that nothing has.
    """
    gone = set[str]()
    for pattern in patterns:
        found = {key for key in episodes.arrays if fnmatchcase(key, pattern)}
        if not found:
            _require(episodes, pattern)
        gone |= found
    arrays = {key: array for key, array in episodes.arrays.items() if key not in gone}
    if not arrays:
        raise ConfigurationError("Nothing would be left: all features are to be dropped.")
    tasks = () if COUNTER in gone else episodes.tasks
    return replace(episodes, arrays=arrays, tasks=tasks)


def _require(episodes: Episodes, key: str) -> None:
    if key not in episodes.arrays:
        raise ConfigurationError(unknown("feature", key, episodes.arrays))
