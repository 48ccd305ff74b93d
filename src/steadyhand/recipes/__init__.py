"""Recipes: functions that return a `TrainConfig`, one file a task."""

from collections.abc import Callable

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.recipes.pusht import pusht_state
from steadyhand.training.config import TrainConfig

RECIPES: dict[str, Callable[[str, str], TrainConfig]] = {"pusht_state": pusht_state}


def recipe(name: str, *, method: str = "flow", network: str = "mlp") -> TrainConfig:
    """The named recipe with a method (flow, ddpm, regression) and a network (mlp, unet, …).

    Raises `ConfigurationError` with the nearest name for a typo.
    """
    if name not in RECIPES:
        raise ConfigurationError(unknown("recipe", name, RECIPES))
    return RECIPES[name](method, network)


__all__ = ["RECIPES", "recipe"]
