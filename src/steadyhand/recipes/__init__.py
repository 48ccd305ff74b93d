"""Functions that return a `TrainConfig`, one file a task: what was found to work."""

from collections.abc import Callable
from dataclasses import replace

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.recipes.fork import fork
from steadyhand.recipes.lerobot import lerobot
from steadyhand.recipes.pusht import pusht_image, pusht_state, pusht_state_paper
from steadyhand.recipes.state import state
from steadyhand.training.config import TrainConfig
from steadyhand.values import checked

RECIPES: dict[str, Callable[..., TrainConfig]] = {
    "fork": fork,
    "lerobot": lerobot,
    "pusht_image": pusht_image,
    "pusht_state": pusht_state,
    "pusht_state_paper": pusht_state_paper,
    "state": state,
}


@checked
def recipe(name: str, *, method: str | None = None, network: str | None = None) -> TrainConfig:
    """The named recipe, with another method (flow, ddpm, regression) or network (mlp, unet, …).

    Raises `ConfigurationError` with the nearest name for a typo.
    """
    if name not in RECIPES:
        raise ConfigurationError(unknown("recipe", name, RECIPES))
    chosen = {"method": method, "network": network}
    config = RECIPES[name](**{key: value for key, value in chosen.items() if value is not None})
    return replace(config, policy=config.policy.settled())


__all__ = ["RECIPES", "recipe"]
