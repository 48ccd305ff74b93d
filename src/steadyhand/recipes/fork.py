"""Fork from the robot's position: the first policy anybody trains here, in a minute.

And the same where the goal is seen from above alone, in depth or in points.
"""

from steadyhand.nets.choices import MLPConfig
from steadyhand.nets.encoder_choices import ImageEncoderConfig, PointNetConfig, ResNetConfig
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


def fork_depth(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """The same with a goal anywhere along the far side, which only depth from above shows."""
    small = ResNetConfig(width=16, blocks=(1, 1))
    # All of the picture: where the goal is in the world is where it is in the picture.
    encoder = ImageEncoderConfig(network=small, keypoints=16, features=32, crop=1.0)
    return _seen("fork:goal=depth", "depth", encoder, method, network)


def fork_points(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """The same with a goal anywhere along the far side, which only a cloud of points shows."""
    cloud = PointNetConfig(points=128, widths=(32, 64, 128))
    encoder = ImageEncoderConfig(cloud=cloud, features=32)
    return _seen("fork:goal=points", "cloud", encoder, method, network)


def _seen(
    task: str, name: str, encoder: ImageEncoderConfig, method: str, network: str
) -> TrainConfig:
    denoiser = MLPConfig(width=128, blocks=2) if network == "mlp" else named_network(network)
    return TrainConfig(
        task=task,
        observations=("state", name),
        chunking=Chunking(obs_steps=1, horizon=16, execute=8),
        policy=PolicyConfig(encoder=encoder, denoiser=denoiser, process=named_method(method)),
        demonstrations=300,
        batch_size=64,
        noises=4,
        steps=3500,
        learning_rate=1e-3,
    )
