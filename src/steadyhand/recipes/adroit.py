"""Adroit's hand from its joints, the door and where they are: people's demonstrations."""

from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import named_method, named_network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig


def adroit(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """A hand of 28 joints opens a door, as people did: --data adroit_door.hdf5."""
    return TrainConfig(
        task="adroit/door",
        observations=("state",),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(denoiser=named_network(network), process=named_method(method)),
        batch_size=256,
        learning_rate=1e-3,
        steps=3000,
    )
