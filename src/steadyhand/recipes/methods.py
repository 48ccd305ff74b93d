"""Named methods: a process and the sampler that suits it. A recipe takes one by name."""

from steadyhand.diffusion.process import DDPM, Flow
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.methods.choices import Bins, Consistency, Gaussian, Mixture, Shortcut
from steadyhand.methods.mip import MIP
from steadyhand.methods.regression import Regression
from steadyhand.nets.choices import (
    PAPER_TRANSFORMER,
    PAPER_UNET,
    DiTConfig,
    MLPConfig,
    TransformerConfig,
    UNetConfig,
)
from steadyhand.policy.config import DenoiserConfig, Process

# Networks answer with clean actions, weighed as errors in velocity: on Push-T this learns many
# times faster than epsilon or velocity themselves (BENCHMARKS.md).
METHODS: dict[str, tuple[Process, SamplerConfig]] = {
    "flow": (
        Flow(prediction="sample", weighting="velocity"),
        SamplerConfig(solver="euler", steps=5),
    ),
    "ddpm": (
        DDPM(prediction="sample", weighting="velocity"),
        SamplerConfig(solver="ddim", steps=10),
    ),
    "regression": (Regression(), SamplerConfig(solver="ddim", steps=1)),
    "gaussian": (Gaussian(), SamplerConfig(steps=1)),
    "mixture": (Mixture(), SamplerConfig(steps=1)),
    "bins": (Bins(), SamplerConfig(steps=1)),
    "mip": (MIP(), SamplerConfig(solver="noiseless", steps=2)),
    "consistency": (
        Consistency(path_of=Flow(prediction="sample")),
        SamplerConfig(solver="renoise", steps=1),
    ),
    "shortcut": (Shortcut(), SamplerConfig(steps=1)),
}

NETWORKS: dict[str, DenoiserConfig] = {
    "mlp": MLPConfig(),
    "unet": UNetConfig(),
    "transformer": TransformerConfig(),
    "dit": DiTConfig(),
    "unet-paper": PAPER_UNET,
    "transformer-paper": PAPER_TRANSFORMER,
}


def method_parts(name: str) -> tuple[Process, SamplerConfig]:
    """The process and sampler of a named method."""
    if name not in METHODS:
        raise ConfigurationError(
            f"{unknown('method', name, METHODS)} ddpm and flow are the diffusion policies."
        )
    return METHODS[name]


def network_config(name: str) -> DenoiserConfig:
    """The configuration of a named network."""
    if name not in NETWORKS:
        raise ConfigurationError(unknown("network", name, NETWORKS))
    return NETWORKS[name]
