"""The configuration of an encoder by a vision-language model, as recipes name it. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.sizes import Depth, Width
from steadyhand.spec import PolicySpec
from steadyhand.values import at_least, at_most, checked

if TYPE_CHECKING:
    from steadyhand.nets.vlm_encoder import VLMEncoder

Tokens = tuple[int, ...]


@checked
@dataclass(frozen=True, kw_only=True)
class VLMEncoderConfig:
    """Cameras and the task through a vision-language model, beside the states."""

    called = "vision-language model"

    source: str = "HuggingFaceTB/SmolVLM2-256M-Video-Instruct"
    """A folder with a model of transformers, or its name on the hub; read when training begins."""
    layers: Depth | None = None
    """Layers of its language model that are asked; all of them, and the last norm, unless given."""
    trained_layers: Annotated[int, at_least(0), at_most(1_024)] = 0
    """How many of the last of them are trained; with 0 each picture is looked at only once."""
    width: Width = 256
    """Numbers of each token of the condition."""
    prompt: Width = 48
    """Tokens that the text of a task may have."""
    architecture: str = ""
    """Its configuration as JSON; filled in from `source` when training begins."""
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Mean of the pictures it was trained on, filled in with the architecture."""
    deviation: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Their standard deviation."""
    before: Tokens = ()
    """Tokens before all pictures, filled in with the architecture."""
    opening: Tokens = ()
    """Tokens before each picture."""
    closing: Tokens = ()
    """Tokens after each picture."""

    def settled(self) -> VLMEncoderConfig:
        """With the architecture read from `source`. Raises `ConfigurationError` where it cannot."""
        if self.architecture:
            return self
        from steadyhand.nets.vlm_architecture import describe

        return replace(self, **describe(self.source, self.layers))

    def task_vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What says which task it is, (n, prompt): the tokens of each text, -1 behind the last.

        They are made by the tokenizer of `source`, for what a user names and never for what a
        policy's file says. Raises `ConfigurationError` for a text that is too long.
        """
        from steadyhand.nets.vlm_architecture import prompts

        known = self.settled()
        found = prompts(list(texts), self.source, known.architecture, self.prompt)
        return np.array(found, np.float32).reshape(-1, self.prompt)

    def build(self, spec: PolicySpec) -> VLMEncoder:
        """The encoder for `spec`, untrained; `settled` comes first. It is given whole tokens as
        floats in the observation of kind "task", if there is one."""
        from steadyhand.nets.vlm import VisionLanguageModel
        from steadyhand.nets.vlm_encoder import VLMEncoder

        if not self.architecture:
            raise ConfigurationError(
                "This model has no architecture yet: use build_policy, which reads it from "
                f"'{self.source}'. A policy's file never fetches one."
            )
        own = {key: value for key, value in vars(self).items() if key not in ("width", "prompt")}
        return VLMEncoder(spec, VisionLanguageModel(**own), self.width)
