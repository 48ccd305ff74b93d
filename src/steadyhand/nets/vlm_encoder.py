"""A vision-language model as an encoder: what π₀ and its kind see of the world and of the task.

What a frozen model makes of a picture need not be worked out more than once: it is asked for with
`precompute`, kept by whoever trains, and taken in place of the pictures.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError
from steadyhand.nets.attention import Positions
from steadyhand.nets.shapes import Condition
from steadyhand.nets.vlm import VisionLanguageModel, letterboxed
from steadyhand.spec import PolicySpec

PRECOMPUTED = "precomputed"
"""The name of what `precompute` answered, among observations."""


class VLMEncoder(nn.Module):
    """Cameras, the task and states → condition (B, N, D) and mask (B, N).

    The hidden states of the model, each projected to D numbers, of the latest picture of each
    camera and of the task's tokens; behind them the states, one token a step. The mask leaves out
    where a prompt is shorter than the longest.
    """

    def __init__(self, spec: PolicySpec, model: VisionLanguageModel, width: int) -> None:
        super().__init__()
        self.cameras: Sequence[str] = [feature.name for feature in spec.images]
        strange = [feature for feature in spec.images if feature.shape[2] != 3]
        for feature in (*spec.depths, *spec.points):
            raise ConfigurationError(
                f"A vision-language model sees colour and no {feature.kind}. Leave "
                f"'{feature.name}' out of the observations, or take another encoder: "
                "ImageEncoderConfig."
            )
        if not self.cameras or strange:
            raise ConfigurationError(
                "A vision-language model needs a camera of 3 channels, and the observations are "
                f"{', '.join(f'{f.name} {f.shape}' for f in spec.observations)}."
            )
        self.task = next((f.name for f in spec.observations if f.kind == "task"), None)
        told = [feature for feature in spec.observations if feature.kind == "state"]
        self.states: Sequence[str] = [feature.name for feature in told]
        self.model = model
        self.words = sum(f.size for f in spec.observations if f.name == self.task)
        # Hidden states are large in a few of their numbers, in other ones in each model.
        self.project = nn.Sequential(
            nn.LayerNorm(model.width, elementwise_affine=False), nn.Linear(model.width, width)
        )
        steps = spec.chunking.obs_steps if told else 0
        self.state: nn.Module = nn.Linear(max(sum(f.size for f in told), 1), width)
        self.steps = Positions(max(steps, 1), width, "observations")
        self.condition_shape = (model.tokens(len(self.cameras)) + self.words + steps, width)

    @property
    def precomputed_from(self) -> Sequence[str]:
        """The observations of which `precompute` makes something once and for all, if of any."""
        return [*self.cameras, *([self.task] if self.task else [])] if self.model.frozen else []

    def precompute(
        self, observation: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch tokens features"]:
        """The model's hidden states for the latest step of observations (B, T_o, …)."""
        size = self.model.picture_size
        latest = [observation[name][:, -1].permute(0, 3, 1, 2) for name in self.cameras]
        pictures = torch.stack([letterboxed(seen, size) for seen in latest], dim=1)
        return self.model(pictures, self._prompt(observation, pictures))

    def fingerprint(self) -> str:
        """Of what answers to `precompute` depend on, beside the observations."""
        return self.model.fingerprint()

    def forward(self, observation: Mapping[str, Tensor]) -> tuple[Condition, Tensor]:
        known = PRECOMPUTED in observation
        hidden = observation[PRECOMPUTED] if known else self.precompute(observation)
        tokens = self.project(hidden)
        prompt = self._prompt(observation, tokens)
        seen = torch.ones_like(tokens[:, : tokens.shape[1] - self.words, 0]).bool()
        mask = [seen, prompt >= 0]
        if self.states:
            flat = [observation[name].unsqueeze(-1).flatten(2) for name in self.states]
            states = self.steps(self.state(torch.cat(flat, dim=-1)))
            tokens = torch.cat([tokens, states.to(tokens.dtype)], dim=1)
            mask.append(torch.ones_like(states[..., 0]).bool())
        return tokens, torch.cat(mask, dim=1)

    def load_pretrained(self) -> None:
        """Fetch the weights of the model."""
        self.model.load_pretrained()

    def _prompt(self, observation: Mapping[str, Tensor], like: Tensor) -> Tensor:
        """The tokens of the task (B, K); beyond what the model knows they stand for nothing."""
        if self.task is None:
            return torch.full_like(like.flatten(1)[:, :0], -1).long()
        told = observation[self.task][:, -1].round().long()
        return torch.where(told < self.model.words, told, -1)
