"""Push-T from low-dimensional state: the block's nine keypoints and the finger's position."""

from dataclasses import replace

from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import method, network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig


def pusht_state(method_name: str = "flow", network_name: str = "mlp") -> TrainConfig:
    """Low-dimensional Push-T, as `pusht_state` on the command line."""
    process, sampler = method(method_name)
    return TrainConfig(
        task="pusht",
        prepare=("align", "mirror"),
        observations=("keypoint", "state[:2]"),
        action_relative_to="state[:2]",
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(
            denoiser=network(network_name),
            process=process,
            # Relative actions have long tails: the quantiles keep them at size one, and clipping
            # at 2 then holds nearly all of them.
            sampler=replace(sampler, clip=2.0),
            normalisation="quantile",
        ),
        learning_rate=1e-3,
    )
