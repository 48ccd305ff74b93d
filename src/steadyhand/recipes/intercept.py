"""Intercept from where the robot and the goal are: what latency costs can be seen in a minute."""

from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import named_method, named_network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig


def intercept(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """A goal that moves and turns, demonstrated by a script: who stands still falls behind."""
    denoiser = MLPConfig(width=256) if network == "mlp" else named_network(network)
    return TrainConfig(
        task="intercept",
        observations=("state", "goal"),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        action_relative_to="state",
        policy=PolicyConfig(denoiser=denoiser, process=named_method(method)),
        demonstrations=500,
        steps=3000,
        learning_rate=1e-3,
    )
