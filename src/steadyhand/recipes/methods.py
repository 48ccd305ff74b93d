"""Named methods: a process and the sampler that suits it. A recipe takes one by name."""

from steadyhand.diffusion.process import DDPM, Flow, Regression
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.nets.config import PAPER_UNET, MLPConfig, UNetConfig
from steadyhand.policy.config import SamplerConfig

Process = DDPM | Flow | Regression
Denoiser = MLPConfig | UNetConfig

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
}

NETWORKS: dict[str, Denoiser] = {
    "mlp": MLPConfig(),
    "unet": UNetConfig(),
    "unet-paper": PAPER_UNET,
}


def method_parts(name: str) -> tuple[Process, SamplerConfig]:
    """The process and sampler of a named method."""
    if name not in METHODS:
        raise ConfigurationError(
            f"{unknown('method', name, METHODS)} ddpm and flow are the diffusion policies."
        )
    return METHODS[name]


def network_config(name: str) -> Denoiser:
    """The configuration of a named network."""
    if name not in NETWORKS:
        raise ConfigurationError(unknown("network", name, NETWORKS))
    return NETWORKS[name]
