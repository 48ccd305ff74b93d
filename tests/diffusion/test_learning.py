"""Learnability: a tiny network must keep both ways to act, where regression averages them."""

import numpy as np
import pytest
import torch

from steadyhand.diffusion import solvers
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.sampler import Sampler
from steadyhand.methods.regression import Regression
from steadyhand.nets.mlp import ResidualMLP


def train_on_two_modes(process, solver, steps: int) -> torch.Tensor:
    """Chunks that are all +0.7 or all -0.7; 400 samples after a short training."""
    torch.manual_seed(0)
    network = ResidualMLP(horizon=4, action_size=1, condition_shape=(1, 1), width=64, blocks=2)
    sampler = Sampler(network, process, solver, steps, clip=1.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    random = np.random.default_rng(0)
    condition = torch.zeros(256, 1, 1)
    for _ in range(400):
        modes = torch.from_numpy(random.choice([-0.7, 0.7], 256).astype(np.float32))
        x0 = modes.view(-1, 1, 1).expand(-1, 4, 1)
        loss = sampler.loss(x0, torch.randn(256, 4, 1), random.random(256), condition)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return sampler(torch.randn(400, 4, 1), torch.zeros(400, 1, 1))


@pytest.mark.parametrize(
    ("process", "solver", "steps"),
    [
        (DDPM(), solvers.ddim, 10),
        (DDPM(prediction="v"), solvers.dpmpp_2m, 10),
        (DDPM(prediction="sample", weighting="velocity"), solvers.ddim, 10),
        (Flow(), solvers.euler, 10),
        (Flow(prediction="sample", weighting="velocity"), solvers.euler, 5),
    ],
    ids=["ddpm-epsilon", "ddpm-v", "ddpm-sample", "flow-velocity", "flow-sample"],
)
def test_both_modes_are_kept(process, solver, steps) -> None:
    samples = train_on_two_modes(process, solver, steps)
    means = samples.mean((1, 2))
    share = float((means > 0).float().mean())
    assert 0.3 < share < 0.7
    near = ((samples.abs() - 0.7).abs().mean((1, 2)) < 0.2).float().mean()
    assert near > 0.9, "nearly every chunk belongs to one of the two modes"


def test_regression_averages_them() -> None:
    samples = train_on_two_modes(Regression(), solvers.ddim, 1)
    assert float(samples.abs().max()) < 0.3
    assert float(samples.std()) < 1e-6, "and gives the same answer every time"
