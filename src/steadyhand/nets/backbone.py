"""Vision backbones of `transformers` as networks from pictures to a map of features.

A policy's file holds the backbone's architecture and its weights, and never where they came from
alone: loading one fetches nothing and runs no code of its author's.
"""

import inspect
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from steadyhand.errors import ConfigurationError, library
from steadyhand.nets.architecture import TOKENS, offline, read_architecture


class Backbone(nn.Module):
    """Pictures (B, 3, h, w) in ±1 to a map of features (B, D, rows, columns); of gray and depth,
    (B, 1, h, w), it sees the one channel three times.
    """

    def __init__(
        self,
        architecture: str,
        *,
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        frozen: bool,
        size: tuple[int, int],
        source: str = "",
    ) -> None:
        super().__init__()
        transformers = library("transformers")
        if len(mean) != 3 or len(deviation) != 3 or not min(deviation) > 0:
            raise ConfigurationError(
                f"A backbone's pictures have three means and three deviations above 0, not {mean} "
                f"and {deviation}."
            )
        kind, settings = read_architecture(architecture)
        try:
            with offline():
                config = transformers.AutoConfig.for_model(kind, **settings)
                self.network: nn.Module = transformers.AutoModel.from_config(
                    config, trust_remote_code=False
                )
        except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
            raise ConfigurationError(
                f"The backbone '{kind}' cannot be built ({error}). It may "
                "need another version of transformers."
            ) from error
        # Where the places of patches were learned for another size, they are interpolated.
        takes = inspect.signature(self.network.forward).parameters
        flag = "interpolate_pos_encoding"
        self._options = {flag: True} if flag in takes else {}
        self.frozen, self.source = frozen, source
        for parameter in self.network.parameters():
            parameter.requires_grad_(not frozen)
        # Pictures are in ±1 here, in 0…1 less the mean over the deviation where it was trained.
        middle, size_of_one = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, deviation))
        self.register_buffer("scale", 0.5 / size_of_one, persistent=False)
        self.register_buffer("offset", (0.5 - middle) / size_of_one, persistent=False)
        self._grid = _grid(kind, config.patch_size, size) if kind in TOKENS else None
        try:
            seen = self._answer_shape((2, 3, *size))
        except (ValueError, RuntimeError) as error:
            raise ConfigurationError(
                f"{kind} does not take pictures of {size[0]}×{size[1]} ({error})."
            ) from error
        self.features, self._map = seen[1], (seen[2], seen[3])

    def map_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the map of pictures of the size that it was built for."""
        return self._map

    def _answer_shape(self, shape: tuple[int, ...]) -> torch.Size:
        """The shape of what it makes of pictures of that shape, known without computing it."""
        held = chain(self.named_parameters(), self.named_buffers())
        meta = {name: values.detach().to("meta") for name, values in held}
        return functional_call(self, meta, torch.empty(shape, device="meta")).shape

    def load_pretrained(self) -> None:
        """Take the weights of the model at `source`, a folder or on the hub; safetensors only."""
        kind: Any = type(self.network)
        try:
            found = kind.from_pretrained(
                self.source,
                config=self.network.config,
                use_safetensors=True,
                trust_remote_code=False,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigurationError(
                f"The weights of '{self.source}' cannot be read ({str(error).splitlines()[0]}). It "
                "needs a model.safetensors."
            ) from error
        self.network.load_state_dict(found.state_dict())

    def train(self, mode: bool = True) -> "Backbone":
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self

    def forward(
        self, pictures: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features rows columns"]:
        pictures = pictures.expand(-1, 3, -1, -1)
        values = pictures * self.get_buffer("scale") + self.get_buffer("offset")
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            found = self.network(pixel_values=values, **self._options)[0]
        if self._grid is None:
            return found
        rows, columns = self._grid
        # Tokens of the picture come last, after those that stand for the whole of it.
        return found[:, -rows * columns :].transpose(1, 2).unflatten(2, (rows, columns))


def _grid(kind: str, patch: Any, size: tuple[int, int]) -> tuple[int, int]:
    """The rows and columns of patches in a picture."""
    if not isinstance(patch, int) or patch < 1 or size[0] % patch or size[1] % patch:
        raise ConfigurationError(
            f"{kind} sees patches of {patch}×{patch}, and pictures are {size[0]}×{size[1]} "
            "after the crop. Choose --image-size and the encoder's crop so that they fit."
        )
    return size[0] // patch, size[1] // patch
