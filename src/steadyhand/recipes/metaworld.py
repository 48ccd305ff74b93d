"""Meta-World's arm: from its own numbers, or from a picture and where the hand is."""

from steadyhand.nets.encoder_choices import ImageEncoderConfig, ResNetConfig
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


def metaworld_image(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """The same arm from a camera, 64×64, its hand and its gripper: a small ResNet."""
    return TrainConfig(
        task="metaworld/door-open-v3:view=64,camera=corner3",
        demonstrations=50,
        observations=("state[:4]", "img"),
        chunking=Chunking(obs_steps=1, horizon=16, execute=8),  # where it is says all, here
        policy=PolicyConfig(
            encoder=ImageEncoderConfig(network=ResNetConfig(width=16)),
            denoiser=named_network(network),
            process=named_method(method),
        ),
        batch_size=64,
        noises=8,
        steps=2_500,
        learning_rate=1e-3,
    )
