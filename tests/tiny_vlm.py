"""Vision-language models of each family, tiny and with weights of their own, made on the spot."""

import json
from pathlib import Path
from typing import Any

import torch

TEXTS = ("push the puck", "open the door", "pick up the red cube and place it on the green one")
MARKS = ["<pad>", "<unk>", "<bos>", "<image>", "<|im_start|>", "<end_of_utterance>"]
MARKS += ["<fake_token_around_image>", "<global-img>"]
WORDS = sorted({word for text in TEXTS for word in text.split()})
VOCABULARY = [*MARKS, *WORDS, "User:", "Assistant:", "USER:", "ASSISTANT:", "x", "y", "z"]
IMAGE = VOCABULARY.index("<image>")
VISION = {
    "hidden_size": 12,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}
TEXT = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 5,
}
_PALIGEMMA = {"projection_dim": 16, "hidden_size": 16, "vocab_size": len(VOCABULARY)}
_HEAD = {"vision_use_head": False}
_FULL = {"vision_feature_select_strategy": "full", "image_token_index": IMAGE}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "idefics3": ({"scale_factor": 2, "image_token_id": IMAGE}, {}, {"model_type": "llama"}),
    "smolvlm": ({"scale_factor": 2, "image_token_id": IMAGE}, {}, {"model_type": "llama"}),
    "llava clip llama": (
        {"image_token_index": IMAGE},
        {"model_type": "clip_vision_model"},
        {"model_type": "llama"},
    ),
    "llava siglip qwen2": (
        {**_FULL, "vision_feature_layer": -1},
        {"model_type": "siglip_vision_model", **_HEAD},
        {"model_type": "qwen2"},
    ),
    "llava siglip mistral": (
        {**_FULL, "vision_feature_layer": [-1, -2]},
        {"model_type": "siglip_vision_model", **_HEAD},
        {"model_type": "mistral", "head_dim": 8},
    ),
    "paligemma gemma": (
        {**_PALIGEMMA, "image_token_index": IMAGE},
        {"model_type": "siglip_vision_model", **_HEAD},
        {"model_type": "gemma", "head_dim": 8},
    ),
    "paligemma gemma2": (
        {**_PALIGEMMA, "image_token_index": IMAGE},
        {"model_type": "siglip_vision_model", **_HEAD},
        {"model_type": "gemma2", "head_dim": 8, "sliding_window": 8},
    ),
}
"""(its own settings, its vision model's, its language model's) of each kind, tiny."""


def make(kind: str, folder: Path) -> Any:
    """A model of that kind, saved in `folder` as the hub would give it, with its tokenizer."""
    import transformers

    own, vision, text = KINDS[kind]
    name = kind.split()[0]
    config = transformers.AutoConfig.for_model(
        name, **own, vision_config={**VISION, **vision}, text_config={**TEXT, **text}
    )
    torch.manual_seed(0)
    model = transformers.AutoModelForImageTextToText.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    said = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    tokenizer().save_pretrained(folder)
    return model


def tokenizer() -> Any:
    """Of whole words and a few marks."""
    import tokenizers
    import transformers

    known = {word: number for number, word in enumerate(VOCABULARY)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 2)]
    )
    made.add_special_tokens([tokenizers.AddedToken(mark, special=True) for mark in MARKS])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", bos_token="<bos>"
    )
