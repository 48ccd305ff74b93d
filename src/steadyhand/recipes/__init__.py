"""Functions that return a `TrainConfig`, one file a task: what was found to work."""

from collections.abc import Callable
from dataclasses import replace

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.recipes.adroit import adroit
from steadyhand.recipes.fork import fork, fork_depth, fork_points
from steadyhand.recipes.intercept import intercept
from steadyhand.recipes.lerobot import lerobot
from steadyhand.recipes.metaworld import metaworld, metaworld_image
from steadyhand.recipes.pusht import pusht_image, pusht_state, pusht_state_paper
from steadyhand.recipes.state import state
from steadyhand.recipes.vla import vla
from steadyhand.runtime.own_file import OwnFunction, own_name, run_file
from steadyhand.tasks import register_task
from steadyhand.training.config import TrainConfig
from steadyhand.values import checked, shown

RECIPES: dict[str, Callable[..., TrainConfig]] = {
    "adroit": adroit,
    "fork": fork,
    "fork_depth": fork_depth,
    "fork_points": fork_points,
    "intercept": intercept,
    "lerobot": lerobot,
    "metaworld": metaworld,
    "metaworld_image": metaworld_image,
    "pusht_image": pusht_image,
    "pusht_state": pusht_state,
    "pusht_state_paper": pusht_state_paper,
    "state": state,
    "vla": vla,
}


@checked
def recipe(name: str, *, method: str | None = None, network: str | None = None) -> TrainConfig:
    """The named recipe, with another method (flow, ddpm, regression) or network (mlp, unet, …).

    `FILE.py:function` is one of your own: the file is run, and whatever task the recipe names is
    registered. Raises `ConfigurationError` with the nearest name for a typo.
    """
    given = {"method": method, "network": network}
    chosen = {key: value for key, value in given.items() if value is not None}
    config: object = found(name)(**chosen)
    if not isinstance(config, TrainConfig):
        raise ConfigurationError(
            f"The recipe {name} answered with {shown(config)}; it returns a TrainConfig."
        )
    task = config.task and register_task(config.task)
    return replace(config, task=task, policy=config.policy.settled())


def found(name: str) -> Callable[..., object]:
    """The function of that name, in here or in a user's file, which is run for it."""
    if (own := own_name(name)) is not None:
        return run_file(own)
    if name not in RECIPES:
        raise ConfigurationError(
            f"{unknown('recipe', name, RECIPES)} Your own is named by its file, as "
            "FILE.py:function."
        )
    return RECIPES[name]


def about(name: str) -> str:
    """What a recipe says of itself, in one line."""
    own = found(name)
    said = (own.called if isinstance(own, OwnFunction) else own).__doc__ or "A recipe of your own."
    return said.strip().splitlines()[0]


__all__ = ["RECIPES", "about", "recipe"]
