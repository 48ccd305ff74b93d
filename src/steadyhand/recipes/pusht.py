"""Push-T: from the block's nine keypoints, or from pictures; and the finger's position."""

from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError
from steadyhand.nets.encoder_choices import ImageEncoderConfig, ResNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import named_method, named_network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig


def pusht_state(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """Small and fast: what BENCHMARKS.md found to succeed most after minutes of training."""
    return TrainConfig(
        task="pusht",
        prepare=("align", "mirror"),
        observations=("keypoint", "state[:2]"),
        action_relative_to="state[:2]",
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(
            denoiser=named_network(network),
            process=named_method(method),
            # Relative actions have long tails: the quantiles keep them at size one, and clipping
            # at 2 then holds nearly all of them.
            sampler=SamplerConfig(clip=2.0),
            normalisation="quantile",
        ),
        # What looks at each action by itself takes several times as long for a chunk: in minutes on
        # a CPU it learns more from more and smaller steps.
        batch_size=256 if network == "mlp" else 64,
        learning_rate=1e-3,
    )


def pusht_image(method: str = "flow", network: str = "mlp") -> TrainConfig:
    """What a camera sees, 96×96, and where the finger is: a small ResNet, for a CPU or a GPU."""
    return TrainConfig(
        task="pusht:view=96",
        prepare=("mirror",),
        observations=("img", "state[:2]", "last_action"),
        action_relative_to="last_action",
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        policy=PolicyConfig(
            encoder=ImageEncoderConfig(network=ResNetConfig(width=32)),
            denoiser=named_network(network),
            process=named_method(method),
            sampler=SamplerConfig(clip=2.0),
            normalisation="quantile",
        ),
        batch_size=64,
        noises=8,
        learning_rate=5e-4,
    )


def pusht_state_paper(method: str = "ddpm", network: str = "unet-paper") -> TrainConfig:
    """The paper's hyper-parameters (Chi et al. 2023): 65 M parameters, for a GPU and a long time.

    One difference: it trains on all episodes but the held-out ones, the paper on 90 of them.
    """
    transformer = network == "transformer-paper"
    if method != "ddpm":
        raise ConfigurationError(
            f"The paper's recipe is ddpm, not '{method}'. "
            f"Use pusht_state --method {method} --network {network}."
        )
    return TrainConfig(
        task="pusht",
        observations=("keypoint", "state[:2]"),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8, past_rows=1),
        policy=PolicyConfig(
            denoiser=named_network(network),
            process=DDPM(schedule="squared_cosine", train_steps=100, prediction="epsilon"),
            sampler=SamplerConfig(solver="ddpm", steps=100, clip=1.0),
            normalisation="min_max",
        ),
        validation_share=0.02,
        seed=42,
        steps=225_000,
        batch_size=256,
        learning_rate=1e-4,
        # Its Transformer was trained by other numbers than its U-Net.
        warmup_steps=1000 if transformer else 500,
        weight_decay=0.1 if transformer else 1e-6,
        betas=(0.9, 0.95) if transformer else (0.95, 0.999),
        mask_padding=False,
        checkpoint_every=2250,
    )
