"""Push-T from low-dimensional state: the block's nine keypoints and the finger's position."""

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
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(denoiser=network(network_name), process=process, sampler=sampler),
    )
