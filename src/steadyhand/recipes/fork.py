"""Fork from the robot's position: the first policy anybody trains here, in a minute."""

from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import named_method, named_network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig


def fork(method: str = "ddpm", network: str = "mlp") -> TrainConfig:
    """Two ways around an obstacle, demonstrated by a script: what regression cannot do."""
    denoiser = MLPConfig(width=256) if network == "mlp" else named_network(network)
    return TrainConfig(
        task="fork",
        observations=("state",),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(denoiser=denoiser, process=named_method(method)),
        steps=2500,
        learning_rate=1e-3,
    )
