"""Vision-language models: hidden states as the model's own, words around pictures, layers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tiny_vlm
from steadyhand.errors import ConfigurationError
from steadyhand.nets.vlm import VisionLanguageModel, letterboxed
from steadyhand.nets.vlm_architecture import FAMILIES
from steadyhand.nets.vlm_choices import VLMEncoderConfig
from tiny_vlm import IMAGE, KINDS, TEXTS, VOCABULARY

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory):
    where = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    tiny_vlm.make(request.param, where)
    return where


def built(config: VLMEncoderConfig) -> VisionLanguageModel:
    config = config.settled()
    own = {key: value for key, value in vars(config).items() if key not in ("width", "prompt")}
    model = VisionLanguageModel(**own)
    model.load_pretrained()
    return model


def theirs(folder, model, pictures, prompt, layer=-1) -> torch.Tensor:
    """The hidden states of the model as its makers run it, for one set of pictures and prompt."""
    own = transformers.AutoModel.from_pretrained(folder).eval()
    pixels = (pictures + 1) / 2
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)))
    pixels = (pixels - mean) / deviation
    around = [model.get_buffer(name).tolist() for name in ("before", "opening", "closing")]
    ids = around[0]
    for _ in pictures:
        ids = [*ids, *around[1], *[IMAGE] * model.picture_tokens, *around[2]]
    ids = torch.tensor([[*ids, *prompt]])
    several = model.kind in ("idefics3", "smolvlm")
    whole = {"token_type_ids": torch.zeros_like(ids)} if model.kind == "paligemma" else {}
    found = own(
        input_ids=ids,
        pixel_values=pixels[None] if several else pixels,
        attention_mask=torch.ones_like(ids),
        output_hidden_states=True,
        **whole,
    )
    return found.hidden_states[layer][0]


def test_every_part_on_the_list_is_tried() -> None:
    listed = {
        (kind, part)
        for kind, family in FAMILIES.items()
        for part in (*family.vision, *family.text)
        if not part.startswith(kind)
    }
    tried = {
        (kind.split()[0], part["model_type"])
        for kind, (_, *parts) in KINDS.items()
        for part in parts
        if part
    }
    assert listed == tried


def test_hidden_states_are_those_of_the_model_itself(folder) -> None:
    """Two cameras, prompts of different lengths in one batch."""
    config = VLMEncoderConfig(source=str(folder), prompt=16)
    model = built(config)
    prompts = torch.from_numpy(config.task_vectors(TEXTS)).long()
    pictures = torch.rand(3, 2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        found = model(pictures, prompts)
        assert found.shape == (3, model.tokens(2) + 16, 16)
        for seen, prompt, answer in zip(pictures, prompts, found, strict=True):
            said = prompt[prompt >= 0].tolist()
            wanted = theirs(folder, model, seen, said)
            torch.testing.assert_close(answer[: len(wanted)], wanted, atol=1e-5, rtol=1e-4)


def test_the_first_layers_answer_as_they_do_in_the_whole_model(folder) -> None:
    model = built(VLMEncoderConfig(source=str(folder), layers=2))
    whole = built(VLMEncoderConfig(source=str(folder)))
    assert sum(p.numel() for p in model.parameters()) < sum(p.numel() for p in whole.parameters())
    pictures, prompt = torch.rand(1, 1, 3, 16, 16) * 2 - 1, torch.tensor([[9, 10, 11]])
    with torch.no_grad():
        wanted = theirs(folder, model, pictures[0], [9, 10, 11], layer=2)
        torch.testing.assert_close(model(pictures, prompt)[0], wanted, atol=1e-5, rtol=1e-4)
    with pytest.raises(
        ConfigurationError, match=r"layers is 4, and the language model of .* has 3"
    ):
        VLMEncoderConfig(source=str(folder), layers=4).settled()


def test_what_stands_for_nothing_is_not_looked_at(folder) -> None:
    model = built(VLMEncoderConfig(source=str(folder)))
    pictures = torch.rand(1, 1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        short = model(pictures, torch.tensor([[9, 10]]))
        long = model(pictures, torch.tensor([[9, 10, -1, -1]]))
        other = model(pictures, torch.tensor([[9, 11]]))
        dark = model(pictures - 0.5, torch.tensor([[9, 10]]))
    torch.testing.assert_close(long[:, :-2], short, atol=1e-5, rtol=1e-4)
    assert float((other - short).abs().max()) > 1e-3, "the words matter"
    assert float((dark[:, -1] - short[:, -1]).abs().max()) > 1e-3, "words see the picture"


def test_only_the_last_layers_are_trained(folder) -> None:
    model = built(VLMEncoderConfig(source=str(folder), trained_layers=1))
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    pictures, prompt = torch.rand(2, 1, 3, 16, 16) * 2 - 1, torch.tensor([[9, 10], [9, -1]])
    model.train()(pictures, prompt).square().sum().backward()
    optimiser.step()
    changed = {n for n, weights in model.named_parameters() if not torch.equal(weights, before[n])}
    assert changed
    assert all(".layers.2." in name or ".norm." in name for name in changed)
    assert not any(part.training for part in model.modules())
    frozen = built(VLMEncoderConfig(source=str(folder)))
    assert not frozen(pictures, prompt).requires_grad
    with pytest.raises(ConfigurationError, match="3 layers here, and layers is None, trained_"):
        built(VLMEncoderConfig(source=str(folder), trained_layers=4))


SAID = {
    "idefics3": ("<bos> <|im_start|> User:", "{} <end_of_utterance> Assistant:"),
    "smolvlm": ("<bos> <|im_start|> User:", "{} <end_of_utterance> Assistant:"),
    "llava": ("<bos> USER:", "{} ASSISTANT:"),
    "paligemma": ("", "<bos> {}"),
}


def test_a_task_is_asked_for_as_the_model_was_taught(folder) -> None:
    config = VLMEncoderConfig(source=str(folder), prompt=16).settled()
    kind = built(config).kind
    before, prompt = SAID[kind]
    spoken = [" ".join(VOCABULARY[t] for t in row if t >= 0) for row in told(config)]
    assert spoken == [prompt.format(text) for text in TEXTS]
    assert " ".join(VOCABULARY[token] for token in config.before) == before
    marks = ["<fake_token_around_image>", "<global-img>"] if "<|im" in before else []
    assert [VOCABULARY[token] for token in config.opening] == marks
    assert [VOCABULARY[token] for token in config.closing] == marks[:1]
    with pytest.raises(ConfigurationError, match=r"tokens, and there is room for 4\. Say it short"):
        replace(config, prompt=4).task_vectors(TEXTS)


def told(config: VLMEncoderConfig) -> list[list[int]]:
    found = config.task_vectors(TEXTS)
    assert found.shape == (3, 16)
    assert found.dtype == np.float32
    return found.astype(int).tolist()


def test_pictures_keep_their_proportions() -> None:
    wide = torch.full((1, 3, 12, 24), 0.5)
    wide[:, 0] = torch.linspace(-1, 1, 24)
    seen = letterboxed(wide, 16)
    assert seen.shape == (1, 3, 16, 16)
    assert bool((seen[:, :, :4] == -1).all())
    assert bool((seen[:, :, 12:] == -1).all())
    torch.testing.assert_close(seen[0, 1, 4:12], torch.full((8, 16), 0.5))
    torch.testing.assert_close(
        seen[0, 0, 8].diff(), torch.full((15,), 2 / 23 * 1.5), atol=2e-2, rtol=0
    )
    square = torch.rand(2, 3, 16, 16)
    assert torch.equal(letterboxed(square, 16), square)
    assert letterboxed(torch.rand(1, 3, 40, 9), 16).shape == (1, 3, 16, 16)


def test_weights_that_are_not_whole_are_refused(tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    tiny_vlm.make("paligemma gemma", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(name for name in weights if "multi_modal_projector" in name)
    del weights[name]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match="not whole: 'multi_modal_projector"):
        built(VLMEncoderConfig(source=str(tmp_path)))


def test_what_is_no_model_of_these_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="no vision-language model 'nowhere/at-all'"):
        VLMEncoderConfig(source="nowhere/at-all").settled()
    transformers.LlamaConfig().save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match=r"'llama'.*Available: idefics3, llava, paligemma"):
        VLMEncoderConfig(source=str(tmp_path)).settled()
    other = transformers.LlavaConfig(text_config={"model_type": "gpt2"})
    other.save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match=r"no text_config of a llava 'gpt2'.*mistral"):
        VLMEncoderConfig(source=str(tmp_path)).settled()
