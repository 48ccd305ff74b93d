"""Recipes for tests: a small network, and whatever studies must not lose."""

from dataclasses import replace

import steadyhand as sh
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.nets.choices import MLPConfig
from steadyhand.training.config import TrainConfig


def small(method: str = "ddpm", network: str = "mlp") -> TrainConfig:
    """Trained in no time."""
    config = sh.recipe("fork", method=method, network=network)
    policy = replace(config.policy, denoiser=MLPConfig(width=8, blocks=1))
    return replace(config, policy=policy, batch_size=8, steps=12, precision="float32")


def with_past(method: str = "ddpm", network: str = "mlp") -> TrainConfig:
    """Chunks begin at the first observation."""
    chunking = sh.Chunking(obs_steps=2, horizon=9, execute=8, past_rows=1)
    return replace(small(method, network), chunking=chunking)


def few_levels(method: str = "ddpm", network: str = "mlp") -> TrainConfig:
    """Of 50 noise levels."""
    config = small(method, network)
    return replace(config, policy=replace(config.policy, process=DDPM(train_steps=50)))
