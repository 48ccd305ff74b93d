"""A vision-language-action model: what π₀ is made of, for any robot that is told its task."""

from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.nets.choices import DiTConfig
from steadyhand.nets.vlm_choices import VLMEncoderConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes.methods import named_method, named_network
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig

PI0 = Flow(prediction="sample", weighting="velocity", time_sampling="beta")
"""π₀'s flow: its times, and its loss, of a network that is asked for clean actions."""


def vla(method: str = "flow", network: str = "dit") -> TrainConfig:
    """A vision-language model sees and is told the task in words; --encoder.source names it."""
    flow = method == "flow"
    return TrainConfig(
        observations=("observation.*", "task"),
        image_size=(224,),
        # It sees the present alone, as π₀ does.
        chunking=Chunking(obs_steps=1, horizon=16, execute=8),
        policy=PolicyConfig(
            encoder=VLMEncoderConfig(),
            denoiser=DiTConfig(positions=False) if network == "dit" else named_network(network),
            process=PI0 if flow else named_method(method),
            sampler=SamplerConfig(steps=10) if flow else SamplerConfig(),
        ),
        batch_size=64,
        noises=4,
        learning_rate=5e-4,
        steps=10_000,
    )
