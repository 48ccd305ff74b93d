"""What a policy's file may say of a vision-language model: parts and settings of a list."""

import json
from typing import Any

import pytest

import tiny_vlm
from steadyhand.errors import ConfigurationError
from steadyhand.nets.vlm import VisionLanguageModel
from steadyhand.nets.vlm_architecture import FAMILIES, describe, read_architecture
from tiny_vlm import IMAGE, TEXT, VISION, VOCABULARY

transformers = pytest.importorskip("transformers")
SOUND: dict[str, Any] = {
    "model_type": "paligemma",
    "image_token_index": IMAGE,
    "projection_dim": 16,
    "hidden_size": 16,
    "vocab_size": len(VOCABULARY),
    "vision_config": {"model_type": "siglip_vision_model", "vision_use_head": False, **VISION},
    "text_config": {"model_type": "gemma", "head_dim": 8, **TEXT},
}


def build(content: Any, **changes: Any) -> VisionLanguageModel:
    third, none = (0.5, 0.5, 0.5), ()
    options = {"before": none, "opening": none, "closing": none, "layers": None}
    options |= {"trained_layers": 0, "mean": third, "deviation": third, **changes}
    return VisionLanguageModel(json.dumps(content), **options)


def text(**changes: Any) -> dict[str, Any]:
    return {**SOUND, "text_config": {**SOUND["text_config"], **changes}}


def vision(**changes: Any) -> dict[str, Any]:
    return {**SOUND, "vision_config": {**SOUND["vision_config"], **changes}}


REFUSED = {
    "another kind": {**SOUND, "model_type": "qwen2_vl"},
    "no kind": {**SOUND, "model_type": None},
    "a kind in a list": {**SOUND, "model_type": ["paligemma"]},
    "code": {**SOUND, "auto_map": {"AutoModel": "somebody/model--file.Class"}},
    "code of a part": text(auto_map={"AutoModel": "somebody/model--file.Class"}),
    "trust": {**SOUND, "trust_remote_code": True},
    "another part": text(model_type="llama"),
    "a part of timm": vision(model_type="timm_wrapper", architecture="hf-hub:somebody/model"),
    "a part that names another": vision(backbone="somebody/model"),
    "a part in a list": {**SOUND, "vision_config": [1]},
    "no part": {key: value for key, value in SOUND.items() if key != "text_config"},
    "a third part": {**SOUND, "audio_config": {"model_type": "whisper"}},
    "a path": text(_name_or_path_of_weights="/etc/passwd"),
    "a path for a number": text(hidden_size="/etc/passwd"),
    "a kernel": text(attn_implementation="somebody/kernel"),
    "a kernel, said otherwise": text(_attn_implementation="somebody/kernel"),
    "an activation of somebody": text(hidden_act="somebody/kernel"),
    "quantised": {**SOUND, "quantization_config": {"quant_method": "somebody"}},
    "ropes of somebody": text(rope_parameters={"rope_type": "somebody/kernel"}),
    "ropes in an object": text(rope_parameters={"rope_type": {"a": 1}}),
    "ropes too deep": text(rope_parameters={"factor": [[[1.0]]]}),
    "a million layers": text(num_hidden_layers=10**7),
    "too wide": text(hidden_size=10**9),
    "too many words": text(vocab_size=10**9),
    "not finite": text(rms_norm_eps=float("nan")),
    "a picture too large": vision(image_size=1 << 16, patch_size=4),
    "patches of nothing": vision(patch_size=0),
    "patches that do not fit": vision(patch_size=5),
    "a picture of two sides": vision(image_size=[16, 16]),
}


@pytest.fixture
def alone(monkeypatch):
    def connect(*_) -> None:
        raise AssertionError("the network is touched")

    monkeypatch.setattr("socket.socket.connect", connect)
    monkeypatch.setattr("socket.getaddrinfo", connect)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_on_the_list_is_refused(name, alone) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no|architecture|setting|patch|built"):
        build(REFUSED[name])


@pytest.mark.parametrize("content", ["", "[1]", "null", "[" * 100_000, '{"model_type": 1}'])
def test_what_is_no_architecture_is_refused(content) -> None:
    with pytest.raises(ConfigurationError, match="architecture is damaged"):
        read_architecture(content)


NUMBERS = {
    "a token that is none": {"opening": (len(VOCABULARY),)},
    "a token below 0": {"before": (-1,)},
    "more than anybody says": {"closing": (1,) * 20_000},
    "two means": {"mean": (0.5, 0.5)},
    "no deviation": {"deviation": (0.5, 0.0, 0.5)},
    "layers that are not there": {"layers": 2},
    "more trained than there are": {"trained_layers": 4},
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_beside_it_that_cannot_be_are_refused(name, alone) -> None:
    with pytest.raises(ConfigurationError, match=r"tokens around|means and three|layers here"):
        build(SOUND, **NUMBERS[name])


def test_a_sound_one_is_built_and_what_the_library_notes_is_left_alone(alone) -> None:
    noted = {"_name_or_path": "somebody/model", "architectures": ["X"], "torch_dtype": "bfloat16"}
    made = build({**text(**noted), **noted}, before=(1, 2))
    assert made.network.config.name_or_path != "somebody/model"
    assert made.tokens(2) == 2 + 2 * 16


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_usual_settings_of_every_kind_pass(kind) -> None:
    """Its own, and those of each part; none that it has could name another model."""
    for part in sorted(FAMILIES[kind].vision):
        for words in sorted(FAMILIES[kind].text):
            own = transformers.AutoConfig.for_model(
                kind, vision_config={"model_type": part}, text_config={"model_type": words}
            )
            each = [*vars(own), *vars(own.vision_config), *vars(own.text_config)]
            assert not [name for name in each if "backbone" in name or "timm" in name]


def test_what_a_users_model_says_of_code_is_left_out(tmp_path) -> None:
    tiny_vlm.make("paligemma gemma", tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    content["auto_map"] = content["text_config"]["auto_map"] = {"AutoModel": "x--y.Z"}
    (tmp_path / "config.json").write_text(json.dumps(content))
    found = describe(str(tmp_path), None)
    assert "auto_map" not in found["architecture"]
    read_architecture(found["architecture"])
