"""Named methods and networks: a recipe takes one of each by name."""

from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
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
from steadyhand.policy.config import DenoiserConfig, Method

# Networks answer with clean actions, weighed as errors in velocity: on Push-T this learns many
# times faster than epsilon or velocity themselves (BENCHMARKS.md).
METHODS: dict[str, Method] = {
    "flow": Flow(prediction="sample", weighting="velocity"),
    "ddpm": DDPM(prediction="sample", weighting="velocity"),
    "regression": Regression(),
    "gaussian": Gaussian(),
    "mixture": Mixture(),
    "bins": Bins(),
    "mip": MIP(),
    "consistency": Consistency(path_of=Flow(prediction="sample")),
    "shortcut": Shortcut(),
}

NETWORKS: dict[str, DenoiserConfig] = {
    "mlp": MLPConfig(),
    "unet": UNetConfig(),
    "transformer": TransformerConfig(),
    "dit": DiTConfig(),
    "unet-paper": PAPER_UNET,
    "transformer-paper": PAPER_TRANSFORMER,
}


def named_method(name: str) -> Method:
    """The method of that name."""
    if name not in METHODS:
        raise ConfigurationError(
            f"{unknown('method', name, METHODS)} ddpm and flow are the diffusion policies."
        )
    return METHODS[name]


def named_network(name: str) -> DenoiserConfig:
    """The configuration of the network of that name."""
    if name not in NETWORKS:
        raise ConfigurationError(unknown("network", name, NETWORKS))
    return NETWORKS[name]
