"""Any robot from its cameras and state, as LeRobot records them."""

from steadyhand.nets.encoder_choices import ImageEncoderConfig, ResNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import named_method, named_network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig


def lerobot(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """Your own robot, as LeRobot recorded it: every camera, its state, its rate, its action."""
    return TrainConfig(
        # What the robot was told last: chunks begin where the one before left off.
        observations=("last_action", "observation.*"),
        action_relative_to="last_action",
        image_size=(96,),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(
            encoder=ImageEncoderConfig(network=ResNetConfig(width=32)),
            denoiser=named_network(network),
            process=named_method(method),
        ),
        batch_size=64,
        noises=8,
        learning_rate=5e-4,
        steps=10_000,
    )
