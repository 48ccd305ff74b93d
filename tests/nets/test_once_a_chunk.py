"""What a network does once a chunk and what it does in each step come to what it does at once."""

import copy

import pytest
import torch
from torch import Tensor, nn

import every_way
from steadyhand.diffusion import solvers
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.sampler import Sampler
from steadyhand.methods.mip import MIP
from steadyhand.nets.unet import UNet1d
from steadyhand.spec import Chunking, PolicySpec

SPEC = PolicySpec.select(
    {"state": (5,), "action": (3,)},
    observations=["state"],
    chunking=Chunking(obs_steps=3, horizon=8, execute=4),
)
STEPS = 4
VARIANTS = [
    part for kind in every_way.options("DenoiserConfig") for part in every_way.variants(kind)
]


def network(config, dtype: torch.dtype) -> nn.Module:
    """With weights that are not zero anywhere, so that nothing is the same by accident."""
    made = config.build(SPEC, (3, 5)).to(dtype).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = (0.2 * drawn).to(dtype)
    return made.requires_grad_(False)


def draws(dtype: torch.dtype, *shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


class OnlyForward(nn.Module):
    """A user's own network, which offers nothing but its forward."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x, t, condition, *mask):
        return self.inner(x, t, condition, *mask)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("config", VARIANTS, ids=every_way.told)
def test_a_chunk_prepared_is_a_chunk_asked_for_step_by_step(config, dtype, close) -> None:
    inner = network(config, dtype)
    condition = draws(dtype, 6, 3, 5, seed=1)
    given = (draws(dtype, 6, 8, 3), condition, draws(dtype, 6, STEPS, 8, 3, seed=2))
    masks = [None, torch.rand(6, 3, generator=torch.Generator().manual_seed(3)) < 0.6]
    for mask in masks if hasattr(inner, "tokens") else masks[:1]:
        for process, solver in ((Flow(), solvers.euler), (DDPM(prediction="v"), solvers.ddpm)):
            found, wanted = (
                Sampler(denoiser, process, solver, STEPS, clip=1.0)(*given, mask=mask)
                for denoiser in (inner, OnlyForward(inner))
            )
            assert float((found - wanted).abs().max()) < close
            assert float(wanted.std()) > 0.1


@pytest.mark.parametrize("config", VARIANTS, ids=every_way.told)
def test_what_is_prepared_is_kept_by_step_and_by_chunk_but_not_by_both(config) -> None:
    """S + B rows and not S·B: the memory of a sampler does not grow with its steps."""
    steps, batch = 7, 5
    sampler = Sampler(network(config, torch.float32), Flow(), solvers.euler, steps)
    context = sampler.prepare(draws(torch.float32, batch, 3, 5))
    assert context.timed is not None
    assert {part.shape[:2] for part in context.timed} == {(steps, 1)}
    fixed = [part for part in tensors(context.fixed) if part.is_floating_point()]
    assert fixed
    assert {len(part) for part in fixed} == {batch}
    assert not {steps, steps * batch} & {size for part in fixed for size in part.shape[1:2]}


def tensors(held) -> list[Tensor]:
    if isinstance(held, Tensor):
        return [held]
    return [] if held is None else [part for each in held for part in tensors(each)]


@pytest.mark.parametrize("config", VARIANTS, ids=every_way.told)
def test_gradients_reach_every_weight_from_what_is_prepared(config) -> None:
    inner = network(config, torch.float64).requires_grad_(True)
    other = copy.deepcopy(inner)
    noise, condition = draws(torch.float64, 4, 8, 3), draws(torch.float64, 4, 3, 5, seed=1)
    for denoiser, which in ((inner, inner), (OnlyForward(other), other)):
        Sampler(denoiser, Flow(), solvers.euler, 3)(noise, condition).square().sum().backward()
        assert all(p.grad is not None for p in which.parameters())
    for one, same in zip(inner.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, same.grad, rtol=1e-8, atol=1e-10)


def smooth() -> nn.Module:
    class Smooth(nn.Module):
        def forward(self, x, t, condition):
            return 0.9 * torch.tanh(1.3 * x + 0.2) + 0.1 * torch.cos(t / 17).view(-1, 1, 1)

    return Smooth()


def test_the_path_is_every_chunk_on_the_way() -> None:
    noise, condition = draws(torch.float64, 2, 8, 3), torch.zeros(2, 1, 1, dtype=torch.float64)
    sampler = Sampler(smooth(), Flow(), solvers.euler, 5)
    path = sampler.path(noise, condition)
    assert len(path) == 6
    assert path[0] is noise
    assert torch.equal(path[-1], sampler(noise, condition))
    context = sampler.prepare(condition)
    for step in range(5):
        x0, eps = sampler.predict(step, path[step], context)
        assert torch.equal(sampler.advance(step, path[step], x0, eps), path[step + 1])
    assert not Sampler(smooth(), MIP(), solvers.noiseless, 2).path(noise, condition)[0].any()


@pytest.mark.parametrize("solver", [solvers.ddim, solvers.dpmpp_2m, solvers.ddpm])
def test_sampling_may_begin_in_the_middle(solver) -> None:
    """From a chunk on the path it ends where the path does; the first step forgets what was."""
    noise, fresh = draws(torch.float64, 2, 8, 3), draws(torch.float64, 2, 6, 8, 3, seed=1)
    condition = torch.zeros(2, 1, 1, dtype=torch.float64)
    sampler = Sampler(smooth(), DDPM(prediction="v"), solver, 6)
    path = sampler.path(noise, condition, fresh)
    rest = sampler.path(path[4], condition, fresh, first=4)
    assert len(rest) == 3
    if solver is not solvers.dpmpp_2m:
        assert torch.equal(rest[-1], path[-1])
    # Without an x0 before it, a step of second order is one of first order.
    first_order = Sampler(smooth(), DDPM(prediction="v"), solvers.ddim, 6)
    if solver is solvers.dpmpp_2m:
        torch.testing.assert_close(
            rest[1], first_order.path(path[4], condition, first=4)[1], rtol=1e-9, atol=1e-9
        )
    with pytest.raises(ValueError, match=r"first is 6; the steps are 0…5"):
        sampler.path(noise, condition, fresh, first=6)


def test_a_chunk_is_noised_to_where_a_step_begins() -> None:
    x0, noise = draws(torch.float64, 2, 8, 3), draws(torch.float64, 2, 8, 3, seed=1)
    sampler = Sampler(smooth(), Flow(), solvers.euler, 5)
    torch.testing.assert_close(sampler.noised(x0, noise, 0), noise)
    torch.testing.assert_close(sampler.noised(x0, noise, 4), 0.8 * x0 + 0.2 * noise)


def test_the_layers_of_both_time_and_condition_are_sums() -> None:
    """The linear layers that see the two joined, as checkpoints hold them."""
    t, condition = torch.tensor([3.0, 40.0]), draws(torch.float32, 2, 3, 5)
    mlp, unet = (network(config, torch.float32) for config in VARIANTS[:2])
    (known,), (seen, beside) = mlp.prepare(t, condition)
    joined = torch.cat([condition.flatten(1), mlp.time(t)], dim=-1)
    torch.testing.assert_close(known + seen, mlp.condition[0](joined))
    x = draws(torch.float32, 2, 24, seed=1)
    entered = nn.functional.linear(x, mlp.enter.weight[:, :24]) + beside
    wanted = mlp.enter(torch.cat([x, condition.flatten(1)], dim=-1))
    torch.testing.assert_close(entered, wanted)
    timed, fixed = unet.prepare(t, condition)
    joined = torch.cat([unet.time(t), condition.flatten(1)], dim=-1)
    blocks = [block for block in unet.modules() if hasattr(block, "film")]
    assert len(blocks) == len(timed) == len(fixed)
    for block, time, seen in zip(blocks, timed, fixed, strict=True):
        torch.testing.assert_close(time + seen, block.film(joined))


class Halved(UNet1d):
    """What a user makes of a network of the library: forward is all they know of it."""

    def forward(self, x, t, condition):
        return super().forward(x, t, condition) / 2


class Passed(nn.Module):
    """One that hands on whatever else it is asked for."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x, t, condition):
        return self.inner(x, t, condition) / 2

    def __getattr__(self, name):
        return super().__getattr__(name) if name == "inner" else getattr(self.inner, name)


def test_a_forward_of_ones_own_is_what_is_sampled() -> None:
    sizes = {"horizon": 8, "action_size": 3, "condition_shape": (3, 5), "widths": (8, 16)}
    halved, plain = Halved(**sizes).eval(), UNet1d(**sizes).eval()
    plain.load_state_dict(halved.state_dict())
    given = draws(torch.float32, 2, 8, 3), draws(torch.float32, 2, 3, 5, seed=1)
    for own in (halved, Passed(plain)):
        with torch.no_grad():
            found = Sampler(own, Flow(), solvers.euler, STEPS)(*given)
            wanted = Sampler(OnlyForward(halved), Flow(), solvers.euler, STEPS)(*given)
        assert torch.equal(found, wanted)
