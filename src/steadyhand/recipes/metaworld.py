"""Meta-World's arm from its own numbers: the hand, the objects, the goal."""

from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import named_method, named_network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig


def metaworld(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """A simulated Sawyer arm, any of Meta-World's 50 tasks: --task metaworld/NAME."""
    return TrainConfig(
        task="metaworld/reach-v3",
        demonstrations=50,
        # Without the state of a tick ago, which Meta-World adds and two observations hold.
        observations=("state[:18]", "state[36:39]"),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(denoiser=named_network(network), process=named_method(method)),
        steps=5_000,
        learning_rate=1e-3,
    )
