"""What a vision-language model of `transformers` may be, read from a model or from a policy's file.

It is a list of what may be, as `architecture.py` is for vision backbones: kinds of models that are
built from numbers, each of parts whose kinds are listed, too. Nothing on it names a repository, a
file or code of somebody's.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steadyhand.disk import parse_json
from steadyhand.errors import ConfigurationError, library, unknown
from steadyhand.nets.architecture import own_settings, settings_of
from steadyhand.nets.hub import model_folder

LARGEST = 1 << 20
"""Of a language model's numbers: its words are more than a picture has pixels in a row."""
PARTS = ("vision_config", "text_config")


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a kind of model is made of, and how it was taught to be asked about pictures."""

    vision: frozenset[str]
    text: frozenset[str]
    before: str = ""
    """What comes before the pictures."""
    opening: str = ""
    """What comes before each picture."""
    closing: str = ""
    """What comes after it."""
    prompt: str = "{}"
    """What comes after all of them: the task in its place."""


_SMOL = {
    "text": frozenset(["llama"]),
    "before": "<|im_start|>User:",
    "opening": "<fake_token_around_image><global-img>",
    "closing": "<fake_token_around_image>",
    "prompt": "{}<end_of_utterance>\nAssistant:",
}
FAMILIES = {
    "idefics3": Family(vision=frozenset(["idefics3_vision"]), **_SMOL),
    "llava": Family(
        vision=frozenset(["clip_vision_model", "siglip_vision_model"]),
        text=frozenset(["llama", "mistral", "qwen2"]),
        before="USER: ",
        prompt="\n{} ASSISTANT:",
    ),
    "paligemma": Family(
        vision=frozenset(["siglip_vision_model"]),
        text=frozenset(["gemma", "gemma2"]),
        prompt="<bos>{}\n",
    ),
    "smolvlm": Family(vision=frozenset(["smolvlm_vision"]), **_SMOL),
}
"""The kinds of models that are known here."""


def describe(source: str, layers: int | None) -> dict[str, Any]:
    """What a policy's file holds of the model in a folder or on the hub, its first layers only.

    Raises `ConfigurationError` where there is none, or it is of a kind that is not known here.
    """
    transformers, folder = library("transformers"), folder_of(source)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        content = json.loads(json.dumps(config.to_diff_dict()))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"'{source}' is no vision-language model ({str(error).splitlines()[0]}). It needs a "
            "config.json, a model.safetensors and the files of its tokenizer."
        ) from error
    try:
        said, _ = transformers.ImageProcessingMixin.get_image_processor_dict(folder)
    except (OSError, AttributeError, ValueError):
        said = {}
    kept = _owned(content)
    text = kept["text_config"]
    if layers is not None:
        if layers > text["num_hidden_layers"]:
            raise ConfigurationError(
                f"layers is {layers}, and the language model of '{source}' has "
                f"{text['num_hidden_layers']}."
            )
        text["num_hidden_layers"] = layers
        if "layer_types" in text:
            text["layer_types"] = text["layer_types"][:layers]
    mean, deviation = (said.get(f"image_{name}") or (0.5,) * 3 for name in ("mean", "std"))
    found: dict[str, Any] = {"architecture": json.dumps(kept)}
    read_architecture(found["architecture"])
    family, tokenizer = FAMILIES[kept["model_type"]], _tokenizer(source)
    begun = tokenizer("").input_ids[:1] if family.before else []
    before = begun if begun == [tokenizer.bos_token_id] else []
    return found | {
        "mean": tuple(mean),
        "deviation": tuple(deviation),
        "before": (*before, *_tokens(tokenizer, family.before)),
        "opening": tuple(_tokens(tokenizer, family.opening)),
        "closing": tuple(_tokens(tokenizer, family.closing)),
    }


def folder_of(source: str) -> Path:
    """Where a model lies that a user names. Raises `ConfigurationError` where there is none."""
    return model_folder(source, "vision-language model", "google/paligemma-3b-pt-224")


def prompts(texts: list[str], source: str, architecture: str, length: int) -> list[list[int]]:
    """The words of each task as numbers, as the model in `source` is asked, -1 behind the last."""
    kind, _ = read_architecture(architecture)
    tokenizer, found = _tokenizer(source), []
    for text in texts:
        words = _tokens(tokenizer, FAMILIES[kind].prompt, text)
        if len(words) > length:
            raise ConfigurationError(
                f"The task '{text:.80}' has {len(words)} tokens, and there is room for {length}. "
                f"Say it shorter, or take --encoder.prompt {len(words)}."
            )
        found.append([*words, *[-1] * (length - len(words))])
    return found


def read_architecture(text: str) -> tuple[str, dict[str, Any]]:
    """(the kind of model, its settings) of an architecture that a file holds.

    Raises `ConfigurationError` for what may not be in one.
    """
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ConfigurationError(f"The model's architecture is damaged ({error}).") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(p), dict) for p in PARTS):
        raise ConfigurationError(
            "The model's architecture is damaged (it is no object with vision_config and "
            "text_config)."
        )
    _check_kinds(content)
    alone = {key: value for key, value in content.items() if key not in PARTS}
    parts = {part: content[part] for part in PARTS}
    settings = settings_of(alone, LARGEST)
    for part, inside in parts.items():
        settings[part] = {"model_type": inside["model_type"], **settings_of(inside, LARGEST)}
    return content["model_type"], settings


def _check_kinds(content: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` for a kind of model, or of a part of it, that is not listed."""
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise ConfigurationError(unknown("kind of vision-language model", str(kind), FAMILIES))
    family = FAMILIES[kind]
    for part, known in zip(PARTS, (family.vision, family.text), strict=True):
        inside = content[part].get("model_type")
        if not isinstance(inside, str) or inside not in known:
            raise ConfigurationError(unknown(f"{part} of a {kind}", str(inside), known))


def _owned(content: dict[str, Any]) -> dict[str, Any]:
    """What the model declares itself, of all that the library notes beside it."""
    if not all(isinstance(content.get(part), dict) for part in PARTS):
        kind = str(content.get("model_type"))
        raise ConfigurationError(unknown("kind of vision-language model", kind, FAMILIES))
    _check_kinds(content)

    def owned(of: dict[str, Any]) -> dict[str, Any]:
        own = own_settings(of["model_type"]) | {"model_type"}
        return {key: value for key, value in of.items() if key in own}

    return owned(content) | {part: owned(content[part]) for part in PARTS}


def _tokenizer(source: str) -> Any:
    transformers = library("transformers")
    try:
        return transformers.AutoTokenizer.from_pretrained(
            folder_of(source), trust_remote_code=False
        )
    except (OSError, ValueError, LookupError) as error:
        raise ConfigurationError(
            f"The tokenizer of '{source}' cannot be read ({str(error).splitlines()[0]}): it turns "
            "a task's text into what the model takes."
        ) from error


def _tokens(tokenizer: Any, form: str, text: str = "") -> list[int]:
    """The tokens of a form; marks that the tokenizer does not know are left out."""

    def known(mark: re.Match[str]) -> str:
        number = tokenizer.convert_tokens_to_ids(mark[0])
        return "" if number in (None, tokenizer.unk_token_id) else mark[0]

    said = re.sub(r"<[^>]+>", known, form).replace("{}", text)
    return tokenizer(said, add_special_tokens=False).input_ids
