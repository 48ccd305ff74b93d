"""Vision-language models of `transformers`: pictures and a prompt → hidden states.

The model's own parts are put together in one fixed layout, so that it is one graph without a look
at what the data holds. A policy's file holds the architecture and the weights, and never where they
came from alone: loading one fetches nothing and runs no code of its author's.
"""

import hashlib
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from steadyhand.errors import ConfigurationError, library
from steadyhand.nets.architecture import offline
from steadyhand.nets.resampling import resampled
from steadyhand.nets.vlm_architecture import folder_of, read_architecture

MOST_TOKENS = 1 << 14
"""That one picture, or all the words around them, may be."""
SHRINKING = ("idefics3", "smolvlm")
"""Kinds that make one token of several patches."""


class VisionLanguageModel(nn.Module):
    """Pictures (B, cameras, 3, size, size) in ±1 and tokens (B, K) → hidden states (B, N, W).

    The N tokens are `before`, then for each picture `opening`, what the model makes of it and
    `closing`, then the K of the prompt; those below 0 stand for nothing, and nothing looks at them.
    """

    def __init__(
        self,
        architecture: str,
        *,
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        before: tuple[int, ...],
        opening: tuple[int, ...],
        closing: tuple[int, ...],
        layers: int | None,
        trained_layers: int,
        source: str = "",
    ) -> None:
        super().__init__()
        if len(mean) != 3 or len(deviation) != 3 or not min(deviation) > 0:
            raise ConfigurationError(
                f"A model's pictures have three means and three deviations above 0, not {mean} "
                f"and {deviation}."
            )
        self.kind, settings = read_architecture(architecture)
        self.architecture, self.source, self.frozen = architecture, source, not trained_layers
        self.network, self.picture_size, self.picture_tokens = _made(self.kind, settings)
        self._cut, text = layers is not None, self._text(self.network)
        if self._cut:
            text.norm = nn.Identity()
        if (layers or len(text.layers)) != len(text.layers) or trained_layers > len(text.layers):
            raise ConfigurationError(
                f"This model has {len(text.layers)} layers here, and layers is {layers}, "
                f"trained_layers {trained_layers}."
            )
        self.requires_grad_(False)
        if trained_layers:
            text.layers[-trained_layers:].requires_grad_(True)
            text.norm.requires_grad_(True)
        words = settings["text_config"].get(
            "vocab_size", self.network.config.text_config.vocab_size
        )
        said = (*before, *opening, *closing)
        if len(said) > MOST_TOKENS or not all(0 <= token < words for token in said):
            raise ConfigurationError(f"The tokens around pictures are not among its {words} words.")
        self.words = words
        for name, tokens in (("before", before), ("opening", opening), ("closing", closing)):
            self.register_buffer(name, torch.tensor(tokens, dtype=torch.long), persistent=False)
        # Pictures are in ±1 here, in 0…1 less the mean over the deviation where it was trained.
        middle, size_of_one = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, deviation))
        self.register_buffer("scale", 0.5 / size_of_one, persistent=False)
        self.register_buffer("offset", (0.5 - middle) / size_of_one, persistent=False)
        self.width = int(self.network.config.text_config.hidden_size)

    @staticmethod
    def _text(network: Any) -> Any:
        """The language model in it."""
        return getattr(network, "language_model", None) or network.text_model

    def tokens(self, cameras: int) -> int:
        """How many tokens there are without the prompt."""
        around = len(self.get_buffer("opening")) + len(self.get_buffer("closing"))
        return len(self.get_buffer("before")) + cameras * (around + self.picture_tokens)

    def forward(
        self,
        pictures: Float[Tensor, "batch cameras channels height width"],
        prompt: Int[Tensor, "batch words"],
    ) -> Float[Tensor, "batch tokens features"]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            count = pictures.shape[0]
            embedded = self.network.get_input_embeddings()
            before, opening, closing = (
                embedded(self.get_buffer(name)).expand(count, -1, -1)
                for name in ("before", "opening", "closing")
            )
            seen = self.see(pictures.flatten(0, 1)).unflatten(0, (count, pictures.shape[1]))
            parts = [before]
            for picture in seen.unbind(1):
                parts += [opening, picture, closing]
            parts.append(embedded(prompt.clamp(min=0)))
            sequence = torch.cat(parts, dim=1)
            ahead = torch.ones_like(sequence[:, : sequence.shape[1] - prompt.shape[1], 0])
            there = torch.cat([ahead.long(), (prompt >= 0).long()], dim=1)
            # PaliGemma was taught to look at all of what it is asked, from all of it.
            whole = {"token_type_ids": torch.zeros_like(there)} if self.kind == "paligemma" else {}
            found = self.network(
                inputs_embeds=sequence, attention_mask=there, use_cache=False, **whole
            )
            return found.last_hidden_state

    def see(
        self, pictures: Float[Tensor, "pictures channels height width"]
    ) -> Float[Tensor, "pictures tokens features"]:
        """The tokens of each picture, as the language model takes them."""
        values = pictures * self.get_buffer("scale") + self.get_buffer("offset")
        network = self.network
        if self.kind in SHRINKING:
            return network.connector(network.vision_model(pixel_values=values).last_hidden_state)
        if self.kind == "paligemma":
            found = network.get_image_features(pixel_values=values)
            return getattr(found, "pooler_output", found)
        config = network.config
        found = network.vision_tower(pixel_values=values, output_hidden_states=True).hidden_states
        which = config.vision_feature_layer
        chosen = [found[layer] for layer in ([which] if isinstance(which, int) else which)]
        if config.vision_feature_select_strategy == "default":
            chosen = [tokens[:, 1:] for tokens in chosen]  # the first stands for the whole
        return network.multi_modal_projector(torch.cat(chosen, dim=-1))

    def load_pretrained(self) -> None:
        """Take the weights of the model at `source`, a folder or on the hub; safetensors only."""
        kind: Any = type(self.network)
        try:
            found, told = kind.from_pretrained(
                folder_of(self.source),
                config=self.network.config,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigurationError(
                f"The weights of '{self.source}' cannot be read ({str(error).splitlines()[0]}). It "
                "needs a model.safetensors."
            ) from error
        if missing := sorted(told["missing_keys"]):
            raise ConfigurationError(
                f"The weights of '{self.source}' are not whole: '{missing[0]}' is missing."
            )
        if self._cut:
            self._text(found).norm = nn.Identity()
        self.network.load_state_dict(found.state_dict())

    def fingerprint(self) -> str:
        """What its answers depend on beside what it is given: other numbers, another name."""
        known = hashlib.sha256(self.architecture.encode())
        for name, values in chain(self.named_parameters(), self.named_buffers()):
            known.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            known.update(values.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
        return known.hexdigest()

    def train(self, mode: bool = True) -> "VisionLanguageModel":
        """Nothing in it changes in training but its trained layers' weights: no dropout."""
        return super().train(False)


def letterboxed(
    pictures: Float[Tensor, "pictures channels height width"], size: int
) -> Float[Tensor, "pictures channels size size"]:
    """Square pictures of `size` that keep their proportions, black (-1) where nothing was seen."""
    height, width = pictures.shape[-2:]
    scale = size / max(height, width)
    rows, columns = max(round(height * scale), 1), max(round(width * scale), 1)
    if (rows, columns) != (height, width):
        pictures = resampled(pictures, rows, columns)
    top, left = (size - rows) // 2, (size - columns) // 2
    return pad(pictures, (left, size - columns - left, top, size - rows - top), value=-1.0)


def _sizes(kind: str, config: Any) -> tuple[int, int]:
    """(height and width of a picture, how many tokens the model makes of it)."""
    vision = config.vision_config
    size, patch = vision.image_size, vision.patch_size
    if not all(isinstance(n, int) and n > 0 for n in (size, patch)) or size % patch:
        raise ConfigurationError(f"{kind} cannot see pictures of {size} in patches of {patch}.")
    side = size // patch
    shrunk = config.scale_factor if kind in SHRINKING else 1
    if side**2 > MOST_TOKENS or shrunk < 1 or side % shrunk:
        raise ConfigurationError(
            f"{kind} makes {side}×{side} patches of a picture, and of {shrunk}×{shrunk} of them a "
            f"token; there may be {MOST_TOKENS} patches, and nothing may be left over."
        )
    if kind != "llava":
        return size, (side // shrunk) ** 2
    whole = vision.model_type == "clip_vision_model"
    return size, side**2 + whole - (config.vision_feature_select_strategy == "default")


def _made(kind: str, settings: dict[str, Any]) -> tuple[Any, int, int]:
    """(the model, the size of a picture, the tokens of one), its sizes looked at before it is."""
    transformers = library("transformers")
    try:
        with offline():
            config = transformers.AutoConfig.for_model(kind, **settings)
            sizes = _sizes(kind, config)
            return transformers.AutoModel.from_config(config, trust_remote_code=False), *sizes
    except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            f"The model '{kind}' cannot be built ({error}). It may need another version of "
            "transformers."
        ) from error
