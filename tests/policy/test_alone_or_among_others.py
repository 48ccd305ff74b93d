"""The same chunk alone, first or last among others: with every network, at evaluation's batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.data import Episodes
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.methods.choices import Bins, Mixture
from steadyhand.nets.encoder_choices import ImageEncoderConfig, ResNetConfig
from steadyhand.policy.predictor import SMALLER, TorchPredictor, evaluation_batch
from steadyhand.recipes.methods import METHODS, NETWORKS
from steadyhand.runtime import ChunkRequest
from steadyhand.runtime.continuation import Guided, Inpainted, Prefixed, WarmStart
from steadyhand.spec import Chunking
from steadyhand.training.train import build_policy

SMALL = [name for name in NETWORKS if not name.endswith("-paper")]
WAYS = {
    **{f"{name}, flow": (NETWORKS[name], METHODS["flow"], 2) for name in SMALL},
    "mlp, mixture": (NETWORKS["mlp"], Mixture(), 1),
    "unet, bins": (NETWORKS["unet"], Bins(), 1),
}


@pytest.fixture(scope="module")
def recorded() -> Episodes:
    random = np.random.default_rng(0)
    arrays = {
        "state": random.normal(size=(120, 20)).astype(np.float32),
        "camera": random.integers(0, 256, (120, 64, 64, 3), np.uint8),
        "action": random.normal(size=(120, 7)).astype(np.float32),
    }
    return Episodes(arrays, np.array([60, 120]))


HOWS = {
    **{f"{name}, guided": Guided() for name in SMALL},
    "mlp, inpainted": Inpainted(),
    "unet, prefixed": Prefixed(),
    "mlp, warm": WarmStart(),
}


@pytest.mark.parametrize("way", [*WAYS, *(f"{name}, pictures" for name in SMALL), *HOWS])
def test_a_row_does_not_depend_on_the_others_or_on_its_place(config, recorded, way) -> None:
    name, pictures = way.split(", ")[0], way.endswith("pictures")
    how = HOWS.get(way)
    denoiser, process, steps = WAYS[f"{name}, flow" if pictures or how else way]
    encoder = ImageEncoderConfig(network=ResNetConfig(width=16)) if pictures else None
    config = replace(
        config,
        observations=("camera", "state") if pictures else ("state",),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8, prefix=4 if how else 0),
        policy=replace(
            config.policy,
            denoiser=denoiser,
            process=process,
            sampler=SamplerConfig(steps=steps),
            **({} if encoder is None else {"encoder": encoder}),
        ),
    )
    policy = build_policy(config, recorded)
    generator = torch.Generator().manual_seed(0)
    for parameter in policy.parameters():  # what begins at zero would hide what is under it
        if not parameter.any():
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    batch = evaluation_batch(policy.spec)
    predictor = TorchPredictor(policy, batch=batch)
    keys = [feature.key for feature in policy.spec.observations]
    asked = [
        ChunkRequest(
            observation={k: recorded.read(k, i, i + 2) for k in keys},
            seed=i,
            previous=recorded.read("action", i + 2, i + 7 + i % 5),
            committed=i % 5,
            continuation=how,
        )
        for i in range(batch)
    ]
    together = predictor.predict(asked)
    for shift in (1, batch // 2 + 1):
        moved = predictor.predict([*asked[shift:], *asked[:shift]])
        np.testing.assert_array_equal(np.roll(moved, shift, axis=0), together)
    for number in (0, batch - 1):
        np.testing.assert_array_equal(
            predictor.predict(asked[number : number + 1])[0], together[number]
        )
    fewer = TorchPredictor(policy, batch=batch, smaller=SMALLER)
    for many in (batch // 3, 3, 1, 3, batch // 3):  # first asked whether it agrees, then used
        np.testing.assert_array_equal(fewer.predict(asked[-many:]), together[-many:])
