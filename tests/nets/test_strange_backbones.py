"""What a policy's file may say of a backbone: kinds and settings of a list, and nothing fetched."""

import json

import pytest
import torch

from steadyhand.errors import ConfigurationError
from steadyhand.nets.architecture import MAPS, TOKENS, describe, offline, read_architecture
from steadyhand.nets.backbone import Backbone

transformers = pytest.importorskip("transformers")
TINY = {
    "model_type": "vit",
    "image_size": 28,
    "patch_size": 14,
    "num_hidden_layers": 1,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def build(architecture: str) -> Backbone:
    third = (0.5, 0.5, 0.5)
    return Backbone(architecture, mean=third, deviation=third, frozen=True, size=(28, 28))


REFUSED = {
    "another model inside": {"model_type": "detr", "backbone": "somebody/model"},
    "a pose model": {"model_type": "vitpose", "backbone": "somebody/model"},
    "a model of timm": {"model_type": "timm_wrapper", "architecture": "hf-hub:somebody/model"},
    "a model of timm inside": {"model_type": "timm_backbone", "backbone": "hf-hub:somebody/model"},
    "no kind": {},
    "a kind in a list": {"model_type": ["vit"]},
    "a language model": {"model_type": "llama"},
    "a kernel": {**TINY, "attn_implementation": "somebody/kernel"},
    "a kernel, said otherwise": {**TINY, "_attn_implementation": "somebody/kernel"},
    "its own attention": {**TINY, "attn_implementation": "eager"},
    "experts": {**TINY, "experts_implementation": "somebody/kernel"},
    "code": {**TINY, "auto_map": {"AutoModel": "somebody/model--file.Class"}},
    "trust": {**TINY, "trust_remote_code": True},
    "a backbone": {**TINY, "backbone": "somebody/model"},
    "a configuration inside": {**TINY, "backbone_config": {"model_type": "detr"}},
    "quantised": {**TINY, "quantization_config": {"quant_method": "somebody"}},
    "pretrained": {**TINY, "use_pretrained_backbone": True},
    "an activation of somebody": {**TINY, "hidden_act": "somebody/kernel"},
    "an object": {**TINY, "hidden_act": {"path": "x"}},
    "a million blocks": {**TINY, "num_hidden_layers": 10**6},
    "too wide": {**TINY, "hidden_size": 10**9},
    "not finite": {**TINY, "layer_norm_eps": float("nan")},
    "a long list": {**TINY, "patch_size": [1] * 1000},
    "a deep list": {**TINY, "patch_size": [[[[1]]]]},
    "patches of nothing": {**TINY, "patch_size": 0},
    "patches of two sides": {**TINY, "patch_size": [14, 14]},
    "in words": {**TINY, "num_hidden_layers": "1"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_on_the_list_is_refused(name, monkeypatch) -> None:
    def connect(*_) -> None:
        raise AssertionError("the network is touched")

    monkeypatch.setattr("socket.socket.connect", connect)
    monkeypatch.setattr("socket.getaddrinfo", connect)
    with pytest.raises(ConfigurationError, match=r"kind of backbone|[Tt]he backbone|kind vit|pa"):
        build(json.dumps(REFUSED[name]))


@pytest.mark.parametrize("text", ["", "[1]", "null", "[" * 100_000, '{"model_type": ' + "9" * 400])
def test_what_is_no_architecture_is_refused(text) -> None:
    with pytest.raises(ConfigurationError, match="architecture is damaged"):
        build(text)


@pytest.mark.parametrize("kind", sorted(TOKENS | MAPS))
def test_every_kind_on_the_list_is_made_of_numbers(kind) -> None:
    """Its own usual settings pass, and none that it has could name another model."""
    own = transformers.AutoConfig.for_model(kind)
    assert not [name for name in vars(own) if "backbone" in name or "timm" in name]
    text = json.dumps({**own.to_diff_dict(), "model_type": kind, "torch_dtype": "bfloat16"})
    found, settings = read_architecture(text)
    assert found == kind
    assert type(transformers.AutoConfig.for_model(kind, **settings)) is type(own)


def test_what_the_library_notes_is_taken_and_left_alone() -> None:
    noted = {
        "architectures": ["ViTModel"],
        "_name_or_path": "somebody/model",
        "torch_dtype": "bfloat16",
        "transformers_version": "4.48.0",
        "id2label": {"0": "cat"},
    }
    made = build(json.dumps({**TINY, **noted}))
    assert made.network.dtype == torch.float32
    assert made.network.config.name_or_path != "somebody/model"


def test_while_it_is_built_nothing_can_be_fetched(monkeypatch) -> None:
    from huggingface_hub import constants

    seen = []
    original = transformers.AutoModel.from_config

    def from_config(*args, **options):
        seen.append(constants.HF_HUB_OFFLINE)
        return original(*args, **options)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(transformers.AutoModel, "from_config", from_config)
    build(json.dumps(TINY))
    assert seen == [True]
    assert constants.HF_HUB_OFFLINE is False, "afterwards all is as before"
    with pytest.raises(ZeroDivisionError), offline():
        1 / 0  # noqa: B018
    assert constants.HF_HUB_OFFLINE is False


def test_a_users_own_model_of_another_kind_is_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "detr"}))
    with pytest.raises(ConfigurationError, match=r"no kind of backbone 'detr'.*dinov2"):
        describe(str(tmp_path))


def test_what_a_users_model_says_of_code_is_left_out(tmp_path) -> None:
    content = {**TINY, "auto_map": {"AutoModel": "x--y.Z"}, "attn_implementation": "eager"}
    (tmp_path / "config.json").write_text(json.dumps(content))
    text, mean, _ = describe(str(tmp_path))
    assert mean == (0.5, 0.5, 0.5)
    assert not json.loads(text).keys() & {"auto_map", "attn_implementation"}
    build(text)
