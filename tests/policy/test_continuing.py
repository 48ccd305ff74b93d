"""Policies that go on from the last chunk, in robot units, in every form of action."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError
from steadyhand.methods.choices import Consistency, Gaussian, Shortcut
from steadyhand.methods.regression import Regression
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.runtime import ChunkRequest
from steadyhand.runtime.continuation import Guided, Inpainted, Prefixed, WarmStart
from steadyhand.spec import Chunking
from steadyhand.training.train import build_policy

FORMS = {
    "absolute": {},
    "relative": {"action_relative_to": "state[:2]"},
    "delta": {"action_parts": ("0:2=delta:state[:2]",)},
}


def build(config, episodes, *, past_rows=0, prefix=3, **changes):
    chunking = Chunking(obs_steps=2, horizon=8, execute=4, past_rows=past_rows, prefix=prefix)
    made = build_policy(replace(config, chunking=chunking, **changes), episodes)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return made


def asked(episodes, how, *, rest=5, committed=3, at=40, **changes) -> ChunkRequest:
    """At a step of an episode, where what was done next is the rest of the last chunk."""
    seen = {key: episodes.read(key, at - 1, at + 1) for key in ("keypoint", "state")}
    previous = episodes.read("action", at, at + rest)
    changes = {"previous": previous, "committed": committed, **changes}
    return ChunkRequest(observation=seen, continuation=how, **changes)


@pytest.mark.parametrize("how", [Inpainted(), Prefixed()])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("past_rows", [0, 1])
def test_committed_rows_come_back_as_they_are(config, episodes, how, form, past_rows) -> None:
    policy = build(config, episodes, past_rows=past_rows, **FORMS[form])
    predictor, request = TorchPredictor(policy, batch=2), asked(episodes, how)
    if form == "delta" and past_rows:
        with pytest.raises(ConfigurationError, match="past_rows 0"):
            predictor.predict([request])
        return
    chunk, plain = predictor.predict([request, replace(request, continuation=None)])
    assert request.previous is not None
    span = np.ptp(episodes.arrays["action"], axis=0)
    committed = chunk[past_rows : past_rows + 3]
    np.testing.assert_allclose(committed / span, request.previous[:3] / span, atol=1e-5)
    assert np.abs(plain[past_rows : past_rows + 3] - committed).max() > 0.01 * span.max()
    after = np.abs(chunk[past_rows + 3] - request.previous[3]) / span
    assert after.max() > 1e-3, "the row after them is the policy's own"


@pytest.mark.parametrize("form", FORMS)
def test_guided_rows_are_drawn_to_the_rest_and_free_rows_least(config, episodes, form) -> None:
    policy = build(config, episodes, **FORMS[form])
    name, transform = policy.spec.network_action.name, policy.spec.transform
    request = asked(episodes, Guided())
    predictor = TorchPredictor(policy)
    plain = predictor.predict([replace(request, continuation=None)])
    guided = predictor.predict([request])
    seen = {k: torch.from_numpy(v)[None] for k, v in request.observation.items()}
    reference = policy.reference(seen)

    def as_seen(rows):
        found = torch.from_numpy(np.array(rows, np.float32))[None]
        return policy.normaliser(name, transform.to_network(found, reference))[0]

    rest = as_seen(request.previous)[:3]
    before = (as_seen(plain[0])[:3] - rest).square().mean()
    after = (as_seen(guided[0])[:3] - rest).square().mean()
    assert after < 0.9 * before


def test_requests_that_go_on_otherwise_are_answered_as_if_alone(config, episodes) -> None:
    policy = build(config, episodes)
    predictor = TorchPredictor(policy, batch=4, smaller=(1, 2))
    hows = [None, Guided(), Prefixed(), Guided(beta=1.0), None, WarmStart(), Inpainted(), Guided()]
    requests = [
        asked(episodes, how, at=31 + number, committed=number % 4, seed=number)
        for number, how in enumerate(hows)
    ]
    together = predictor.predict(requests)
    for number, request in enumerate(requests):
        np.testing.assert_array_equal(predictor.predict([request])[0], together[number])
    assert len({chunk.tobytes() for chunk in together}) == len(hows)


def test_guidance_in_bfloat16_and_beside_a_compiled_policy(config, episodes, monkeypatch) -> None:
    policy, request = build(config, episodes), asked(episodes, Guided())
    full = TorchPredictor(policy).predict([request])
    half = TorchPredictor(policy, precision="bfloat16").predict([request])
    assert 0 < np.abs(half - full).max() < 0.05 * np.ptp(full)

    handed = []
    monkeypatch.setattr(torch, "compile", lambda module: handed.append(module) or module)
    predictor = TorchPredictor(policy, compile=True)
    np.testing.assert_array_equal(predictor.predict([request]), full)
    assert handed == [policy], "what takes a gradient while it samples is not compiled"
    predictor.predict([replace(request, continuation=Prefixed())])
    assert len(handed) == 2


def test_more_than_training_gave_is_refused(config, episodes) -> None:
    predictor = TorchPredictor(build(config, episodes, prefix=2))
    predictor.predict([asked(episodes, Prefixed(), committed=2)])
    with pytest.raises(ConfigurationError, match=r"3 actions are committed.*--chunking\.prefix 3"):
        predictor.predict([asked(episodes, Prefixed(), committed=3)])


@pytest.mark.parametrize("process", [Regression(), Gaussian(), Shortcut()])
@pytest.mark.parametrize("how", [Guided(), Inpainted(), Prefixed(), WarmStart()])
def test_a_method_that_cannot_is_refused_before_it_is_asked(config, episodes, process, how) -> None:
    parts = replace(config.policy, process=process, sampler=SamplerConfig())
    predictor = TorchPredictor(build(config, episodes, prefix=0, policy=parts))
    with pytest.raises(ConfigurationError, match=r"Flow\(\) and DDPM\(\)"):
        predictor.continues(how)


@pytest.mark.parametrize("process", [Regression(), Gaussian(), Consistency()])
def test_a_prefix_is_refused_where_it_would_mean_nothing(config, episodes, process) -> None:
    parts = replace(config.policy, process=process, sampler=SamplerConfig())
    with pytest.raises(ConfigurationError, match="Leave prefix at 0"):
        build(config, episodes, policy=parts)


def test_a_policy_with_a_prefix_comes_back_from_the_disk(config, episodes, tmp_path) -> None:
    policy = build(config, episodes)
    save_policy(tmp_path / "policy", policy)
    request = asked(episodes, Prefixed())
    again = load_policy(tmp_path / "policy", sampler=SamplerConfig(steps=4))
    assert again.spec.chunking.prefix == 3
    chunk = TorchPredictor(again).predict([request])
    assert not np.array_equal(chunk, TorchPredictor(policy).predict([request]))
    with pytest.raises(ConfigurationError, match="prefix in 0…7"):
        Chunking(horizon=8, execute=4, prefix=8)
