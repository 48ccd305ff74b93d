"""Recipes build what they say, with every method and network."""

import numpy as np
import pytest

from steadyhand.data import Episodes
from steadyhand.errors import ConfigurationError
from steadyhand.recipes import RECIPES, recipe
from steadyhand.recipes.methods import METHODS, NETWORKS
from steadyhand.training.train import build_policy


@pytest.fixture(scope="module")
def demonstrations() -> Episodes:
    random = np.random.default_rng(0)
    shapes = {"state": (5,), "keypoint": (9, 2), "action": (2,)}
    arrays = {k: random.uniform(0, 512, (60, *s)).astype(np.float32) for k, s in shapes.items()}
    return Episodes(arrays, np.array([30, 60]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", [name for name in NETWORKS if "paper" not in name])
def test_every_method_with_every_network(method, network, demonstrations) -> None:
    policy = build_policy(recipe("pusht_state", method=method, network=network), demonstrations)
    assert policy.spec.action_relative_to == "state[:2]"
    assert policy.sampler.steps == {"flow": 5, "ddpm": 10, "mip": 2}.get(method, 1)


def test_the_papers_hyper_parameters(demonstrations) -> None:
    config = recipe("pusht_state_paper")
    policy = build_policy(config, demonstrations)
    assert sum(p.numel() for p in policy.parameters()) == pytest.approx(65.8e6, rel=1e-3)
    assert policy.spec.chunking.past_rows == 1
    assert policy.sampler.steps == 100
    assert policy.sampler.stochastic
    with pytest.raises(ConfigurationError, match="recipe is ddpm, not 'flow'"):
        recipe("pusht_state_paper", method="flow")


def test_the_papers_transformer_is_trained_as_it_was(demonstrations) -> None:
    config = recipe("pusht_state_paper", network="transformer-paper")
    policy = build_policy(config, demonstrations)
    assert sum(p.numel() for p in policy.parameters()) == pytest.approx(9.0e6, rel=0.01)
    assert (config.weight_decay, config.betas, config.warmup_steps) == (0.1, (0.9, 0.95), 1000)


def test_recipes_say_what_they_are() -> None:
    for make in RECIPES.values():
        assert make.__doc__


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_says_how_it_is_sampled(method) -> None:
    """So that help shows it, and a later default changes no run that was begun."""
    sampler = recipe("state", method=method).policy.sampler
    assert sampler.steps == {"flow": 5, "ddpm": 10, "mip": 2}.get(method, 1)
    assert (sampler.solver is None) == (method in ("gaussian", "mixture", "bins", "shortcut"))
