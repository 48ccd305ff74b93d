"""Observation encoders: what the robot senses → the condition the denoiser is given."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError
from steadyhand.spec import PolicySpec


class StateEncoder(nn.Module):
    """Normalised states, each (B, T_o, …), flattened and joined → condition (B, T_o, D).

    It learns nothing: low-dimensional state needs no more. Images need another encoder.
    """

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        images = [feature.name for feature in spec.observations if feature.kind == "image"]
        if images:
            raise ConfigurationError(
                f"StateEncoder cannot see the image '{images[0]}'. Leave it out of `observations`."
            )
        self.names: Sequence[str] = [feature.name for feature in spec.observations]
        width = sum(feature.size for feature in spec.observations)
        self.condition_shape = (spec.chunking.obs_steps, width)

    def forward(self, observation: Mapping[str, Tensor]) -> Float[Tensor, "batch tokens features"]:
        # A single number a step, (B, T_o), becomes one feature.
        flat = (observation[name].unsqueeze(-1).flatten(2) for name in self.names)
        return torch.cat(list(flat), dim=-1)
