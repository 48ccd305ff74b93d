"""The networks honour the denoiser's contract."""

import math
from typing import get_args

import pytest
import torch

from steadyhand.errors import ConfigurationError
from steadyhand.nets.choices import PAPER_UNET, UNetConfig
from steadyhand.nets.embedding import Sinusoids
from steadyhand.nets.encoder_choices import StateEncoderConfig
from steadyhand.nets.mlp import _Block
from steadyhand.policy.config import DenoiserConfig
from steadyhand.spec import Chunking, PolicySpec

RECORDED = {"keypoint": (9, 2), "state": (5,), "action": (2,), "img": (96, 96, 3)}
DENOISERS = [kind() for kind in get_args(DenoiserConfig)]


def spec(**chunking: int) -> PolicySpec:
    return PolicySpec.select(
        RECORDED, observations=["keypoint", "state[:2]"], chunking=Chunking(**chunking)
    )


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("config", DENOISERS, ids=lambda c: type(c).__name__)
def test_shapes_gradients_and_size(config) -> None:
    network = config.build(spec(), (2, 20))
    assert 3e6 <= count(network) <= 9e6, "sensible small defaults"
    x, condition = torch.randn(3, 16, 2), torch.randn(3, 2, 20)
    # Zero-initialised gates pass no gradient in the first step; nudge every parameter.
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    out = network(x, torch.tensor([0.0, 50.0, 99.0]), condition)
    assert out.shape == (3, 16, 2)
    out.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("config", DENOISERS, ids=lambda c: type(c).__name__)
def test_time_and_condition_matter(config) -> None:
    network = config.build(spec(), (2, 20))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    x, condition = torch.randn(1, 16, 2), torch.randn(1, 2, 20)
    out = network(x, torch.tensor([3.0]), condition)
    assert not torch.allclose(out, network(x, torch.tensor([60.0]), condition))
    assert not torch.allclose(out, network(x, torch.tensor([3.0]), condition + 1))


def test_the_papers_unet_has_its_published_size() -> None:
    # With the paper's 20 observation numbers over 2 steps, 65.8 M.
    assert count(PAPER_UNET.build(spec(), (2, 20))) == pytest.approx(65.8e6, rel=1e-3)


def test_unet_horizons() -> None:
    config = UNetConfig(widths=(16, 32, 64))
    for horizon in (4, 8, 12, 20):
        network = config.build(spec(horizon=horizon, execute=1), (2, 20))
        x = torch.randn(2, horizon, 2)
        assert network(x, torch.zeros(2), torch.zeros(2, 2, 20)).shape == x.shape
    with pytest.raises(ConfigurationError, match=r"multiple of 4; 10 is not. Use 8 or 12"):
        config.build(spec(horizon=10), (2, 20))
    one = UNetConfig(widths=(16,)).build(spec(horizon=7, execute=1), (2, 20))
    assert one(torch.randn(2, 7, 2), torch.zeros(2), torch.zeros(2, 2, 20)).shape == (2, 7, 2)


def test_unet_refuses_what_it_cannot_build() -> None:
    with pytest.raises(ConfigurationError, match="must be odd"):
        UNetConfig(kernel=4).build(spec(), (2, 20))
    with pytest.raises(ConfigurationError, match="cannot be split into 8 groups"):
        UNetConfig(widths=(60, 120)).build(spec(), (2, 20))


def test_state_encoder_joins_in_order() -> None:
    encoder = StateEncoderConfig().build(spec())
    keypoint, state = torch.randn(4, 2, 9, 2), torch.randn(4, 2, 2)
    condition = encoder({"state[:2]": state, "keypoint": keypoint})
    assert condition.shape == (4, *encoder.condition_shape)
    assert torch.equal(condition[..., -2:], state)


def test_single_numbers_become_one_feature() -> None:
    recorded = PolicySpec.select({**RECORDED, "gripper": ()}, observations=["gripper", "state"])
    encoder = StateEncoderConfig().build(recorded)
    condition = encoder({"gripper": torch.ones(3, 2), "state": torch.zeros(3, 2, 5)})
    assert condition.shape == (3, *encoder.condition_shape) == (3, 2, 6)


def test_state_encoder_refuses_images() -> None:
    seeing = PolicySpec.select(RECORDED, observations=["img"])
    with pytest.raises(ConfigurationError, match="cannot see the image 'img'"):
        StateEncoderConfig().build(seeing)


def test_times_are_told_by_waves_from_one_to_ten_thousand() -> None:
    slow = 3e-4
    wanted = [math.sin(3), math.sin(slow), math.cos(3), math.cos(slow)]
    assert Sinusoids(4)(torch.tensor([3.0]))[0].tolist() == pytest.approx(wanted, abs=1e-6)


def test_a_block_of_the_mlp_is_scaled_around_one() -> None:
    block = _Block(8, 2, 0.0)
    h, drive = torch.randn(3, 8), torch.randn(3, 8)
    torch.testing.assert_close(block(h, drive), h, msg="it begins as nothing")
    with torch.no_grad():
        block.modulation.bias[16:] = 1  # the gate is open, scale and shift are 0
    torch.testing.assert_close(block(h, drive), h + block.inner(block.norm(h)))
