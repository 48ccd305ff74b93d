"""Any vision backbone of `transformers` as a network from pictures to a map of features.

A policy's file holds the backbone's architecture and its weights, and never where they came from
alone: loading one fetches nothing and runs no code of its author's.
"""

import importlib
import inspect
import json
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError, MissingExtraError


def transformers_library() -> Any:
    """`transformers`. Raises `MissingExtraError` where it is not installed."""
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise MissingExtraError("transformers", "backbones") from error


def describe(source: str) -> tuple[str, tuple[float, ...], tuple[float, ...]]:
    """(architecture as JSON, mean, deviation of pictures) of a model in a folder or on the hub.

    Raises `ConfigurationError` where there is none, or it does not see pictures.
    """
    library = transformers_library()
    try:
        config = library.AutoConfig.from_pretrained(source, trust_remote_code=False)
        found = getattr(config, "vision_config", None) or config
        text = json.dumps(found.to_diff_dict() | {"model_type": found.model_type})
        try:
            said, _ = library.ImageProcessingMixin.get_image_processor_dict(source)
        except (OSError, AttributeError, ValueError):
            said = {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"There is no vision backbone '{source}': it is no folder with config.json and "
            "model.safetensors, and the hub knows no such model or cannot be reached. Name one as "
            "facebook/dinov2-small."
        ) from error
    mean, deviation = (said.get(f"image_{name}") or (0.5,) * 3 for name in ("mean", "std"))
    return text, tuple(mean), tuple(deviation)


class Backbone(nn.Module):
    """Pictures (B, 3, h, w) in ±1 to a map of features (B, D, rows, columns)."""

    def __init__(
        self,
        architecture: str,
        *,
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        frozen: bool,
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        library = transformers_library()
        content = json.loads(architecture)
        kind = content.pop("model_type", "")
        try:
            config = library.AutoConfig.for_model(kind, **content)
            self.network: nn.Module = library.AutoModel.from_config(config, trust_remote_code=False)
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigurationError(
                f"The backbone '{kind}' cannot be built ({str(error).splitlines()[0]}). It may "
                "need another version of transformers."
            ) from error
        # Where the places of patches were learned for another size, they are interpolated.
        takes = inspect.signature(self.network.forward).parameters
        flag = "interpolate_pos_encoding"
        self._options = {flag: True} if flag in takes else {}
        self.frozen = frozen
        for parameter in self.network.parameters():
            parameter.requires_grad_(not frozen)
        # Pictures are in ±1 here, in 0…1 less the mean over the deviation where it was trained.
        self.register_buffer("scale", _channels(0.5 / torch.tensor(deviation)), persistent=False)
        offset = (0.5 - torch.tensor(mean)) / torch.tensor(deviation)
        self.register_buffer("offset", _channels(offset), persistent=False)
        patch = getattr(config, "patch_size", None)
        self._grid = None if patch is None else (size[0] // patch, size[1] // patch)
        if patch is not None and (size[0] % patch or size[1] % patch):
            raise ConfigurationError(
                f"{kind} sees patches of {patch}×{patch}, and pictures are {size[0]}×{size[1]} "
                "after the crop. Choose --image-size and the encoder's crop so that they fit."
            )
        try:
            with torch.no_grad():
                seen = self(torch.zeros(1, 3, *size))
        except (ValueError, RuntimeError) as error:
            raise ConfigurationError(
                f"{kind} does not take pictures of {size[0]}×{size[1]} ({error})."
            ) from error
        self.features = seen.shape[1]

    def load_pretrained(self, source: str) -> None:
        """Take the weights of a model in a folder or on the hub; safetensors only."""
        kind = type(self.network)
        try:
            found = kind.from_pretrained(source, use_safetensors=True)  # type: ignore[attr-defined]
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigurationError(
                f"The weights of '{source}' cannot be read ({str(error).splitlines()[0]}). It "
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
        values = pictures * self.get_buffer("scale") + self.get_buffer("offset")
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            found = self.network(pixel_values=values, **self._options)[0]
        if found.ndim == 4 or self._grid is None:
            return found
        rows, columns = self._grid
        # Tokens of the picture come last, after those that stand for the whole of it.
        return found[:, -rows * columns :].transpose(1, 2).unflatten(2, (rows, columns))


def _channels(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)
