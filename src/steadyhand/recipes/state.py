"""Any robot from its state: where to start with one's own demonstrations."""

from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import named_method, named_network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig


def state(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """Your own robot: name its data with --data, what the policy sees with --observations."""
    return TrainConfig(
        observations=("state",),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(denoiser=named_network(network), process=named_method(method)),
        learning_rate=1e-3,
    )
