"""Every network and method on a device that holds no numbers, where what is made elsewhere is told.

No GPU is needed: on torch's `meta` device an operation between it and the CPU raises, as on CUDA.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import every_way
from steadyhand.data import Episodes
from steadyhand.diffusion.flow import Flow
from steadyhand.methods.choices import Consistency, Shortcut
from steadyhand.nets.encoder_choices import ImageEncoderConfig, ResNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.runtime import ChunkRequest
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy
from steadyhand.training.trainer import Trainer

WAYS = every_way.ways(every=False)
META = torch.device("meta")
BATCH = 3


@cache
def recorded() -> Episodes:
    random = np.random.default_rng(0)
    arrays = {
        "state": random.normal(size=(40, 3)).astype(np.float32),
        "place": random.normal(size=(40, 2)).astype(np.float32),
        "camera": random.integers(0, 256, (40, 40, 40, 3), np.uint8),
        "action": random.normal(size=(40, 2)).astype(np.float32),
    }
    return Episodes(arrays, np.array([20, 40]), rate_hz=10.0)


def placed(policy: PolicyConfig, **changes: Any) -> Policy:
    config = TrainConfig(
        observations=("place", "state"),
        action_relative_to="place",
        chunking=Chunking(obs_steps=2, horizon=4, execute=2),
        policy=policy,
        validation_share=0,
    )
    return build_policy(replace(config, **changes), recorded()).to(META)


def seen(policy: Policy) -> dict[str, Tensor]:
    kinds = {feature.key: feature for feature in policy.spec.observations}
    steps = policy.spec.chunking.obs_steps
    return {
        key: torch.empty(
            (BATCH, steps, *feature.recorded_shape),
            dtype=torch.uint8 if feature.kind == "image" else policy.normaliser.dtype(feature.name),
            device=META,
        )
        for key, feature in kinds.items()
    }


def elsewhere(policy: Policy) -> None:
    """Sample and learn there; what is made on another device raises."""
    observation, noise = seen(policy), torch.empty((BATCH, *policy.spec.chunk_shape), device=META)
    step_noise = noise[:, None].expand(-1, policy.sampler.steps, -1, -1)
    with torch.no_grad():
        chunk = policy.eval()(observation, noise, step_noise)
    assert chunk.device == META
    assert chunk.shape == noise.shape
    condition, *mask = policy.train().condition(policy.normalise(observation))
    weight, uniform = torch.empty(noise.shape[:2], device=META), (np.arange(BATCH) + 0.5) / BATCH
    loss = policy.sampler.loss(noise, noise, uniform, condition, weight, *mask)
    assert loss.device == META
    loss.backward()
    assert all(p.grad is not None for p in policy.parameters() if p.requires_grad)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_nothing_is_made_on_another_device(way) -> None:
    config = PolicyConfig(denoiser=way.denoiser, process=way.process, sampler=way.sampler)
    elsewhere(placed(config))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("normalisation", ["min_max", "mean_std", "quantile"])
def test_nor_are_pictures(normalisation, shared) -> None:
    network = ResNetConfig(width=16, blocks=(1, 1))
    encoder = ImageEncoderConfig(network=network, shared=shared, jitter=0.1, keypoints=2)
    config = PolicyConfig(denoiser=WAYS[0].denoiser, encoder=encoder, normalisation=normalisation)
    policy = placed(config, observations=("camera", "place", "state"), image_size=(32,))
    elsewhere(policy)


def test_what_is_made_elsewhere_would_be_found() -> None:
    policy = placed(PolicyConfig(denoiser=WAYS[0].denoiser))
    honest = policy.sampler.denoiser.time.forward
    policy.sampler.denoiser.time.forward = lambda t: honest(t) + torch.ones(t.shape[0], 128)
    with pytest.raises(RuntimeError, match="device"):
        elsewhere(policy)


def test_only_cuda_copies_while_the_host_goes_on(monkeypatch) -> None:
    """MPS would find what was freed meanwhile; of a CPU nobody sees the difference."""
    copy = Tensor.to

    def watched(values: Tensor, *where: Any, **how: Any) -> Tensor:
        assert not how.get("non_blocking"), "only from pinned memory, to CUDA"
        return copy(values, *where, **how)

    monkeypatch.setattr(Tensor, "to", watched)
    for process in (Flow(), Shortcut(), Consistency(levels=2)):
        config = TrainConfig(
            policy=PolicyConfig(process=process),
            chunking=Chunking(obs_steps=2, horizon=4, execute=2),
            batch_size=4,
            device="cpu",
            validation_share=0.5,
        )
        policy = build_policy(config, recorded())
        Trainer(policy, recorded(), config).validation_loss()
    seen = {"state": recorded().read("state", 0, 2)}
    TorchPredictor(policy).predict([ChunkRequest(observation=seen)])
